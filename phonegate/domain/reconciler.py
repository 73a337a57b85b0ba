"""Looks after messages at carriers: sends what waited, asks what became of what was sent.

It works from the database alone, so that a gateway which was killed at any moment finds again
what it was about. No carrier is asked more often than it can bear, and none that is down keeps
messages of another waiting.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from phonegate import log
from phonegate.domain import carrier_reports
from phonegate.domain.carrier import Carrier, CarrierMessage, NotTaken, OutcomeUnknown
from phonegate.domain.carrier_attempt import (
    NotAccepted,
    hand_over,
    is_of_account,
    other_ids,
    outbound,
    store_outcome,
)
from phonegate.domain.carrier_pool import CarrierPool, NoAccount
from phonegate.domain.carrier_sending import Terms
from phonegate.domain.carrier_timings import EACH_AT_ONCE, CarrierTimings, PollTimings
from phonegate.model.facts import Fact, Rescheduled
from phonegate.model.messages import Message
from phonegate.model.refusals import Throttled
from phonegate.model.states import SENDING
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed, StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

SWEEP: Final = 200
"""Messages taken in hand in one transaction: a few ms of work."""

_NEVER: Final = "the carrier never got it"
_REMOVED: Final = "its assistant was removed"
_OTHER_ACCOUNT: Final = "its assistant's account was changed, and the old one may have it"

Step = Callable[[Tables, int], Message]
"""One step of a write transaction, at a time in ms."""

_log = log.get("reconciler")


def releases(fact: Fact) -> bool:
    """Tells whether queued messages were let go, which a carrier may have to send."""
    return type(fact) is Rescheduled and fact.held_until is None


class AssistantTurns:
    """When each assistant's next message may go. Pure: times in ms are arguments.

    A message that can't go now gets a time in its assistant's queue, behind all that wait. What
    goes, and nothing else, moves the time of the next: so that time is free when it
    comes, however many wait behind it.
    """

    def __init__(self, timings: CarrierTimings) -> None:
        self._timings = timings
        self._next: dict[int, int] = {}
        self._queues: dict[tuple[int, bool], int] = {}
        self._rests: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._next)

    def due_at(self, assistant: int, now: int, *, room: bool = True, sends: bool = True) -> int:
        """Returns when a message may go. Up to `now` means that it goes now.

        Args:
            assistant: Whose message.
            now: The time.
            room: Whether one more can be in hand at all.
            sends: Whether it is to be sent, or looked for, before what is only asked about.
        """
        free = max(self._next.get(assistant, 0), now - self._timings.burst_ms)
        if room and free <= now:
            self._next[assistant] = free + self._timings.each_every_ms
            return free
        at = max(self._queues.get((assistant, sends), 0), free, now + 1)
        self._queues[assistant, sends] = at + self._timings.each_every_ms
        return at

    def rest(self, assistant: int, now: int, at_least_s: float = 0) -> None:
        """Leaves a carrier alone for a while that could not be asked.

        What was under way when the rest began may fail too, and makes it no longer.
        """
        rest, until = self._rests.get(assistant, (self._timings.first_rest_ms // 2, now))
        if until <= now:
            rest = min(2 * rest, self._timings.longest_rest_ms)
            until = now + rest
        until = max(until, now + round(at_least_s * 1000))
        self._rests[assistant] = rest, until
        self._next[assistant] = max(self._next.get(assistant, 0), until)

    def well(self, assistant: int) -> None:
        """Notes that a carrier could be asked."""
        self._rests.pop(assistant, None)

    def forget_idle(self, now: int) -> None:
        """Drops what would make no difference."""
        idle = now - self._timings.burst_ms
        for assistant in [a for a, time in self._next.items() if time < idle]:
            del self._next[assistant]
        for queue in [queue for queue, end in self._queues.items() if end < now]:
            del self._queues[queue]


class Reconciler:
    """Runs beside everything else; see the module."""

    def __init__(self, database: Database, pool: CarrierPool, terms: Terms) -> None:
        self._database = database
        self._pool = pool
        self._terms = terms
        self._timings = terms.timings
        self._turns = AssistantTurns(self._timings)
        self._in_hand: Counter[int] = Counter()
        self._busy: set[int] = set()
        self._bell = trio.Event()

    def note(self, facts: Sequence[Fact]) -> None:
        """Looks at once where a message may leave that had to wait. Subscribes to the bus."""
        if any(releases(fact) for fact in facts):
            self._bell.set()

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled, or until the store is closed."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                self._bell = trio.Event()
                try:
                    pause = await self._round(nursery)
                except StorageUnavailable as error:
                    _log.warning("round_failed", reason=error.reason)
                    pause = self._timings.storage_pause_s
                except StoreClosed:
                    nursery.cancel_scope.cancel()
                    return
                with trio.move_on_after(pause):
                    await self._bell.wait()
                    await trio.sleep(self._timings.shortest_sleep_s)

    async def work_off(self) -> None:
        """Works on everything that is due now, and returns when that is done."""
        async with trio.open_nursery() as nursery:
            await self._round(nursery)

    async def _round(self, nursery: trio.Nursery) -> float:
        """Works on what is due. Returns the seconds until more is due, bounded."""
        now = self._terms.now_ms()

        def look(tx: Tables) -> tuple[list[Message], list[Message]]:
            return tx.carrier_queue.to_poll(now, SWEEP), tx.carrier_queue.ready(SWEEP)

        due, ready = await self._database.read(look)
        self._turns.forget_idle(now)
        chosen, later = self._choose([*ready, *due], now)
        timings = self._timings
        worked_s = self._terms.deadline_s + timings.patience_s
        until = now + round(worked_s * 1000) + timings.margin_ms
        if chosen or later:

            def take(tx: Tables) -> list[tuple[Message, bool]]:
                for message, time in later:
                    carrier_reports.delayed(tx, message, time)
                leases = (carrier_reports.leased(tx, message, now, until) for message in chosen)
                return [lease for lease in leases if lease is not None]

            for message, untried in await self._database.write(take):
                self._begin(message)
                nursery.start_soon(partial(self._work, message, untried=untried))
        if max(len(due), len(ready)) >= SWEEP:
            return timings.shortest_sleep_s
        following = await self._database.read(lambda tx: tx.carrier_queue.next_poll())
        longest_s = timings.longest_sleep_s
        wait_s = longest_s if following is None else (following - now) / 1000
        return min(max(wait_s, timings.shortest_sleep_s), longest_s)

    def _choose(
        self, messages: list[Message], now: int
    ) -> tuple[list[Message], list[tuple[Message, int]]]:
        """Returns what to work on now, and what to come back to at which time."""
        chosen, later = [], []
        in_hand = self._in_hand.copy()
        for message in sorted(messages, key=lambda one: one.carrier_id is not None):
            assistant = message.assistant or 0
            room = in_hand[assistant] < EACH_AT_ONCE and message.id not in self._busy
            sends = message.carrier_id is None
            due = self._turns.due_at(assistant, now, room=room, sends=sends)
            if due <= now:
                in_hand[assistant] += 1
                chosen.append(message)
            else:
                later.append((message, max(due, now + 1_000)))
        return chosen, later

    def _begin(self, message: Message) -> None:
        self._busy.add(message.id)
        self._in_hand[message.assistant or 0] += 1

    def _end(self, message: Message) -> None:
        self._busy.discard(message.id)
        self._in_hand[message.assistant or 0] -= 1
        if not self._in_hand[message.assistant or 0]:
            del self._in_hand[message.assistant or 0]

    async def _work(self, message: Message, *, untried: bool) -> None:
        """Moves one message on, whatever its carrier does. A fault of it ends here."""
        try:
            step = await self._step(message, untried=untried)
            changed = await self._database.write(lambda tx: step(tx, self._terms.now_ms()))
            _log.info(
                "message_looked_at", message=message.id, org=message.org, status=changed.status
            )
        except StoreError as error:
            # It stays due, and is taken in hand again.
            _log.warning("look_failed", message=message.id, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one message must not end the care for all others
            _log.error("look_failed", message=message.id, error=type(error).__name__)
        finally:
            self._end(message)

    async def _step(self, message: Message, *, untried: bool) -> Step:
        """Asks the carrier about a message, or hands it over. Returns what to store of that."""
        polls = self._timings.polls
        number = message.assistant or 0
        assistant = await self._database.read(lambda tx: tx.assistants.get(number))
        known = untried or message.carrier_id is not None
        if assistant is None or not (
            known or is_of_account(message, self._pool.account_mark(assistant))
        ):
            reason = _REMOVED if assistant is None else _OTHER_ACCOUNT
            return lambda tx, _: carrier_reports.orphaned(tx, message, reason, untried=untried)
        try:
            async with self._pool.hold(assistant, patience_s=self._timings.patience_s) as carrier:
                if untried:
                    return await self._hand_over(carrier, message)
                if message.carrier_id is not None:
                    return await self._fetch(carrier, message, message.carrier_id)
                return await self._find(carrier, message)
        except (Throttled, NoAccount) as error:
            reason = str(error)
            self._turns.rest(number, self._terms.now_ms())
            if untried:
                return lambda tx, now: carrier_reports.postponed(
                    tx, message, reason, now, polls=polls
                )
            return lambda tx, now: carrier_reports.polled(tx, message, now, polls=polls)

    async def _hand_over(self, carrier: Carrier, message: Message) -> Step:
        polls = self._timings.polls
        outcome = await hand_over(
            carrier,
            outbound(message),
            deadline_s=self._terms.deadline_s,
            others=lambda: other_ids(self._database, message),
            now_ms=self._terms.now_ms,
            closing=self._pool.closing,
            timings=self._timings,
        )
        self._pool.health.note(message.assistant or 0, message.provider, outcome)
        if isinstance(outcome, NotAccepted):
            self._rest(message, outcome.retry_after_s)
        else:
            self._turns.well(message.assistant or 0)
        return lambda tx, now: store_outcome(tx, message, outcome, now, polls=polls)

    async def _fetch(self, carrier: Carrier, message: Message, carrier_id: str) -> Step:
        polls = self._timings.polls
        try:
            found = await carrier.fetch(carrier_id, deadline_s=self._terms.deadline_s)
        except NotTaken as error:
            pause_s = error.retry_after_s or 0
            self._rest(message, pause_s)
            return lambda tx, now: carrier_reports.polled(
                tx, message, now, polls=polls, at_least_s=pause_s
            )
        self._turns.well(message.assistant or 0)
        return lambda tx, now: _advanced(tx, message, found, now, polls)

    async def _find(self, carrier: Carrier, message: Message) -> Step:
        """Looks for a message at its carrier, which may or may not have it."""
        polls = self._timings.polls
        tried_at = message.pushed_at or message.created_at
        if message.status == SENDING:
            # The gateway ended while it was tried, some time before the deadline of that.
            tried_at += round(self._terms.deadline_s * 1000)
        asked = outbound(
            message, tried_at=tried_at, others=await other_ids(self._database, message)
        )
        pause_s = 0.0
        try:
            found = await carrier.find(asked, deadline_s=self._terms.deadline_s)
        except NotTaken as error:
            reason, pause_s = error.reason, error.retry_after_s or 0
            self._rest(message, pause_s)
        except OutcomeUnknown as error:
            reason = error.reason
        else:
            self._turns.well(message.assistant or 0)
            if found is not None:
                return lambda tx, now: _found(tx, message, found, now, polls)
            if carrier_reports.is_promised(message):
                return lambda tx, now: carrier_reports.postponed(
                    tx, message, _NEVER, now, polls=polls
                )
            return lambda tx, _: carrier_reports.rejected(tx, message, _NEVER)
        if message.status == SENDING:
            return lambda tx, now: carrier_reports.lost_track(
                tx, message, reason, tried_at, now, polls=polls, at_least_s=pause_s
            )
        return lambda tx, now: carrier_reports.polled(
            tx, message, now, polls=polls, at_least_s=pause_s
        )

    def _rest(self, message: Message, at_least_s: float | None) -> None:
        self._turns.rest(message.assistant or 0, self._terms.now_ms(), at_least_s or 0)


def _advanced(
    tx: Tables, message: Message, found: CarrierMessage | None, now: int, polls: PollTimings
) -> Message:
    polled = carrier_reports.polled(tx, message, now, polls=polls)
    return polled if found is None else carrier_reports.progressed(tx, polled, found, now)


def _found(
    tx: Tables, message: Message, found: CarrierMessage, now: int, polls: PollTimings
) -> Message:
    # What was found may have been found for another one meanwhile: then look again, later.
    return carrier_reports.accepted(tx, message, found, now, polls=polls) or carrier_reports.polled(
        tx, message, now, polls=polls
    )
