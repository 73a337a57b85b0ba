"""Events that stand for real ones in the test of a webhook. Pure."""

from typing import Any, Final

from phonegate.domain.event_filter import types_of
from phonegate.events.webhooks.shapes import has_form
from phonegate.model.events import EVENT_TYPES, Event, EventType
from phonegate.model.messages import MessageView
from phonegate.model.webhooks import Webhook

ID: Final = 0
"""The id of an event, message or phone that there is not."""

_TEXT: Final = "This is a test of your webhook."
_PARTY: Final = "+15553334444"
_SIM: Final = "+15551112222"


def sample(webhook: Webhook, now: int) -> Event:
    """Returns an event of the first type that a webhook gets.

    Args:
        webhook: The webhook.
        now: When it happens, in ms.
    """
    wanted: list[EventType] = [
        one
        for pattern in webhook.events
        for one in EVENT_TYPES
        if one in types_of([pattern]) and has_form(webhook.shape, one)
    ]
    type_: EventType = wanted[0] if wanted else "message.received"
    kind, _, what = type_.partition(".")
    common: dict[str, Any] = {"id": ID, "org": webhook.org, "type": type_, "at": now}
    if kind == "message":
        return Event(message=_message(what, now), **common)
    if kind == "phone":
        return Event(phone=ID, data=_phone(what, now), **common)
    data = {"since": now, "sentence": _TEXT, "alarm": "test", "fields": {}}
    if kind == "webhook":
        data = {"id": ID, "name": "test", "disabled_at": now, "disabled_reason": _TEXT}
    return Event(data=data, **common)


def _message(status: str, now: int) -> MessageView:
    received = status == "received"
    fields: dict[str, Any] = {
        **dict.fromkeys(MessageView._fields),
        "id": ID,
        "direction": "in" if received else "out",
        "address": _PARTY,
        "body": _TEXT,
        "status": "queued" if status == "held" else status,
        "created_at": now,
        "sim_selector": "",
        "sim_slot": 0,
        "sim": _SIM,
        "segments": 1,
        "provider": "phone",
        "parts": 0,
        "date": now if received else None,
    }
    return MessageView(**fields)


def _phone(what: str, now: int) -> dict[str, Any]:
    online = what != "offline"
    said = {"id": ID, "kind": "link", "name": "test", "online": online, "last_seen": now}
    return {**said, "sims": []}
