"""Writes events as receivers of webhooks get them: as JSON, as one flat level, as Twilio's form.

All is made from an event as the API shows it, so that whatever is hidden there is hidden here.
Sources of Twilio's fields: twilio.com/docs/messaging/guides/webhook-request and
/outbound-message-status-in-status-callbacks. Pure.
"""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from phonegate.domain.segmentation import count
from phonegate.model.twilio_ids import account_sid, message_sid
from phonegate.model.webhooks import Shape

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

_RECEIVED: Final = "message.received"

_TWILIO_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "message.queued": "queued",
        "message.sending": "sending",
        "message.sent": "sent",
        "message.delivered": "delivered",
        "message.failed": "failed",
        "message.expired": "failed",
        "message.cancelled": "canceled",
    }
)
"""Twilio's status of a message, by the event that reports it."""

_ERROR_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # "Unknown error": the gateway's own words have no number.
        "message.failed": "30008",
        # "Validity period expired".
        "message.expired": "30036",
    }
)

API_VERSION: Final = "2010-04-01"


@attrs.frozen(kw_only=True)
class Written:
    """An event as it is sent."""

    content_type: str
    body: bytes = attrs.field(repr=False)
    fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """The fields of a form, which are signed one by one."""


def has_form(shape: Shape, event_type: str) -> bool:
    """Tells whether a shape can express events of a type.

    Twilio has words for messages alone, and none for one that is held or uncertain.
    """
    return shape != "twilio" or event_type == _RECEIVED or event_type in _TWILIO_WORDS


def write(shape: Shape, event: Mapping[str, Any], org: int) -> Written:
    """Writes an event.

    Args:
        shape: The form.
        event: As the API shows it.
        org: Its org, whose number an account of Twilio's has.

    Raises:
        ValueError: The shape has no form for such an event, see `has_form`.
    """
    if shape == "standard":
        return Written(content_type=JSON, body=_json(event))
    if shape == "flat":
        return Written(content_type=JSON, body=_json(flat(event)))
    fields = tuple(_twilio_fields(event, org))
    body = urlencode(fields, errors="replace").encode()
    return Written(content_type=FORM, body=body, fields=fields)


def _json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


# -- flat


def flat(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an event as one level of keys, whose values are texts, numbers, booleans or null."""
    found: dict[str, Any] = {"event": event["type"], "event_id": event["id"]}
    found |= {"created_at": event["created_at"]}
    if event.get("test"):
        found["test"] = True
    data = event["data"]
    message = data.get("message")
    if message is not None:
        return found | _flat_message(message)
    for subject, value in data.items():
        found |= _flattened(str(subject), value)
    return found


def _flat_message(message: Mapping[str, Any]) -> dict[str, Any]:
    sender, recipient = message["sim"], message["address"]
    if message["direction"] == "in":
        sender, recipient = recipient, sender
    return {
        "from": sender,
        "to": recipient,
        "text": message["body"],
        "status": message["status"],
        "id": message["id"],
        "direction": message["direction"],
        "sim": message["sim"],
        "sim_slot": message["sim_slot"],
        "date": message["date"],
        "sent_at": message["sent_at"],
        "delivered_at": message["delivered_at"],
        "error": message["error"],
        # Of a URL every blank is written in another way.
        "media_urls": " ".join(message["media_urls"] or ()) or None,
    }


def _flattened(name: str, value: Any) -> dict[str, Any]:
    """Returns a value under names that begin with its own."""
    if isinstance(value, Mapping):
        return {
            long: one
            for key, inner in value.items()
            for long, one in _flattened(f"{name}_{key}", inner).items()
        }
    if isinstance(value, list | tuple):
        return {name: ", ".join(filter(None, map(_in_list, value))) or None}
    return {name: value}


def _in_list(value: Any) -> str:
    if isinstance(value, Mapping):
        # A SIM is its number, or else its slot.
        value = next((value[key] for key in ("number", "name", "slot", "id") if value.get(key)), "")
    return "" if value is None else str(value)


# -- Twilio


def _twilio_fields(event: Mapping[str, Any], org: int) -> Iterator[tuple[str, str]]:
    kind, message = event["type"], event["data"].get("message")
    if message is None or not has_form("twilio", kind):
        raise ValueError(f"Twilio has no form for {kind}")
    sid = message_sid(message["id"])
    yield "MessageSid", sid
    yield "SmsSid", sid
    yield "AccountSid", account_sid(org)
    yield "ApiVersion", API_VERSION
    if kind == _RECEIVED:
        yield from _received(message, sid)
        return
    yield "From", message["sim"] or ""
    yield "To", message["address"]
    yield "MessageStatus", _TWILIO_WORDS[kind]
    yield "SmsStatus", _TWILIO_WORDS[kind]
    if kind in _ERROR_CODES:
        yield "ErrorCode", _ERROR_CODES[kind]
    if message["error"]:
        yield "ErrorMessage", message["error"]


def _received(message: Mapping[str, Any], sid: str) -> Iterator[tuple[str, str]]:
    yield "SmsMessageSid", sid
    yield "SmsStatus", "received"
    yield "From", message["address"]
    yield "To", message["sim"] or ""
    yield "Body", message["body"]
    yield "NumSegments", str(message["segments"] or count(message["body"]))
    media = message["media_urls"] or ()
    yield "NumMedia", str(len(media))
    for number, url in enumerate(media):
        yield f"MediaUrl{number}", url
