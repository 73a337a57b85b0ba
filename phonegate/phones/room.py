"""The memory that large frames on their way take of all phones together, bounded.

A frame comes in a moment, or from a phone that means to keep the memory: the one longest on its way
is given up first, so that stalled ones never keep others out. See `web.bodies` for the same of
requests.
"""

from collections.abc import Callable
from typing import Final

import attrs

ROOM_BYTES: Final = 67_108_864
"""For 64 phones that send the largest frame at once, or four hundred that bring 500 usual SMS."""


@attrs.define(eq=False)
class Place:
    """What one frame takes."""

    _room: "Room"
    give_up: Callable[[], None]
    """Ends it; it has left the room then."""
    size: int = 0

    def grew(self, size: int) -> None:
        """The frame has this size now."""
        self._room.resize(self, size)

    def leave(self) -> None:
        """The frame is whole, or nobody waits for it any more."""
        self._room.leave(self)


class Room:
    """All large frames on their way, at most `most` bytes of them."""

    def __init__(self, most: int = ROOM_BYTES) -> None:
        self._most = most
        self._places: dict[Place, None] = {}
        """The one longest on its way is first."""
        self.bytes = 0
        """What all of them take."""
        self.given_up = 0
        """How many had to make room for others."""

    def enter(self, give_up: Callable[[], None]) -> Place:
        """A place for one more."""
        place = Place(self, give_up)
        self._places[place] = None
        return place

    def resize(self, place: Place, size: int) -> None:
        """Notes what one takes, and gives up others, or itself, until all have room."""
        if place not in self._places:
            return
        self.bytes += size - place.size
        place.size = size
        while self.bytes > self._most:
            oldest = next(iter(self._places))
            self.leave(oldest)
            self.given_up += 1
            oldest.give_up()

    def leave(self, place: Place) -> None:
        """Gives back what one takes."""
        if place in self._places:
            del self._places[place]
            self.bytes -= place.size
