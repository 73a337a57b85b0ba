"""Deletes finished messages by age, so slowly that other work hardly notices.

A pass goes through the messages from the oldest on, a slice at a time. A slice is read beside other
readers, then deleted in steps that each take the writer a few milliseconds, with pauses between
them. Messages that wait, are uncertain or are still watched at their carrier stay until a later
pass finds them finished.

A clock that jumps far ahead would make all messages old at once (see `clock_jumps`).
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.model.messages import Aged
from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    RECEIVED,
    SENT,
)
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import DAY_MS
from phonegate.store.database import Database

ERASABLE: Final = frozenset({RECEIVED, SENT, DELIVERED, FAILED, EXPIRED, CANCELLED})
"""States in which nothing more is expected. If the delivery of a sent message was not reported
within days, it will not be reported."""

LOOKED_AT_ONCE: Final = 1_000
"""Messages of one read, which takes a millisecond or two."""

ERASED_AT_ONCE: Final = 50
"""Messages that one write deletes, with their words: 1.3 ms of work and a commit, for which others
may have to wait. A send of 50 messages takes as long."""

_log = log.get("retention")


def may_go(message: Aged, cutoff: int) -> bool:
    """Tells whether a message is finished and older than `cutoff` (ms)."""
    return (
        message.created_at < cutoff and message.status in ERASABLE and message.next_poll_at is None
    )


@attrs.frozen(kw_only=True)
class RetentionTimings:
    """The pauses of the deletion. Tests pass shorter ones."""

    pause_s: float = 0.05
    """Between two writes, so that the writer is free for others nine tenths of the time."""
    pass_s: float = 3_600.0
    """Between two passes. An hour more or less does not matter among days."""
    first_s: float = 60.0
    """Before the first pass, since after a start phones return and need their messages."""


class Retention:
    """Deletes messages that are old and finished, in the background."""

    def __init__(
        self,
        database: Database,
        *,
        days: int,
        now_ms: Callable[[], int],
        jumps: ClockJumps | None = None,
        timings: RetentionTimings = RetentionTimings(),
    ) -> None:
        """Messages are kept for `days`, counted from the time when they were stored."""
        self._database = database
        self._kept_ms = days * DAY_MS
        self._now_ms = now_ms
        self._jumps = ClockJumps(database, now_ms) if jumps is None else jumps
        self._timings = timings

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        task_status.started()
        await trio.sleep(self._timings.first_s)
        while True:
            try:
                erased = await self.sweep() if await self._jumps.are_past() else 0
            except StorageUnavailable as error:
                _log.warning("retention_failed", reason=error.reason)
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - what is kept too long must not end the gateway
                _log.exception("retention_failed")
            else:
                if erased:
                    _log.info("messages_erased", count=erased)
            await trio.sleep(self._timings.pass_s)

    async def sweep(self) -> int:
        """Makes one pass over all old messages. Returns how many were deleted.

        Raises:
            StorageUnavailable: The disk refused a write. What was deleted before stays deleted.
            StoreClosed: The gateway is stopping.
        """
        cutoff = self._now_ms() - self._kept_ms
        after = erased = 0
        while True:
            found = await self._following(after)
            # Ids ascend with time, so a slice without old messages ends the pass.
            if not any(message.created_at < cutoff for message in found):
                return erased
            going = [message.id for message in found if may_go(message, cutoff)]
            while going:
                gone, done = await self._erase(going[:ERASED_AT_ONCE], cutoff)
                erased += gone
                del going[:done]
                await trio.sleep(self._timings.pause_s)
            after = found[-1].id

    async def _following(self, after: int) -> list[Aged]:
        return await self._database.read(lambda tx: tx.message_removal.aged(after, LOOKED_AT_ONCE))

    async def _erase(self, ids: list[int], cutoff: int) -> tuple[int, int]:
        # Checked again, since a late report may have come after the read.
        return await self._database.write(
            lambda tx: tx.message_removal.erase(ids, lambda message: may_go(message, cutoff))
        )
