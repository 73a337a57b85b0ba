"""Held while a connection of an org finds out which row it is, or while its SIMs change.

What one of them does depends on where the org's numbers are, and changes that: so it is done by one
at a time, or at the same time by several that have nothing in common. Thousands of phones of an org
may come back together, and would otherwise wait for a flush of the disk each, one after the other.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import trio


class IdentityLock:
    """The lock of one org."""

    def __init__(self) -> None:
        self._turn = trio.Lock()
        """Of those that wait, in their order, and of the one that is alone."""
        self._sharing = 0
        self._numbers: set[str] = set()
        """Those of all that share it."""
        self._less = trio.Event()

    @property
    def is_free(self) -> bool:
        """Tells whether none holds it or waits for it."""
        return not self._turn.locked() and self._sharing == 0

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Holds it while no other does."""
        async with self._turn:
            while self._sharing:
                await self._less.wait()
            yield

    @asynccontextmanager
    async def beside_others(self, numbers: Collection[str]) -> AsyncIterator[None]:
        """Holds it, perhaps beside others, none of whose numbers is one of these.

        It is for a phone whose row is known, and of each of whose SIMs the number is.
        """
        async with self._turn:
            while not self._numbers.isdisjoint(numbers):
                await self._less.wait()
            self._share(numbers)
        try:
            yield
        finally:
            self.leave(numbers)

    def join_now(self, numbers: Collection[str]) -> bool:
        """Holds it as `beside_others` does, until `leave`, if that can be at once.

        Returns whether it can: no other waits for it, and none that holds it has such a number.
        """
        if self._turn.locked() or not self._numbers.isdisjoint(numbers):
            return False
        self._share(numbers)
        return True

    def leave(self, numbers: Collection[str]) -> None:
        """Holds it no more for these numbers."""
        self._sharing -= 1
        self._numbers.difference_update(numbers)
        less, self._less = self._less, trio.Event()
        less.set()

    def _share(self, numbers: Collection[str]) -> None:
        self._sharing += 1
        self._numbers.update(numbers)
