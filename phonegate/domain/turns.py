"""Turns at computing slow hashes: few at once, a bounded queue, never on the event loop."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import trio

from phonegate.domain.errors import Throttled

AT_ONCE = 2
"""Slow hashes computed at the same time: 32 MiB of memory, and no more than two cores."""
WAITING = 256
"""Checks that wait or run: six seconds' worth, less than phones wait for an upgrade."""
WAITING_EACH = 64
"""The same for one address, so that it takes several to fill the queue. It empties at once when
an address guesses: see `Accounts`, which drops what waits once the failures are spent."""
_CHECK_MS = 50
"""About what one check takes, to say when the queue will have gone."""

T = TypeVar("T")
A = TypeVarTuple("A")


class Turns:
    """Who may compute a slow hash now. First come, first served."""

    def __init__(self) -> None:
        self._places = trio.Semaphore(AT_ONCE)
        # Threads of our own: those of the default limiter also resolve names.
        self._threads = trio.CapacityLimiter(AT_ONCE)
        self._waiting: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Requests that wait for a turn or have it."""
        return self._waiting.total()

    @asynccontextmanager
    async def bounded(self, address: str) -> AsyncIterator[None]:
        """A turn for a request of this client address.

        Raises:
            Throttled: Too many wait, of this address or of all.
        """
        waiting = self.waiting
        if waiting >= WAITING or self._waiting[address] >= WAITING_EACH:
            seconds = max(1, -(-waiting * _CHECK_MS // (AT_ONCE * 1000)))
            raise Throttled(
                f"Too many secrets are being checked just now. Try again in {seconds} s.", seconds
            )
        self._waiting[address] += 1
        try:
            async with self._places:
                yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    @asynccontextmanager
    async def unbounded(self) -> AsyncIterator[None]:
        """A turn for the operator, who is never refused one."""
        async with self._places:
            yield

    async def compute(self, function: Callable[[*A], T], *args: *A) -> T:
        """Runs a slow hash in a thread; only for who has a turn."""
        return await trio.to_thread.run_sync(function, *args, limiter=self._threads)
