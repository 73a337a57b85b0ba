"""Which events a reader or a webhook is for: patterns of types, and what they are about. Pure."""

import re
from collections.abc import Iterable
from typing import Final, Self

import attrs

from phonegate.domain.routing import is_slot
from phonegate.model.events import EVENT_TYPES, Event, EventType
from phonegate.model.messages import MessageView
from phonegate.model.phones import number_form
from phonegate.model.webhooks import Webhook
from phonegate.typed_json.fields import Rule, Wrong

ANY: Final = "*"
"""The pattern that every type fits."""

TYPE_PATTERNS: Final[tuple[str, ...]] = (
    ANY,
    *dict.fromkeys(f"{type_.partition('.')[0]}.{ANY}" for type_ in EVENT_TYPES),
    *EVENT_TYPES,
)
"""Everything that a pattern of types may be: all types, those of a kind, and each by itself."""

_SHOWABLE: Final = re.compile(r"[A-Za-z0-9_.*-]{1,40}")
"""A wrong pattern that an error can repeat: it can hold no number, and no text of a message."""


def types_of(patterns: Iterable[str]) -> frozenset[EventType]:
    """Returns the types that fit one of the patterns."""
    found: set[EventType] = set()
    for pattern in patterns:
        beginning = pattern.removesuffix(ANY)
        if beginning == pattern:
            found.update(type_ for type_ in EVENT_TYPES if type_ == pattern)
        else:
            found.update(type_ for type_ in EVENT_TYPES if type_.startswith(beginning))
    return frozenset(found)


@attrs.frozen
class TypePattern(Rule):
    """A type of events, or a pattern of types: `message.sent`, `message.*` or `*`."""

    def read(self, value: object) -> str:
        """Returns the pattern as given."""
        if type(value) is not str:
            raise Wrong('must be text, such as "message.*"')
        if value not in TYPE_PATTERNS:
            named = f"{value} is" if _SHOWABLE.fullmatch(value) else "is"
            raise Wrong(f"{named} no type of event; there are: {', '.join(TYPE_PATTERNS)}")
        return value


@attrs.frozen
class TypeList(Rule):
    """Patterns of types in one text, with commas between them: `message.*,phone.offline`."""

    def read(self, value: object) -> tuple[str, ...]:
        """Returns the patterns, each once."""
        if type(value) is not str:
            raise Wrong('must be text, such as "message.*,phone.offline"')
        pattern = TypePattern()
        return tuple(dict.fromkeys(pattern.read(part) for part in value.split(",")))


@attrs.frozen(kw_only=True)
class EventFilter:
    """Which events are wanted. An event fits if everything that is given fits.

    Events that are no message's have no address and no SIM, so that they never fit these.
    """

    types: tuple[str, ...] = ()
    """Types or patterns as `TypePattern` takes them. Empty: all types."""
    address: str | None = attrs.field(default=None, repr=False)
    """The other party of a message, as it is stored."""
    sim: str | None = None
    """The SIM of a message at the time of the event: a number as `number_form` gives it, or a slot
    index as digits."""
    phone: int | None = None
    """The phone that the event is about, or whose message it is about."""
    wanted: frozenset[EventType] = attrs.field(init=False, repr=False, eq=False)
    """The types that fit."""

    @wanted.default
    def _wanted(self) -> frozenset[EventType]:
        return types_of(self.types or (ANY,))

    @classmethod
    def of_webhook(cls, webhook: Webhook) -> Self:
        """Returns which events a webhook is for."""
        return cls(
            types=webhook.events, address=webhook.address, sim=webhook.sim, phone=webhook.phone
        )

    def fits(self, event: Event) -> bool:
        """Tells whether an event is one of those that are wanted."""
        message = event.message
        if event.type not in self.wanted:
            return False
        if self.address is not None and (message is None or message.address != self.address):
            return False
        if self.sim is not None and (message is None or not _is_by(message, self.sim)):
            return False
        if self.phone is None or event.phone == self.phone:
            return True
        return message is not None and message.phone == self.phone


EVERYTHING: Final = EventFilter()
"""The filter that every event fits."""


def _is_by(message: MessageView, sim: str) -> bool:
    """Tells whether a message is by a SIM, as far as its own SIM is known."""
    if is_slot(sim):
        return message.sim_slot == int(sim)
    return message.sim is not None and number_form(message.sim) == sim
