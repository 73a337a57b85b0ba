"""Reading large bodies in a thread, so that the event loop has its turn meanwhile.

Each org has one under way at a time, and all callers who are not known yet have one together:
whoever sends many waits in a line of its own.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from phonegate.web.shares import Shares

T = TypeVar("T")

READ_AT_ONCE_BYTES: Final = 65_536
"""Longest body that is read on the event loop itself, which takes it some milliseconds."""

UNKNOWN: Final = 0
"""No org's number: stands for all callers who are not known."""

LINE: Final = 64
"""Bodies that may wait in one line, half a second of work."""

THREADS: Final = 2
"""More would only take turns with each other: what reads holds the interpreter."""


class Reading:
    """The large bodies that are read, and those that wait for it."""

    def __init__(self) -> None:
        self._lines = Shares(share=1, beside=1, line=LINE)
        self._threads = trio.CapacityLimiter(THREADS)

    async def read(self, read: Callable[[], T], size: int, org: int = UNKNOWN) -> T:
        """What `read` makes of a body of `size` bytes, and whatever it raises.

        Raises:
            Throttled: too many bodies of this org wait already.
        """
        if size <= READ_AT_ONCE_BYTES:
            return read()
        async with self._lines.take(org, 1):
            return await trio.to_thread.run_sync(read, limiter=self._threads)
