"""The memory of request bodies on their way, all together bounded.

A body comes in a moment, or from somebody who means to keep the memory: the one longest on its
way is given up first, so that stalled ones never keep others out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs
import trio


@attrs.define(eq=False)
class Arriving:
    """A body on its way."""

    grew: Callable[[int], None]
    """To be called with the size of each piece that has come."""
    given_up: bool = False
    """Whether it had to make room for others."""


class Bodies:
    """All bodies on their way.

    Args:
        most: Bytes that all of them may take together; 0 is no limit.
        on_give_up: Called with each that is given up.
    """

    def __init__(self, most: int, on_give_up: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._on_give_up = on_give_up
        self._sizes: dict[Arriving, int] = {}
        """What has come of each; the one longest on its way is first."""
        self._scopes: dict[Arriving, trio.CancelScope] = {}
        self.bytes = 0
        """What all of them take."""

    @contextmanager
    def arriving(self, deadline: float) -> Iterator[Arriving]:
        """Holds a body while it comes; ends early at the deadline, or when it is given up."""

        def grew(size: int) -> None:
            if one in self._sizes:
                self._sizes[one] += size
                self.bytes += size
                self._make_room()

        one = Arriving(grew)
        self._sizes[one] = 0
        with trio.CancelScope(deadline=deadline) as self._scopes[one]:
            try:
                yield one
            finally:
                self._forget(one)

    def _make_room(self) -> None:
        while self._most and self.bytes > self._most:
            # Those of which nothing has come take nothing.
            oldest = next(one for one, size in self._sizes.items() if size)
            oldest.given_up = True
            self._on_give_up()
            self._scopes[oldest].cancel()
            self._forget(oldest)

    def _forget(self, one: Arriving) -> None:
        self.bytes -= self._sizes.pop(one, 0)
        self._scopes.pop(one, None)
