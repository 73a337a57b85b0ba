"""What is done for webhooks from time to time: their log is cleared, idle connections are closed.

The log of a webhook keeps its newest deliveries, for some days. That of a removed one goes wholly.
One for status callbacks is removed when no message has used it for long.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.status_callbacks import KEPT_MS
from phonegate.events.webhooks.courier import Courier
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import DAY_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_LOGGED: Final = 5_000
"""Deliveries of one webhook that its log keeps, beside those that wait: some 2 MB."""

ERASED_AT_ONCE: Final = 200
"""Deliveries that one write deletes: some 2 ms of the writer's time."""

REMOVED_AT_ONCE: Final = 50
"""Webhooks that one round removes."""

_log = log.get("webhooks")


@attrs.frozen(kw_only=True)
class UpkeepTimings:
    """The pauses of the upkeep. Tests pass shorter ones."""

    round_s: float = 30.0
    pause_s: float = 0.05
    """Between two writes, so that the writer is free for others."""


UPKEEP_TIMINGS: Final = UpkeepTimings()


class Upkeep:
    """Clears the logs of all webhooks, and closes idle connections.

    Args:
        database: Where the logs are.
        courier: Has the connections.
        log_days: How long a delivery that is over stays in the log.
        now_ms: The wall clock.
        timings: How often it works.
    """

    def __init__(
        self,
        database: Database,
        courier: Courier,
        *,
        log_days: int,
        now_ms: Callable[[], int],
        timings: UpkeepTimings = UPKEEP_TIMINGS,
    ) -> None:
        self._database = database
        self._courier = courier
        self._kept_ms = log_days * DAY_MS
        self._now_ms = now_ms
        self._timings = timings

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            await trio.sleep(self._timings.round_s)
            try:
                await self._courier.sweep()
                await self.clear()
            except StoreClosed:
                return
            except StorageUnavailable as error:
                _log.warning("webhook_upkeep_failed", reason=error.reason)
            except Exception:  # noqa: BLE001 - a log that is kept too long must not end the gateway
                _log.exception("webhook_upkeep_failed")

    async def clear(self) -> None:
        """Deletes what no log needs any longer.

        Raises:
            StoreError: The store could not be read or written to.
        """
        await self._remove_unused()
        for removed in await self._database.read(lambda tx: tx.deliveries.ownerless()):
            whole = False
            while not whole:
                whole = await self._erase_ownerless(removed)
                await trio.sleep(self._timings.pause_s)
        for webhook in await self._database.read(lambda tx: tx.deliveries.logged()):
            while numbers := await self._finished(webhook):
                await self._erase(numbers)
                await trio.sleep(self._timings.pause_s)

    async def _remove_unused(self) -> None:
        before = self._now_ms() - KEPT_MS

        def op(tx: Tables) -> None:
            # Read anew: a message may have used one meanwhile.
            for org, webhook in tx.webhooks.unused(before, REMOVED_AT_ONCE):
                tx.webhooks.remove(org, webhook)

        if await self._database.read(lambda tx: tx.webhooks.unused(before, 1)):
            await self._database.write(op, patient=True)

    async def _finished(self, webhook: int) -> list[int]:
        before = self._now_ms() - self._kept_ms

        def op(tx: Tables) -> list[int]:
            return tx.deliveries.finished(
                webhook, before=before, most=MOST_LOGGED, limit=ERASED_AT_ONCE
            )

        return await self._database.read(op)

    async def _erase_ownerless(self, webhook: int) -> bool:
        return await self._database.write(
            lambda tx: tx.deliveries.erase_ownerless(webhook, ERASED_AT_ONCE), patient=True
        )

    async def _erase(self, numbers: list[int]) -> None:
        await self._database.write(lambda tx: tx.deliveries.erase(numbers), patient=True)
