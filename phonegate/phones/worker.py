"""A task that runs while it has work, and ends when there is none.

Ten thousand phones that say nothing would otherwise keep thirty thousand tasks waiting, at some
three kilobytes each.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

BUSY: Final = 4
"""Calls between two `rest`s that keep a task alive: to start one costs more than to wait, but what
a phone has to do once, as it connects, should leave no task behind."""

FOREVER: Final = float("inf")
"""What work returns that is done again only when called."""

Work = Callable[[], Awaitable[float]]
"""Does all there is to do. Returns after how many seconds to come again uncalled."""


class Worker:
    """Runs some work whenever it is called, in one task of a nursery and never twice at once."""

    __slots__ = (
        "_at_work",
        "_bell",
        "_called",
        "_calls",
        "_dismissed",
        "_here",
        "_idle",
        "_nursery",
        "_rested",
        "_work",
    )

    def __init__(self, nursery: trio.Nursery, work: Work) -> None:
        self._nursery = nursery
        self._work = work
        self._bell: trio.Event | None = None
        self._rested: trio.Event | None = None
        self._calls = 0
        self._called = self._here = self._idle = self._dismissed = self._at_work = False

    def call(self) -> None:
        """Makes the worker look for work."""
        self._called = True
        if self._bell is not None:
            self._bell.set()
        elif not self._here:
            self._here = True
            self._nursery.start_soon(self._run)

    def rest(self) -> None:
        """Ends the task if it has had little to do since this was called last."""
        if self._calls < BUSY and self._idle and self._bell is not None:
            self._bell.set()
        self._calls = 0

    async def done(self) -> None:
        """Waits until all is done that it was called for so far, and that can be done now."""
        while self._called or self._at_work:
            if self._rested is None:
                self._rested = trio.Event()
            await self._rested.wait()

    def dismiss(self) -> None:
        """Lets the task end once it has done what there is. Called again, it still comes."""
        self._dismissed = True
        if self._bell is not None:
            self._bell.set()

    async def _run(self) -> None:
        try:
            while self._called:
                self._called = False
                self._calls += 1
                self._at_work = True
                try:
                    again_s = await self._work()
                finally:
                    self._at_work = False
                    if self._rested is not None:
                        self._rested.set()
                        self._rested = None
                if self._called or self._dismissed:
                    continue
                if again_s < FOREVER:
                    await self._nap(again_s)
                elif self._calls >= BUSY:
                    self._idle = True
                    await self._wait()
                    self._idle = False
        finally:
            self._here = False
            if self._called:
                # Between its cancellation and its end, when it could be woken no more.
                self.call()

    async def _nap(self, seconds: float) -> None:
        with trio.move_on_after(seconds) as nap:
            await self._wait()
        if nap.cancelled_caught:
            self._called = True

    async def _wait(self) -> None:
        self._bell = trio.Event()
        try:
            await self._bell.wait()
        finally:
            self._bell = None
