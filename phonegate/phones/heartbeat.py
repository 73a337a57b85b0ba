"""The time of all connected phones, kept by one task: pings, silence, the end of a grace."""

from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

import attrs
import trio

from phonegate import log

AT_ONCE: Final = 256
"""Phones looked after before other tasks get a turn: some 2 ms, when ten thousand came together."""

GATHER_S: Final = 0.1
"""Between two rounds, so that one wake-up of the process serves several of ten thousand phones:
some sixty pings, whose pongs come together too. With the defaults a phone that reads nothing has a
second less than it is promised, of which two rounds are a fifth."""

_log = log.get("phones")


class Timed(Protocol):
    """What has to be looked after at times."""

    @property
    def due(self) -> float:
        """When it is due next, by trio's clock. Only `tick` may make that earlier."""

    def tick(self) -> None:
        """Does what is due."""


@attrs.define(order=False, eq=False)
class Watch:
    """One phone that is watched over, until `end` is called with the end of its link."""

    timed: Timed | None

    def end(self) -> None:
        """Drops the phone, whose turn is still to come."""
        self.timed = None


class Heartbeat:
    """Looks after each phone when its time comes. `run` is its task."""

    def __init__(self) -> None:
        self._turns: list[tuple[float, int, Watch]] = []
        self._numbers = count()
        self._sleep = trio.CancelScope()
        self._next_round = 0.0

    def watch(self, timed: Timed) -> Watch:
        """Looks after `timed` whenever it is due, until the watch is ended."""
        watch, due = Watch(timed), timed.due
        heappush(self._turns, (due, next(self._numbers), watch))
        self._sleep.deadline = min(self._sleep.deadline, max(due, self._next_round))
        return watch

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled."""
        task_status.started()
        while True:
            with trio.CancelScope() as self._sleep:
                due = self._turns[0][0] if self._turns else float("inf")
                self._sleep.deadline = max(due, self._next_round)
                await trio.sleep_forever()
            # What phones said while the process stood still is read before they are judged.
            await trio.lowlevel.checkpoint()
            now = trio.current_time()
            for _ in range(AT_ONCE):
                if not (self._turns and self._turns[0][0] <= now):
                    self._next_round = now + GATHER_S
                    break
                self._look_after(heappop(self._turns)[2])

    def _look_after(self, watch: Watch) -> None:
        timed = watch.timed
        if timed is None:
            return
        try:
            timed.tick()
        except Exception as error:  # noqa: BLE001 - one phone's fault must not stop all others' hearts
            _log.error("heartbeat_failed", exc_info=error)
            due = trio.current_time() + 1
        else:
            due = timed.due
        if watch.timed is not None:
            heappush(self._turns, (due, next(self._numbers), watch))
