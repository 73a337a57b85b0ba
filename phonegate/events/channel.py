"""An org that has followers: the tail of its events, and who waits for which of them.

Followers who see the same events are one audience, so that an event is looked at once for them all.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Protocol

import attrs
import trio

from phonegate.domain.event_filter import EventFilter
from phonegate.domain.event_log import seen
from phonegate.events.tail import Tail
from phonegate.model.events import Event
from phonegate.model.orgs import KeyLimits


class Waiting(Protocol):
    """A follower that may wait."""

    position: int
    """Up to this event, it has had all that it is to get."""

    def __hash__(self) -> int: ...


@attrs.define(eq=False)
class Audience:
    """The followers of an org who see the same events."""

    limits: KeyLimits | None
    wanted: EventFilter
    members: int = 0
    cleared: int = 0
    """For those who wait: up to this event, nothing has come for them since they began to."""
    waiting: dict[Waiting, trio.Event] = attrs.field(factory=dict)

    def ring(self, follower: Waiting) -> None:
        """Wakes a follower, if it waits."""
        bell = self.waiting.pop(follower, None)
        if bell is not None:
            follower.position = max(follower.position, self.cleared)
            bell.set()

    def sees(self, event: Event) -> bool:
        """Tells whether an event is for these followers."""
        shown = seen(self.limits, event)
        return shown is not None and self.wanted.fits(shown)


@attrs.define(eq=False)
class Channel:
    """An org that has followers."""

    org: int
    audiences: dict[Hashable, Audience] = attrs.field(factory=dict)
    holders: Counter[str | None] = attrs.field(factory=Counter)
    tail: Tail | None = None
    """None until it is known where it begins."""
    recorded: int = 0
    """The last event that the bus has spoken of."""
    filling: bool = False

    @property
    def lags(self) -> bool:
        """Whether its tail lacks events."""
        return self.tail is not None and self.tail.upto < self.recorded

    def add(self, tail: Tail, events: Sequence[Event], upto: int) -> list[tuple[Audience, Waiting]]:
        """Adds the events that follow up to an id. Returns who waits for one of them."""
        found: list[tuple[Audience, Waiting]] = []
        for event in events:
            tail.add(event)
        tail.extend(upto)
        for audience in self.audiences.values():
            first = next((event.id for event in events if audience.sees(event)), None)
            audience.cleared = upto if first is None else first - 1
            if first is not None:
                found += [(audience, follower) for follower in audience.waiting]
        return found

    def ring(self) -> None:
        """Wakes all who wait."""
        for audience in self.audiences.values():
            for follower in list(audience.waiting):
                audience.ring(follower)
