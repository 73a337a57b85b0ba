"""Received SMS of one phone that there is no room for now, in the order they came. Pure.

Most phones never repeat them, so the gateway keeps them while the link lives, and stores them when
there is room. Times are seconds of any monotonic clock.
"""

from typing import Final

from phonegate.domain.admission import size_of
from phonegate.domain.inbox import Received
from phonegate.model.refusals import DiskLow, StorageSpent
from phonegate.phones.frames import Inbound

HELD: Final = 256
"""Frames of received SMS that are held for one phone: more than people write to it in hours."""

HELD_BYTES: Final = 262_144
"""Bytes of them, as `admission.size_of` counts: as many as frames may wait in."""

NoRoom = StorageSpent | DiskLow
"""Why received SMS are not taken now. Nothing else that a phone reports takes room."""

NO_ROOM: Final = (StorageSpent, DiskLow)
"""The same, to be caught."""


class HeldInbound:
    """A bounded queue, and when its first is to be tried again."""

    __slots__ = ("_bytes", "_frames", "_pause", "due", "reason")

    def __init__(self) -> None:
        # A list, for an empty deque takes more than half a kilobyte of each phone.
        self._frames: list[Inbound] = []
        self._bytes = 0
        self._pause = 0.0
        self.due = 0.0
        """When the first is to be tried again."""
        self.reason: NoRoom
        """Why it was refused last."""

    def __bool__(self) -> bool:
        return bool(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        """Tells whether no more should be added."""
        return len(self._frames) >= HELD or self._bytes >= HELD_BYTES

    @property
    def first(self) -> Inbound:
        """The one that came first."""
        return self._frames[0]

    def add(self, frame: Inbound) -> None:
        """Holds one more, after those before it."""
        self._frames.append(frame)
        self._bytes += _size(frame)

    def drop_first(self) -> None:
        """Drops the first, which is stored. The next has not been refused yet."""
        self._bytes -= _size(self._frames.pop(0))
        self._pause = 0.0

    def refuse(self, reason: NoRoom, now: float, *, first_s: float, longest_s: float) -> None:
        """Notes that the first was refused. It is tried again after twice the pause before."""
        self.reason = reason
        self._pause = min(self._pause * 2, longest_s) if self._pause else first_s
        self.due = now + self._pause

    def hasten(self, now: float) -> None:
        """Has the first tried at once, and with short pauses again: there is little time left."""
        self._pause, self.due = 0.0, now

    def clear(self) -> int:
        """Drops all of them. Returns how many messages they held."""
        count = sum(len(frame.messages) for frame in self._frames)
        self._frames.clear()
        self._bytes = 0
        return count


def _size(frame: Inbound) -> int:
    return size_of([one for one in frame.messages if isinstance(one, Received)])
