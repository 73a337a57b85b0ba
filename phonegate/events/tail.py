"""The last events of one org, kept for its followers: read once, and looked at by all. Pure."""

import sys
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Any, Final

import attrs

from phonegate.model.events import Event

MOST_EVENTS: Final = 200
"""Events that a tail keeps: what a follower may be behind by without reading pages of its own. An
org with ten phones has some seconds' worth."""

MOST_BYTES: Final = 262_144
"""Bytes that the events of a tail may take, with all forms in which they were shown."""

EVENT_BYTES: Final = 1_024
"""What an event takes without its text."""


@attrs.define(eq=False)
class Entry:
    """An event of a tail, and what was made of it for followers."""

    event: Event
    size: int
    shown: dict[Hashable, Any] = attrs.field(factory=dict)
    """By what followers see it as."""


class Tail:
    """The events of an org from `floor`, not included, to `upto`: none between them is missing.

    Args:
        at: Where it begins.
        most_bytes: What it may take. At least one event is kept, however large.
        most_events: How many it may have.
    """

    def __init__(
        self, at: int, *, most_bytes: int = MOST_BYTES, most_events: int = MOST_EVENTS
    ) -> None:
        self.floor = self.upto = at
        self.size = 0
        self._most_bytes = most_bytes
        self._most_events = most_events
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, event: Event) -> Entry:
        """Adds the event that follows. The oldest make room for it."""
        text = "" if event.message is None else event.message.body
        entry = Entry(event, EVENT_BYTES + sys.getsizeof(text))
        self._entries.append(entry)
        self.upto = event.id
        self.size += entry.size
        self._make_room()
        return entry

    def extend(self, upto: int) -> None:
        """Notes that there are no more events up to an id."""
        self.upto = max(self.upto, upto)

    def bound(self, most_bytes: int) -> None:
        """Sets what it may take from now on."""
        self._most_bytes = most_bytes
        self._make_room()

    def after(self, position: int) -> list[Entry]:
        """Returns the events after an id that is not below the floor, ascending."""
        found = list(self._newest(position))
        found.reverse()
        return found

    def keep(self, entry: Entry, key: Hashable, shown: Any) -> None:
        """Keeps what was made of an event."""
        entry.shown[key] = shown
        size = len(shown) if isinstance(shown, bytes) else 0
        entry.size += size
        if entry.event.id > self.floor:  # else it has left already
            self.size += size
            self._make_room()

    def _newest(self, position: int) -> Iterator[Entry]:
        for entry in reversed(self._entries):
            if entry.event.id <= position:
                return
            yield entry

    def _make_room(self) -> None:
        entries = self._entries
        while len(entries) > 1 and (
            len(entries) > self._most_events or self.size > self._most_bytes
        ):
            gone = entries.popleft()
            self.size -= gone.size
            self.floor = gone.event.id
