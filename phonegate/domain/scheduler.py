"""The gateway's clock for messages: releases, expires and gives up, whichever phones are online.

Every sweep is a bounded step inside one transaction; what is left over comes with the next.
"""

from collections.abc import Callable, Collection, Sequence

import attrs
import trio

from phonegate import log
from phonegate.domain import delivery
from phonegate.domain.delivery import Policy
from phonegate.domain.idempotency import KEPT_MS
from phonegate.model.facts import Changed, Fact, Rescheduled
from phonegate.model.messages import FAR_AHEAD_MS, NewMessage
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.store.database import Database
from phonegate.store.kept_answers import PRUNE_AT_ONCE
from phonegate.store.tables import Tables

SWEEP = 500
"""Messages handled in one transaction: a few ms of work, so that senders are not held up."""

_log = log.get("scheduler")


@attrs.frozen(kw_only=True)
class SchedulerTimings:
    """The waits of the scheduler; trials and tests pass shorter ones."""

    longest_sleep_s: float = 15.0
    """A changed wall clock is noticed within this time."""
    shortest_sleep_s: float = 0.05
    """Messages that fall due one after the other are swept together."""
    absent_pause_ms: int = 1_000
    """Between two looks at messages whose phone is overdue with its results, and away."""
    revoking_ms: int = 60_000
    """The call that revokes a key cancels its messages too. The scheduler does it after this time,
    or at once after a start, when no call can be at it."""
    storage_pause_s: float = 2.0
    """Before another try when the disk refuses."""


class Scheduler:
    """Runs beside everything else and moves messages whose time has come."""

    def __init__(
        self,
        database: Database,
        *,
        policy: Policy,
        now_ms: Callable[[], int],
        online_phones: Callable[[], Collection[int]],
        timings: SchedulerTimings = SchedulerTimings(),
    ) -> None:
        self._database = database
        self._policy = policy
        self._now_ms = now_ms
        self._online_phones = online_phones
        self._timings = timings
        self._bell = trio.Event()
        self._starting = True
        """Whether keys may be left of which a crash ended the revocation."""

    def note(self, facts: Sequence[Fact]) -> None:
        """Looks again when a message is due, where one has a new time. Subscribes to the bus."""
        if any(sets_a_time(fact) for fact in facts):
            self._bell.set()

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Sweeps until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            self._bell = trio.Event()
            try:
                pause = await self.sweep()
            except StorageUnavailable as error:
                _log.warning("sweep_failed", reason=error.reason)
                pause = self._timings.storage_pause_s
            except StoreClosed:
                return
            with trio.move_on_after(pause):
                await self._bell.wait()
                # New times come in bursts, one for each send.
                await trio.sleep(self._timings.shortest_sleep_s)

    async def sweep(self) -> float:
        """Moves what is due. Returns the seconds until more is due, bounded."""
        now = self._now_ms()
        more = False
        held, expiry, pushed, oldest_reply, ended = await self._database.read(
            lambda tx: (
                *_next_times(tx),
                tx.keys.ended(FAR_AHEAD_MS if self._starting else now - self._timings.revoking_ms),
            )
        )
        if held is not None and held <= now:
            await self._database.write(lambda tx: tx.due_messages.release_held(now, SWEEP))
        if expiry is not None and expiry <= now:
            await self._database.write(lambda tx: delivery.expire(tx, now, SWEEP))
        if pushed is not None and pushed + self._policy.result_timeout_ms <= now:
            more |= await self._abandon_silent(now)
        if oldest_reply is not None and oldest_reply + KEPT_MS <= now:
            pruned = await self._database.write(lambda tx: tx.kept_answers.prune(now - KEPT_MS + 1))
            more |= pruned >= PRUNE_AT_ONCE
        if ended is None:
            self._starting = False
        else:
            await self._database.write(lambda tx: delivery.withdraw_of_key(tx, ended))
            # More of this key, or another one, may be left.
            more = True
        if any(time is not None and time <= now for time in (held, expiry)):
            held, expiry, *_ = await self._database.read(_next_times)
        due = [time for time in (held, expiry) if time is not None]
        if more or any(time <= now for time in due):
            return self._timings.shortest_sleep_s
        if pushed is not None:
            time = pushed + self._policy.result_timeout_ms
            # Overdue still is what waits for an absent phone, which may be back any moment.
            due.append(time if time > now else now + self._timings.absent_pause_ms)
        earliest = min(due, default=now + 60_000)
        wait_s = max((earliest - now) / 1000, self._timings.shortest_sleep_s)
        return min(wait_s, self._timings.longest_sleep_s)

    async def _abandon_silent(self, now: int) -> bool:
        """Gives up messages without a result in time. Returns whether there may be more."""
        online = frozenset(self._online_phones())
        policy = self._policy

        # What waits for absent phones may be so much that the look alone takes a while: the
        # writer is asked only once there is something to write.
        def look(tx: Tables) -> bool:
            return bool(delivery.overdue(tx, online=online, now=now, policy=policy, limit=1))

        if not await self._database.read(look):
            return False
        changed = await self._database.write(
            lambda tx: delivery.abandon_silent(
                tx, online=online, now=now, policy=policy, limit=SWEEP
            )
        )
        return len(changed) >= SWEEP


def sets_a_time(fact: Fact) -> bool:
    """Tells whether a message was given a time that the scheduler must know of."""
    if type(fact) is Rescheduled:
        return fact.held_until is not None
    if type(fact) is not Changed or fact.before is not None:
        return False
    new = fact.message
    return isinstance(new, NewMessage) and (new.held_until, new.expires_at) != (None, None)


def _next_times(tx: Tables) -> tuple[int | None, int | None, int | None, int | None]:
    return (
        tx.due_messages.next_held(),
        tx.due_messages.next_expiry(),
        tx.due_messages.oldest_push(),
        tx.kept_answers.oldest(),
    )
