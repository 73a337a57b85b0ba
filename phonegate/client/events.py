"""Events as the client reads them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self

import attrs

from phonegate.client.messages import Message
from phonegate.client.phones import Phone
from phonegate.client.record import Record

GAP: Final = "gap"
"""What stands as the type where events are missing."""


@attrs.frozen(kw_only=True)
class Alarm(Record):
    """An alarm that was raised or cleared."""

    alarm: str
    sentence: str
    remedy: str | None = None
    since: datetime | None = None
    fields: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class DisabledWebhook(Record):
    """A webhook that the gateway calls no longer."""

    id: int
    name: str | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None


@attrs.frozen(kw_only=True)
class Event(Record):
    """Something that happened: what it is about stands in the field of its kind.

    A kind that this client does not know has it in `data` alone.
    """

    id: int
    """By which a reader goes on later: `since=event.id`."""
    type: str
    """Such as `message.received` or `phone.offline`."""
    created_at: datetime
    data: Mapping[str, Any] = attrs.field(repr=False)
    message: Message | None = None
    phone: Phone | None = None
    alarm: Alarm | None = None
    webhook: DisabledWebhook | None = None

    @classmethod
    def read(cls, raw: Any) -> Self:
        """Reads an event, with what it is about."""
        event = super().read(raw)
        about: dict[str, Any] = {
            name: kind.read(event.data[name])
            for name, kind in _KINDS.items()
            if event.data.get(name) is not None
        }
        return attrs.evolve(event, **about)


_KINDS: Final[Mapping[str, type[Record]]] = {
    "message": Message,
    "phone": Phone,
    "alarm": Alarm,
    "webhook": DisabledWebhook,
}


@attrs.frozen
class Gap:
    """Events are missing here, since the gateway keeps them no longer."""

    upto: int
    """Events up to this id are missing."""
    type: str = attrs.field(default=GAP, init=False)


@attrs.frozen
class News:
    """Events that came at once, by ascending id, perhaps after a gap."""

    events: tuple[Event, ...]
    upto: int
    """The id after which to go on: everything up to it has been looked at."""
    gap: Gap | None = None
