"""The memory for media that wait to be given to phones, of all phones together. Pure.

What waits longest gives way to what comes: it is fetched again when its phone asks.
"""

from collections.abc import Callable
from typing import Final

import attrs

MOST_BYTES: Final = 67_108_864
"""64 MiB: some sixty MMS of the largest size, which wait for a moment each."""


@attrs.define(eq=False)
class Place:
    """The memory that one message's media take."""

    give_way: Callable[[], None]
    """Forgets the media. Called when others need the memory."""
    bytes: int = 0
    is_waiting: bool = False
    """All of it is there, and waits for its phone."""


class MediaMemory:
    """Counts what media take."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._places: dict[Place, None] = {}
        self.bytes = 0
        """What all take together."""

    def take(self, place: Place, size: int) -> bool:
        """Takes so many bytes more. Returns False where there are not so many."""
        while self.bytes + size > self._most:
            oldest = next((one for one in self._places if one.is_waiting), None)
            if oldest is None:
                return False
            self.free(oldest)
            oldest.give_way()
        self.bytes += size
        place.bytes += size
        self._places[place] = None
        return True

    def wait(self, place: Place) -> None:
        """Notes that all of it is there. From now on it may have to give way."""
        place.is_waiting = True
        if place in self._places:
            del self._places[place]
            self._places[place] = None

    def free(self, place: Place) -> None:
        """Gives back what was taken."""
        self._places.pop(place, None)
        self.bytes -= place.bytes
        place.bytes = 0
        place.is_waiting = False
