"""The memory that large frames on their way take of all phones together, bounded.

A frame comes in a moment, unless its phone means to keep the memory. So the one longest on its way
is given up first, and stalled ones never keep others out. See `api.body_budget` for the
same of requests.
"""

from collections.abc import Callable
from typing import Final

import attrs

BUDGET_BYTES: Final = 67_108_864
"""For 64 phones that send the largest frame at once, or four hundred that bring 500 usual SMS."""


@attrs.define(eq=False)
class Share:
    """What one frame takes."""

    _budget: "FrameBudget"
    give_up: Callable[[], None]
    """Called when it has to end. It has no share any more then."""
    size: int = 0

    def grew(self, size: int) -> None:
        """Notes that the frame has this size now."""
        self._budget.resize(self, size)

    def leave(self) -> None:
        """Notes that the frame is whole, or that its link has ended."""
        self._budget.leave(self)


class FrameBudget:
    """All large frames on their way, at most `most` bytes of them."""

    def __init__(self, most: int = BUDGET_BYTES) -> None:
        self._most = most
        self._shares: dict[Share, None] = {}
        """The one longest on its way is first."""
        self.bytes = 0
        """What all of them take."""
        self.given_up = 0
        """How many had to make room for others."""

    def enter(self, give_up: Callable[[], None]) -> Share:
        """Returns a share for one more."""
        share = Share(self, give_up)
        self._shares[share] = None
        return share

    def resize(self, share: Share, size: int) -> None:
        """Notes what one takes, and gives up others, or itself, until all are within the budget."""
        if share not in self._shares:
            return
        self.bytes += size - share.size
        share.size = size
        while self.bytes > self._most:
            oldest = next(iter(self._shares))
            self.leave(oldest)
            self.given_up += 1
            oldest.give_up()

    def leave(self, share: Share) -> None:
        """Gives back what one takes."""
        if share in self._shares:
            del self._shares[share]
            self.bytes -= share.size
