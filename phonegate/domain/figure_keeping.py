"""Keeps figures for some time, and notes how the gateway is in each hour, beside other work."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import DAY_MS, HOUR_MS
from phonegate.store.database import Database

ERASED_AT_ONCE: Final = 400
"""Rows that one write deletes: 2 ms of the one writer's time, and a commit."""

_log = log.get("figures")


@attrs.frozen(kw_only=True)
class FigureTimings:
    """The pauses of the keeping. Tests pass shorter ones."""

    pause_s: float = 0.05
    """Between two writes, so that the writer is free for others most of the time."""
    first_s: float = 10.0
    """Before the first pass, since after a start phones return and need their messages."""
    pass_s: float = 1_200.0
    """Between two passes: no hour is left out, and its last one counts."""


class FigureKeeping:
    """Deletes old figures, and notes the sizes of database and disk.

    Args:
        database: Where they are.
        days: For how long figures are kept.
        now_ms: The wall clock.
        jumps: Tells whether it is to be believed.
        timings: The pauses.
    """

    def __init__(
        self,
        database: Database,
        *,
        days: int,
        now_ms: Callable[[], int],
        jumps: ClockJumps,
        timings: FigureTimings = FigureTimings(),
    ) -> None:
        self._database = database
        self._kept_ms = days * DAY_MS
        self._now_ms = now_ms
        self._jumps = jumps
        self._timings = timings

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        task_status.started()
        await trio.sleep(self._timings.first_s)
        while True:
            try:
                await self.note()
                await self.sweep()
            except StorageUnavailable as error:
                _log.warning("figures_not_kept", reason=error.reason)
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - a plot that lacks something must not end the gateway
                _log.exception("figures_not_kept")
            await trio.sleep(self._timings.pass_s)

    async def note(self) -> None:
        """Notes how the gateway is in this hour.

        Raises:
            StoreError: It can't be stored.
        """
        space, hour = await self._database.space(), self._now_ms() // HOUR_MS
        await self._database.write(
            lambda tx: tx.figures.sample(
                hour, database_bytes=space.database, free_bytes=space.free
            ),
            patient=True,
            size=1,
        )

    async def sweep(self) -> None:
        """Deletes what is too old.

        Raises:
            StoreError: The disk refused a write. What was deleted before stays deleted.
        """
        if not await self._jumps.are_past():
            return
        before = (self._now_ms() - self._kept_ms) // HOUR_MS
        await self._database.write(
            lambda tx: tx.figures.drop_samples(before), patient=True, size=ERASED_AT_ONCE
        )
        org = await self._next_org(0, before)
        while org is not None:
            if await self._drop(org, before):
                org = await self._next_org(org, before)
            await trio.sleep(self._timings.pause_s)

    async def _next_org(self, after: int, before: int) -> int | None:
        return await self._database.read(lambda tx: tx.figures.next_org(after, before))

    async def _drop(self, org: int, before: int) -> bool:
        return await self._database.write(
            lambda tx: tx.figures.drop(org, ERASED_AT_ONCE, before),
            patient=True,
            size=ERASED_AT_ONCE,
        )
