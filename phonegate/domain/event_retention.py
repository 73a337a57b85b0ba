"""Deletes events that are old, too many, or of deleted messages, hardly noticed by other work.

An event is kept for some days, and never longer than its message. A reader finds a gap where
events were deleted before they were read. Orgs that read no more, and have no webhook, have their
events recorded no more.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.model.events import StoredEvent
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import HOUR_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

LOOKED_AT_ONCE: Final = 1_000
"""Events of one read, which takes some milliseconds."""

ERASED_AT_ONCE: Final = 200
"""Events that one write deletes: about a millisecond of the one writer's time, and a commit."""

CHARACTERS_AT_ONCE: Final = 400_000
"""Of their data likewise: long texts lie on pages of their own, which are freed one by one."""

_log = log.get("retention")


@attrs.frozen(kw_only=True)
class EventRetentionTimings:
    """The pauses of the deletion. Tests pass shorter ones."""

    pause_s: float = 0.02
    """Between two writes, so that the writer is free for others most of the time."""
    pass_s: float = 300.0
    """Between two passes: an org that makes a hundred events a second is 30,000 over its bound."""
    messages_s: float = 3_600.0
    """Between two looks for events whose message was deleted, which go through all events."""


class EventRetention:
    """Deletes events in the background.

    Args:
        database: Where they are.
        keep_ms: For how long an event is kept.
        most: Events that are kept of one org, the newest ones. 0: any number.
        messages_go: Messages are deleted by age, and their events go with them.
        now_ms: The wall clock.
        jumps: Tells whether it is to be believed.
        timings: The pauses.
    """

    def __init__(
        self,
        database: Database,
        *,
        keep_ms: int,
        most: int,
        messages_go: bool,
        now_ms: Callable[[], int],
        jumps: ClockJumps,
        timings: EventRetentionTimings = EventRetentionTimings(),
    ) -> None:
        self._database = database
        self._keep_ms = keep_ms
        self._most = most
        self._messages_go = messages_go
        self._now_ms = now_ms
        self._jumps = jumps
        self._timings = timings
        self._messages_at = 0.0
        """When to look for deleted messages next, by trio's clock."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            # First: who read just before the gateway stopped comes back in this time.
            await trio.sleep(self._timings.pass_s)
            try:
                erased = await self.sweep()
            except StorageUnavailable as error:
                _log.warning("retention_failed", reason=error.reason)
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - what is kept too long must not end the gateway
                _log.exception("retention_failed")
            else:
                if erased:
                    _log.info("events_erased", count=erased)

    async def sweep(self) -> int:
        """Makes one pass. Returns how many events were deleted.

        Raises:
            StorageUnavailable: The disk refused a write. What was deleted before stays deleted.
            StoreClosed: The gateway is stopping.
        """
        erased = await self._erase_surplus() if self._most else 0
        if await self._jumps.are_past():
            await self._lapse()
            erased += await self._erase_old()
        if self._messages_go and trio.current_time() >= self._messages_at:
            self._messages_at = trio.current_time() + self._timings.messages_s
            erased += await self._erase_of_deleted()
        return erased

    async def _lapse(self) -> None:
        now = self._now_ms()
        if await self._database.read(lambda tx: tx.events.has_lapsed(now)):
            await self._database.write(lambda tx: tx.events.lapse(now))

    async def _erase_old(self) -> int:
        cutoff = self._now_ms() - self._keep_ms
        after = erased = 0
        while True:
            found = await self._following(after)
            going = [event for event in found if event.at < cutoff]
            # Ids ascend with time, so a slice without old events ends the pass.
            if not going:
                return erased
            erased += await self._erase(going)
            after = found[-1].id

    async def _erase_surplus(self) -> int:
        erased = orgs = 0
        for org in await self._database.read(lambda tx: tx.events.listening()):
            before = erased
            while True:
                going = await self._surplus(org)
                if not going:
                    break
                erased += await self._erase(going)
            orgs += erased > before
        if erased:
            _log.warning("events_beyond_bound", orgs=orgs, count=erased)
        return erased

    async def _erase_of_deleted(self) -> int:
        after = erased = 0

        def look(tx: Tables) -> tuple[Sequence[StoredEvent], Sequence[StoredEvent]]:
            found = tx.events.oldest(after, LOOKED_AT_ONCE)
            return found, tx.events.without_message(after, found[-1].id) if found else []

        while True:
            found, going = await self._database.read(look)
            if not found:
                return erased
            erased += await self._erase(going)
            after = found[-1].id

    async def _following(self, after: int) -> Sequence[StoredEvent]:
        return await self._database.read(lambda tx: tx.events.oldest(after, LOOKED_AT_ONCE))

    async def _surplus(self, org: int) -> Sequence[StoredEvent]:
        return await self._database.read(
            lambda tx: tx.events.surplus(org, self._most, LOOKED_AT_ONCE)
        )

    async def _erase(self, events: Sequence[StoredEvent]) -> int:
        """Deletes events in steps, with pauses between them."""
        erased = 0
        for ids in steps(events):
            erased += await self._erase_some(ids)
            await trio.sleep(self._timings.pause_s)
        return erased

    async def _erase_some(self, ids: Sequence[int]) -> int:
        return await self._database.write(lambda tx: tx.events.erase(ids))


def steps(events: Sequence[StoredEvent]) -> list[list[int]]:
    """Returns the ids of events in groups, each of which one write may delete."""
    groups: list[list[int]] = []
    room = 0
    for event in events:
        if not groups or len(groups[-1]) >= ERASED_AT_ONCE or event.size > room:
            groups.append([])
            room = CHARACTERS_AT_ONCE
        groups[-1].append(event.id)
        room -= event.size
    return groups


def kept_ms(keep_hours: int, messages_days: int) -> int:
    """Returns for how long events are kept (ms): never longer than messages, where those go."""
    hours = min(keep_hours, messages_days * 24) if messages_days else keep_hours
    return hours * HOUR_MS
