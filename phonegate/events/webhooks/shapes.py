"""Writes events as receivers of webhooks get them: as JSON, as one flat level, as Twilio's form.

All is made from an event as the API shows it, so that whatever is hidden there is hidden here.
Sources of Twilio's fields: twilio.com/docs/messaging/guides/webhook-request and
/outbound-message-status-in-status-callbacks. Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from phonegate.domain.media import UNKNOWN
from phonegate.domain.segmentation import count
from phonegate.events.webhooks import smsgate_shape
from phonegate.model.states import RECEIVED, UNCERTAIN
from phonegate.model.twilio_ids import API_VERSION, account_sid, message_sid
from phonegate.model.twilio_words import ERROR_CODES, status_word
from phonegate.model.webhooks import AnyShape

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

_OF_MESSAGES: Final = "message."

_RECEIVED: Final = f"{_OF_MESSAGES}{RECEIVED}"

_UNSAID: Final = frozenset({f"{_OF_MESSAGES}{UNCERTAIN}", f"{_OF_MESSAGES}held"})
"""Events of messages that Twilio has no word for."""


@attrs.frozen(kw_only=True)
class Written:
    """An event as it is sent."""

    content_type: str
    body: bytes = attrs.field(repr=False)
    fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """The fields of a form, which are signed one by one."""


def has_form(shape: AnyShape, event_type: str) -> bool:
    """Tells whether a shape can express events of a type.

    Twilio has words for messages alone, and none for one that is held or uncertain.
    """
    if shape == "smsgate":
        return smsgate_shape.has_form(event_type)
    if shape != "twilio":
        return True
    return event_type.startswith(_OF_MESSAGES) and event_type not in _UNSAID


def write(shape: AnyShape, event: Mapping[str, Any], org: int) -> Written:
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
    if shape != "twilio":
        raise ValueError(f"{shape} is of status callbacks alone")
    fields = twilio_fields(event, org)
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


def twilio_fields(
    event: Mapping[str, Any], org: int, media_types: Sequence[str] = ()
) -> tuple[tuple[str, str], ...]:
    """Returns the fields of a form of Twilio's.

    Args:
        event: As the API shows it.
        org: Its org.
        media_types: What the first media of a received message are.

    Raises:
        ValueError: Twilio has none for such an event.
    """
    return tuple(_twilio_fields(event, org, media_types))


def _twilio_fields(
    event: Mapping[str, Any], org: int, media_types: Sequence[str]
) -> Iterator[tuple[str, str]]:
    kind, message = event["type"], event["data"].get("message")
    if message is None or not has_form("twilio", kind):
        raise ValueError(f"Twilio has no form for {kind}")
    sid = message_sid(message["id"])
    yield "MessageSid", sid
    yield "SmsSid", sid
    yield "AccountSid", account_sid(org)
    yield "ApiVersion", API_VERSION
    if kind == _RECEIVED:
        yield from _received(message, sid, media_types)
        return
    yield "From", message["sim"] or ""
    yield "To", message["address"]
    status = kind.removeprefix(_OF_MESSAGES)
    word = status_word(status, was_sent=message["sent_at"] is not None)
    yield "MessageStatus", word
    yield "SmsStatus", word
    if status in ERROR_CODES:
        yield "ErrorCode", str(ERROR_CODES[status])
    if message["error"]:
        yield "ErrorMessage", message["error"]


def _received(
    message: Mapping[str, Any], sid: str, media_types: Sequence[str]
) -> Iterator[tuple[str, str]]:
    yield "SmsMessageSid", sid
    yield "SmsStatus", "received"
    yield "From", message["address"]
    yield "To", message["sim"] or ""
    yield "Body", message["body"]
    yield "NumSegments", str(message["segments"] or count(message["body"]))
    media = message["media_urls"] or ()
    yield "NumMedia", str(len(media))
    for number, (url, type_) in enumerate(zip_longest(media, media_types[: len(media)])):
        yield f"MediaUrl{number}", url
        yield f"MediaContentType{number}", type_ or UNKNOWN
