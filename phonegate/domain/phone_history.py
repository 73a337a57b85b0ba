"""Keeps the past of phones, for a month, and reads it.

Phones say how they are each minute, by the ten thousand. What they say is stored with the phone
each few minutes (see `phones.reported_health`), where it takes the place of what was said before.
From there one reading a quarter hour is kept, of those phones alone that had something new to say,
many of them in one write. Coming and going is noted with the phone (see `domain.phone_events`).
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.domain.phone_course import Course, Period, course
from phonegate.domain.phone_management import NOT_FOUND
from phonegate.model.phone_history import Reading
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import DAY_MS, MINUTE_MS
from phonegate.store.database import Database
from phonegate.store.phone_history import Stale
from phonegate.store.tables import Tables

KEPT_MS: Final = 31 * DAY_MS
"""The longest time that is shown, and a day. A phone with much to say has 3,000 readings by then,
some 80 kB."""

TAKEN_AT_ONCE: Final = 200
"""Phones whose readings one write keeps: 2 ms of the one writer's time, and a commit."""

ERASED_AT_ONCE: Final = 400
"""Rows that one write deletes: 2 ms likewise."""

LATE_MS: Final = MINUTE_MS
"""What was said this long before a pass may have been committed after it."""

LOOKED_AT_ONCE: Final = 100
"""Phones of which a read looks for what is old."""

_log = log.get("phones")


@attrs.frozen(kw_only=True)
class HistoryTimings:
    """The pauses of the keeping. Tests pass shorter ones."""

    pause_s: float = 0.05
    """Between two writes, so that the writer is free for others most of the time."""
    pass_s: float = 900.0
    """Between two passes, which is how far apart readings are."""


class PhoneHistory:
    """Reads the past of phones for callers."""

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def course(self, reader: Principal, phone: int, period: Period) -> Course:
        """Returns the health of a phone over a time that ends now.

        Raises:
            NotFound: The reader's org has no such phone.
        """
        end = self._now_ms()

        def read(tx: Tables) -> Course:
            row = tx.phones.get(phone)
            if row is None or row.org != reader.org:
                raise NotFound(NOT_FOUND)
            since = end - KEPT_MS
            readings = tx.phone_history.readings(phone, since)
            if row.health_at is not None:
                # Said since the last pass.
                readings.append(Reading(at=row.health_at, health=row.health))
            return course(
                tx.phone_history.presences(phone, since),
                readings,
                known_since=tx.phone_history.known_since(phone),
                end=end,
                period=period,
            )

        return await self._database.read(read)


class HistoryKeeping:
    """Keeps readings in the background, and deletes what is old or of phones that are no more."""

    def __init__(
        self,
        database: Database,
        *,
        now_ms: Callable[[], int],
        jumps: ClockJumps,
        timings: HistoryTimings = HistoryTimings(),
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._jumps = jumps
        self._timings = timings
        self._since = 0
        """What was stored before this is kept already."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            try:
                await self.note_alive()
                await trio.sleep(self._timings.pass_s)
                await self.keep()
                await self.sweep()
            except StorageUnavailable as error:
                _log.warning("phone_history_not_kept", reason=error.reason)
                await trio.sleep(self._timings.pass_s)
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - a plot that lacks something must not end the gateway
                _log.exception("phone_history_not_kept")
                await trio.sleep(self._timings.pass_s)

    async def note_alive(self) -> None:
        """Notes that the gateway serves: if it is killed, phones were connected until then.

        Raises:
            StoreError: It can't be stored.
        """
        now = self._now_ms()
        await self._database.write(lambda tx: tx.counters.note_alive(now), patient=True, size=1)

    async def keep(self) -> int:
        """Keeps what phones have said since the last pass. Returns of how many.

        Raises:
            StoreError: It can't be stored, and is kept by the next pass.
        """
        begun = self._now_ms()
        # A clock that was put back must not leave out what comes.
        since = min(self._since, begun) - LATE_MS
        after = kept = 0
        while found := await self._changed(after, since):
            await self._take(found)
            after = found[-1]
            kept += len(found)
            await trio.sleep(self._timings.pause_s)
        self._since = begun
        return kept

    async def sweep(self) -> int:
        """Deletes what is old, and what is of phones that are no more. Returns how many rows.

        Raises:
            StoreError: The disk refused a write. What was deleted before stays deleted.
        """
        # While the clock is not believed, nothing is old.
        cutoff = self._now_ms() - KEPT_MS if await self._jumps.are_past() else 0
        after = erased = 0
        while stale := await self._stale(after, cutoff):
            after, step = await self._erase(stale, cutoff)
            erased += step
            await trio.sleep(self._timings.pause_s)
        return erased

    async def _changed(self, after: int, since: int) -> list[int]:
        return await self._database.read(
            lambda tx: tx.phone_history.changed(after, since, TAKEN_AT_ONCE)
        )

    async def _take(self, phones: list[int]) -> None:
        await self._database.write(
            lambda tx: tx.phone_history.take(phones), patient=True, size=len(phones)
        )

    async def _stale(self, after: int, cutoff: int) -> list[Stale]:
        return await self._database.read(
            lambda tx: tx.phone_history.stale(after, cutoff, LOOKED_AT_ONCE)
        )

    async def _erase(self, stale: Sequence[Stale], cutoff: int) -> tuple[int, int]:
        """Deletes as much as one write may, and returns after which phone to go on, and how much.

        A phone with more of it than that is looked at again.
        """

        def erase(tx: Tables) -> tuple[int, int]:
            erased = 0
            for one in stale:
                left = ERASED_AT_ONCE - erased
                erased += tx.phone_history.drop(one, cutoff, left)
                if erased >= ERASED_AT_ONCE:
                    return one.phone - 1, erased
            return stale[-1].phone, erased

        return await self._database.write(erase, patient=True, size=ERASED_AT_ONCE)
