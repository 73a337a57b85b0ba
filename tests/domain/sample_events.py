"""Events as the store gives them."""

from typing import Any

from phonegate.model.events import Event, EventType
from phonegate.model.messages import MessageView

ADDRESS = "+15553334444"
NUMBER = "+15551112222"


def message_view(message_id: int = 5, **changes: Any) -> MessageView:
    """A received message, with other fields where a test wants them."""
    fields: dict[str, Any] = {
        **dict.fromkeys(MessageView._fields),
        "id": message_id,
        "direction": "in",
        "address": ADDRESS,
        "body": "hi",
        "status": "received",
        "created_at": 1_000,
        "phone": 7,
        "sim_selector": "",
        "sim_slot": 0,
        "sim": NUMBER,
        "provider": "phone",
        "parts": 0,
    }
    return MessageView(**{**fields, **changes})


def message_event(
    event_id: int = 1, type_: EventType = "message.received", *, org: int = 1, **message: Any
) -> Event:
    """An event of a message, whose fields a test may choose."""
    return Event(id=event_id, org=org, type=type_, at=1_000, message=message_view(**message))


def phone_event(event_id: int = 1, type_: EventType = "phone.offline", **more: Any) -> Event:
    """An event of a phone."""
    fields: dict[str, Any] = {"org": 1, "phone": 7, "data": {"id": 7}, **more}
    return Event(id=event_id, type=type_, at=1_000, **fields)
