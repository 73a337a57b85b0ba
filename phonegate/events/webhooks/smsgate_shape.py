"""Writes events as the app SMS Gateway for Android reports them to webhooks. Pure.

A webhook there is for one event of the app's. Each stands for some of the gateway's events.
Sources: github.com/capcom6/android-sms-gateway, modules/webhooks/payload and domain/WebHookEvent.kt
(v1.68.0); the batches are those of android-sms-gateway 4.3.3 for Python.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from phonegate.domain.announced_mms import NOT_FETCHED
from phonegate.domain.media import UNKNOWN
from phonegate.model.events import Event, EventType
from phonegate.model.times import iso
from phonegate.model.webhooks import Webhook

EVENTS: Final[Mapping[str, tuple[EventType, ...]]] = MappingProxyType(
    {
        "sms:received": ("message.received",),
        "sms:sent": ("message.sent",),
        "sms:delivered": ("message.delivered",),
        "sms:failed": ("message.failed", "message.expired"),
        "sms:cancelled": ("message.cancelled",),
        "mms:received": ("message.received",),
        "mms:downloaded": ("message.received",),
        "system:ping": ("phone.health",),
        "app:started": ("phone.online",),
        "sms:batch:received": ("message.received",),
        "mms:batch:received": ("message.received",),
        "mms:batch:downloaded": ("message.received",),
        # No phone of the gateway reports data SMS, so that these are never called.
        "sms:data-received": ("message.received",),
        "sms:batch:data-received": ("message.received",),
    }
)
"""The app's events, with those of the gateway that each stands for."""

SMS: Final = "sms:received"
MMS: Final = "mms:downloaded"

_BY_TYPE: Final[Mapping[EventType, str]] = MappingProxyType(
    {type_: name for name, types in tuple(EVENTS.items())[::-1] for type_ in types}
)
"""The app's event for each of the gateway's, where the webhook does not say which it is for."""

_DATA: Final = ":data-received"
_BATCH: Final = ":batch:"

UNKNOWN_SIZE: Final = 0
"""Of an MMS of which only its announcement is known."""

NO_REASON: Final = "Unknown"

_LOW: Final = 25
_EMPTY: Final = 10
"""Percent of a battery below which the app warns, and below which it says that it fails."""


def has_form(event_type: str) -> bool:
    """Tells whether the app has a word for events of a type."""
    return event_type in _BY_TYPE


def fits(webhook: Webhook, event: Event) -> bool:
    """Tells whether a webhook of this shape is for an event, as far as SMS and MMS differ."""
    name, message = webhook.client_event, event.message
    if name is None or message is None or message.direction == "out":
        return True
    announced = message.error == NOT_FETCHED
    is_mms = announced or message.parts > 0 or bool(message.media_urls)
    if name.startswith("mms:"):
        return is_mms and (not announced or not name.endswith("downloaded"))
    return not is_mms and not name.endswith(_DATA)


def beside(event: Event) -> dict[str, Any]:
    """Returns what the app's form shows beside what the API does of an event.

    Args:
        event: The event. Its `data` may have the type, name and size of each of the `parts` of its
            message, by number.
    """
    message, parts = event.message, event.data.get("parts") or {}
    if message is None:
        return {"device": event.phone}
    return {
        "client_id": message.client_id,
        "device": message.phone,
        "parts": {n: parts.get(n) for n in range(1, message.parts + 1)},
    }


def write(webhook: Webhook, shown: Mapping[str, Any], call_id: str) -> bytes:
    """Writes an event.

    Args:
        webhook: What is called.
        shown: The event as the API shows it, with what `beside` returns as `smsgate`.
        call_id: Names what is delivered, the same at every attempt.

    Raises:
        ValueError: The app has no word for such an event.
    """
    if not has_form(shown["type"]):
        raise ValueError(f"The app has no event for {shown['type']}")
    more = shown.get("smsgate") or {}
    name = webhook.client_event or _name_of(shown)
    payload = _payload(name, shown, more)
    if _BATCH in name:
        payload = {"messages": [payload]}
    device = more.get("device")
    event = {
        "deviceId": "" if device is None else str(device),
        "event": name,
        "id": call_id,
        "payload": payload,
        "webhookId": webhook.client_id or str(webhook.id),
    }
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _name_of(shown: Mapping[str, Any]) -> str:
    """Returns the app's event for one of the gateway's."""
    message = shown["data"].get("message")
    if shown["type"] != "message.received":
        return _BY_TYPE[shown["type"]]
    if message["error"] == NOT_FETCHED:
        return "mms:received"
    return MMS if message["media_urls"] else SMS


def _payload(name: str, shown: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    message = shown["data"].get("message")
    if message is None:
        return _of_phone(name, shown["data"]["phone"])
    party, own = message["address"], message["sim"]
    is_in = message["direction"] == "in"
    found = {
        "messageId": more.get("client_id") or str(message["id"]),
        "phoneNumber": party,
        "sender": party if is_in else own,
        "recipient": own if is_in else party,
        "simNumber": None if message["sim_slot"] is None else message["sim_slot"] + 1,
    }
    found |= _received(name, message, more) if is_in else _sent(name, message, shown["created_at"])
    return {key: value for key, value in found.items() if value is not None}


def _received(name: str, message: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    date = message["date"]
    at = message["created_at"] if date is None else iso(date)
    if name.startswith("sms:"):
        return {"message": message["body"], "receivedAt": at}
    if name.endswith(":received"):
        return {
            "transactionId": str(message["id"]),
            "contentClass": "",
            "size": sum(part[2] for part in (more.get("parts") or {}).values() if part)
            or UNKNOWN_SIZE,
            "receivedAt": at,
        }
    attachments = [
        {
            "partId": number,
            "contentType": UNKNOWN if part is None else part[0],
            **({} if part is None or part[1] is None else {"name": part[1]}),
            **({} if part is None else {"size": part[2]}),
        }
        for number, part in (more.get("parts") or {}).items()
    ]
    return {"body": message["body"] or None, "attachments": attachments, "receivedAt": at}


def _sent(name: str, message: Mapping[str, Any], at: str) -> dict[str, Any]:
    match name:
        case "sms:sent":
            parts = message["segments"] or 1
            return {"partsCount": parts, "sentAt": message["sent_at"] or at}
        case "sms:delivered":
            return {"deliveredAt": message["delivered_at"] or at}
        case "sms:cancelled":
            return {"cancelledAt": at}
        case _:
            return {"failedAt": at, "reason": message["error"] or NO_REASON}


def _of_phone(name: str, phone: Mapping[str, Any]) -> dict[str, Any]:
    if name == "app:started":
        return {
            "simCards": [
                sim_card(sim["slot"], sim.get("number"), sim.get("carrier"))
                for sim in phone["sims"]
            ]
        }
    return {"health": {"status": "pass", "checks": checks_of(phone)}}


def sim_card(slot: int, number: str | None, carrier: str | None) -> dict[str, Any]:
    """Returns a SIM of a phone, without what is not known of it."""
    return {
        "slotIndex": slot,
        "simNumber": slot + 1,
        **({} if number is None else {"phoneNumber": number}),
        **({} if carrier is None else {"carrierName": carrier}),
    }


def checks_of(phone: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how a phone is, as the app reports it of itself.

    Args:
        phone: As the API shows it: `online`, `battery` and `charging`.
    """
    checks: dict[str, Any] = {
        "connection:status": _check(
            "pass" if phone.get("online") else "fail", int(bool(phone.get("online"))), "boolean"
        )
    }
    battery = phone.get("battery")
    if battery is not None:
        status = "fail" if battery < _EMPTY else "warn" if battery < _LOW else "pass"
        checks["battery:level"] = _check(status, battery, "percent")
    if phone.get("charging") is not None:
        # Of the app's flags: 1 for charging, and 2 for mains, which is the usual way.
        checks["battery:charging"] = _check("pass", 3 if phone["charging"] else 0, "flags")
    return checks


_DESCRIPTIONS: Final = MappingProxyType(
    {
        "boolean": "Whether the phone is connected",
        "percent": "Battery level in percent",
        "flags": "Is the phone charging?",
    }
)


def _check(status: str, value: int, unit: str) -> dict[str, Any]:
    return {
        "status": status,
        "observedValue": value,
        "observedUnit": unit,
        "description": _DESCRIPTIONS[unit],
    }
