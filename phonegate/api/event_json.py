"""The JSON of events: the same in streams, on pages, for webhooks and for agents."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import attrs

from phonegate.api.phones_types import PhoneSimJson, PhoneState
from phonegate.api.presenters import MessageJson, message_json
from phonegate.model.events import EVENT_TYPES, Event
from phonegate.model.times import iso
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf

T = TypeVar("T", PhoneState, PhoneSimJson, "EventAlarmJson", "EventWebhookJson")


@attrs.frozen(kw_only=True)
class EventAlarmJson:
    """An alarm about the org."""

    alarm: str = field("Its name.", example="phone_away")
    since: str | None = field(
        "When that which it is about began (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    sentence: str = field("What is wrong, or that it is over.")
    remedy: str | None = field("What to do.")
    fields: Mapping[str, Any] = field("What else is known of it, such as how many messages wait.")


@attrs.frozen(kw_only=True)
class EventWebhookJson:
    """A webhook that is called no more."""

    id: int = field("Names the webhook in /webhooks/{org}/{id}.", example=1)
    name: str | None = field("What its owner called it.", example="crm")
    disabled_at: str = field(
        "Since when it is not called (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    disabled_reason: str = field("Why, in a sentence.", example="It answered 410 Gone.")


@attrs.frozen(kw_only=True, slots=False)
class EventData:
    """What the event is about, as it was then. One of these is there."""

    message: MessageJson | None = field(
        "The message of an event message.*, as /messages shows it; waiting_for is approval, "
        "send_at or null.",
        default=None,
        omit=True,
    )
    phone: PhoneState | None = field("The phone of an event phone.*.", default=None, omit=True)
    alarm: EventAlarmJson | None = field("The alarm of an event alarm.*.", default=None, omit=True)
    webhook: EventWebhookJson | None = field(
        "The webhook of an event webhook.*.", default=None, omit=True
    )


# Without slots for the reason that `MessageJson` has none.
@attrs.frozen(kw_only=True, slots=False)
class EventJson:
    """What happened to a message, a phone or a webhook of an org, or an alarm about it."""

    id: int = field("Ascending in the gateway, in the order of the events.", example=1234)
    type: Annotated[str, OneOf(EVENT_TYPES)] = field("What happened.", example="message.received")
    created_at: str = field(
        "When it was recorded (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    data: EventData = field("What it happened to.")


_TIMES: Final = ("last_seen", "since", "disabled_at")
"""What is kept as ms and shown as text."""


def event_json(event: Event, *, media: str) -> EventJson:
    """Makes the JSON of an event.

    `media` is the beginning of the addresses of its org's parts (see `media_address`).
    """
    return EventJson(
        id=event.id, type=event.type, created_at=iso(event.at), data=_data(event, media)
    )


def _data(event: Event, media: str) -> EventData:
    if event.message is not None:
        return EventData(message=message_json(event.message, None, media=media))
    shown = dict(event.data)
    for name in _TIMES:
        if shown.get(name) is not None:
            shown[name] = iso(shown[name])
    match event.type.partition(".")[0]:
        case "phone":
            shown["sims"] = tuple(_known(PhoneSimJson, sim) for sim in shown.get("sims", ()))
            return EventData(phone=_known(PhoneState, shown))
        case "alarm":
            return EventData(alarm=_known(EventAlarmJson, shown))
        case _:
            return EventData(webhook=_known(EventWebhookJson, shown))


def _known(cls: type[T], shown: Mapping[str, Any]) -> T:
    """Makes JSON of what was recorded, perhaps by another version: what it lacks is None."""
    return cls(**{field.name: shown.get(field.name) for field in attrs.fields(cls)})  # type: ignore[arg-type]
