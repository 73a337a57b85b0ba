"""Reading large bodies in a thread, so that the event loop has its turn meanwhile.

Each org has one under way at a time, and all callers that are not known yet have one together.
So a caller that sends many waits in a line of its own.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import attrs
import trio

from phonegate.api.fair_share import FairShare

T = TypeVar("T")

READ_AT_ONCE_BYTES: Final = 65_536
"""Longest body that is read on the event loop itself, which takes it some milliseconds."""

UNKNOWN: Final = 0
"""The number of no org. It stands for all callers that are not known."""

LINE: Final = 64
"""Bodies that may wait in one line, half a second of work."""

THREADS: Final = 2
"""More would only take turns with each other: what reads holds the interpreter."""


class LargeBodyReader:
    """The large bodies that are read, and those that wait for it."""

    def __init__(self) -> None:
        self._share = FairShare(share=1, beside=1, line=LINE)
        self._threads = trio.CapacityLimiter(THREADS)

    async def read(self, read: Callable[[], T], size: int, org: int = UNKNOWN) -> T:
        """Returns what `read` makes of a body of `size` bytes, or raises what it raises.

        Raises:
            Throttled: too many bodies of this org wait already.
        """
        if size <= READ_AT_ONCE_BYTES:
            return read()
        async with self._share.take(org, 1):
            outcome = await trio.to_thread.run_sync(partial(_tried, read), limiter=self._threads)
        try:
            if isinstance(outcome, _Failed):
                raise outcome.error
            return outcome
        finally:
            del outcome


@attrs.frozen
class _Failed:
    """What `read` raised. Errors that leave a thread keep what is read until a collection."""

    error: Exception


def _tried(read: Callable[[], T]) -> T | _Failed:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
        error.__context__ = None
        return _Failed(error.with_traceback(None))
