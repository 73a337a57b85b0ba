"""Where commits run: on the event loop while the disk is quick, else in the writer's thread. Pure.

A hand-over to a thread and back costs as much as a dozen rows, and a quick flush less. A slow one
on the loop would hold up every connection, so it has to be seen early and tried again seldom.
"""

from collections import deque
from typing import Final, Literal

Commits = Literal["auto", "thread", "loop"]
"""Where commits run. `auto`: where the last ones say."""

QUICK_S: Final = 0.001
"""A flush that the loop may wait for: as long as one of its turns takes under load."""

ROW_S: Final = 0.00001
"""What each row adds to a flush on a quick disk: 12 KB are written for it."""

STALL_S: Final = 0.01
"""A commit that the loop must not wait for again soon, however quick the others are."""

SAMPLE: Final = 9
"""Flushes that are looked at. It is odd, so that one of them has as many above as below it."""

REST_S: Final = 60.0
"""How long commits stay in the thread once most of them are slow."""

STALL_SHARE: Final = 0.01
"""What part of the time the loop may stand still because of single slow commits. A busy machine
makes one of 10 ms now and then, whose cause is not the disk."""

LONGEST_REST_S: Final = 600.0


class CommitPlace:
    """Decides from how long flushes take."""

    def __init__(self, commits: Commits) -> None:
        self._always = None if commits == "auto" else commits == "loop"
        self._on_loop = False
        self._flushes: deque[float] = deque(maxlen=SAMPLE)
        self._rest_until = float("-inf")

    def is_loop(self, now: float) -> bool:
        """Tells whether the next commit may run on the loop.

        Args:
            now: A steady clock, in seconds.
        """
        if self._always is not None:
            return self._always
        if not self._on_loop and now >= self._rest_until and len(self._flushes) == SAMPLE:
            # In the thread a flush seems longer than it is where the loop is busy, so the
            # quickest one counts.
            self._on_loop = min(self._flushes) <= QUICK_S
            if self._on_loop:
                self._flushes.clear()
        return self._on_loop

    def note(self, flush_s: float, rows: int, now: float, *, in_thread: bool = False) -> None:
        """Takes note of a commit: how long its flush took, of how many rows, and when it ended."""
        if self._on_loop and in_thread:
            # The loop has not waited for it, and it may have copied the log into the file.
            return
        self._flushes.append(flush_s - rows * ROW_S)
        if not self._on_loop:
            return
        if flush_s > STALL_S:
            self._leave(now + min(flush_s / STALL_SHARE, LONGEST_REST_S))
        elif len(self._flushes) == SAMPLE and sorted(self._flushes)[SAMPLE // 2] > QUICK_S:
            self._leave(now + REST_S)

    def _leave(self, until: float) -> None:
        self._on_loop = False
        self._flushes.clear()
        self._rest_until = until
