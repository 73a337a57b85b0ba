"""Measures how late the event loop is: the time that any task must wait for all others."""

from collections import deque
from typing import Final

import trio

EVERY_S: Final = 1.0
"""Seconds between two measurements. A wake-up a second costs little, even on a small machine."""

WINDOW: Final = 60
"""Measurements that `worst_s` covers: a minute, which is how often most scrapers come."""


class Lag:
    """Measures the lag by sleeping and noting how late it woke up."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=WINDOW)

    @property
    def worst_s(self) -> float:
        """The longest lag within the last minute, in seconds."""
        return max(self._late, default=0.0)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Measures until cancelled."""
        task_status.started()
        while True:
            due = trio.current_time() + EVERY_S
            await trio.sleep_until(due)
            self._late.append(max(0.0, trio.current_time() - due))
