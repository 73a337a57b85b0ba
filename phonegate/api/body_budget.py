"""The memory of request bodies on their way, all together bounded.

A body arrives in a moment, or its caller means to keep the memory. Where there is no room for all,
the owner of most of it makes room: first an owner that takes more than its part, then unknown
callers, so that they never keep out a known phone on a slow link.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

PART: Final = 4
"""An owner may take one in so many of all bytes, before it makes room for others."""

ANYBODY: Final = ""
"""The owner of bodies that are counted together."""

Owner = int | str
"""Whose a body is: a known org, by its number, or the network that an unknown caller calls from."""


@attrs.define(eq=False)
class Arriving:
    """A body on its way."""

    grew: Callable[[int], None]
    """To be called with the size of each piece that has come."""
    given_up: bool = False
    """Whether it was given up, to make room for others."""


class BodyBudget:
    """All bodies on their way.

    Args:
        most: Bytes that all of them may take together; 0 is no limit.
        on_give_up: Called with each that is given up.
    """

    def __init__(self, most: int, on_give_up: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._on_give_up = on_give_up
        self._sizes: dict[Owner, dict[Arriving, int]] = {}
        """What has come of each. The one of an owner that is longest on its way is first."""
        self._totals: dict[Owner, int] = {}
        self._scopes: dict[Arriving, trio.CancelScope] = {}
        self.bytes = 0
        """What all of them take."""

    @contextmanager
    def arriving(self, deadline: float, owner: Owner = ANYBODY) -> Iterator[Arriving]:
        """Holds a body while it arrives. Ends early at the deadline, or when it is given up."""

        def grew(size: int) -> None:
            if one in self._scopes:
                self._sizes[owner][one] += size
                self._totals[owner] += size
                self.bytes += size
                self._make_room()

        one = Arriving(grew)
        self._sizes.setdefault(owner, {})[one] = 0
        self._totals.setdefault(owner, 0)
        with trio.CancelScope(deadline=deadline) as self._scopes[one]:
            try:
                yield one
            finally:
                self._forget(owner, one)

    def _make_room(self) -> None:
        while self._most and self.bytes > self._most:
            owner = self._greatest()
            # Those of which nothing has come take nothing.
            oldest = next(one for one, size in self._sizes[owner].items() if size)
            oldest.given_up = True
            self._on_give_up()
            self._scopes[oldest].cancel()
            self._forget(owner, oldest)

    def _greatest(self) -> Owner:
        """Returns the owner that makes room."""
        totals = self._totals
        greatest = max(totals, key=totals.__getitem__)
        if totals[greatest] > self._most // PART:
            return greatest
        unknown = [owner for owner in totals if isinstance(owner, str) and totals[owner]]
        return max(unknown, key=totals.__getitem__, default=greatest)

    def _forget(self, owner: Owner, one: Arriving) -> None:
        if self._scopes.pop(one, None) is None:
            return
        mine = self._sizes[owner]
        size = mine.pop(one)
        self.bytes -= size
        self._totals[owner] -= size
        if not mine:
            del self._sizes[owner], self._totals[owner]
