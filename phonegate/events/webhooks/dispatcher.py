"""Delivers events to webhooks: a service that runs as long as the gateway.

What waits is in the database. Of each webhook that has something to deliver there is a line in
memory and one task, which takes new events up, finds what is due and waits. Calls are made where
`slots` has room, so that receivers that hang or fail take nothing from those that work.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.events.webhooks import uptake
from phonegate.events.webhooks.courier import Attempted, Courier
from phonegate.events.webhooks.line import Line
from phonegate.events.webhooks.slots import SLOW_S, Slot, Slots, Turns
from phonegate.model.facts import EventsRecorded, Fact, OrgChanged, WebhooksChanged
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.webhooks import Webhook
from phonegate.store.database import Database
from phonegate.store.deliveries import Due

TAKEN_AT_ONCE: Final = 200
"""Events that one write takes up: some 2 ms of the writer's time."""

FEW_AT_ONCE: Final = 20
"""The same for a webhook that is called once at a time, as it is new or fails. A hundred that are
dead would else write down a hundred times what happens, and never send it."""

FOR_EVER: Final = float("inf")

_log = log.get("webhooks")


@attrs.frozen(kw_only=True)
class DispatcherTimings:
    """The waits of the dispatcher. Tests pass others."""

    look_s: float = 60.0
    """The longest rest of a webhook that waits for its next try, since the wall clock by which
    tries are planned may be set anew."""
    trouble_s: float = 5.0
    """After a failure of the gateway's own, as when the disk is full."""
    goodbye_s: float = 2.0
    """For calls under way when the gateway stops."""


DISPATCHER_TIMINGS: Final = DispatcherTimings()


class Dispatcher:
    """Delivers events. `run` is its task, and `note` subscribes to the bus.

    Args:
        database: Where webhooks, events and deliveries are.
        courier: Calls receivers and stores what comes of it.
        calls_at_once: How many calls may be under way.
        now_ms: The wall clock.
        timings: How long it waits for what.
    """

    def __init__(
        self,
        database: Database,
        courier: Courier,
        *,
        calls_at_once: int,
        now_ms: Callable[[], int],
        timings: DispatcherTimings = DISPATCHER_TIMINGS,
    ) -> None:
        self._database = database
        self._courier = courier
        self._now_ms = now_ms
        self._timings = timings
        self._slots = Slots(calls_at_once)
        self._turns: Turns[Line] = Turns(self._slots)
        self._lines: dict[int, dict[int, Line]] = {}
        """By org and webhook."""
        self._tended: dict[Line, trio.Event] = {}
        """The lines that have a task, and what wakes it."""
        self._changed: dict[int, bool] = {}
        """Orgs that have changed, and whether what rests of theirs is tried again."""
        self._wake = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._stopping = False
        self._delivering = 0
        """How many calls are under way, or their results being stored."""
        self._idle = trio.Event()

    # -- what it is called with

    def note(self, facts: Sequence[Fact]) -> None:
        """Takes note of new events, and of webhooks that have changed."""
        for fact in facts:
            if type(fact) is EventsRecorded:
                now = trio.current_time()
                for line in self._lines.get(fact.org, _NONE).values():
                    line.behind = True
                    if line.is_hungry(now):
                        self._poke(line)
            elif type(fact) is WebhooksChanged:
                self._changed[fact.org] = self._changed.get(fact.org, False) or fact.again
                self._wake.set()
            elif type(fact) is OrgChanged and fact.org in self._lines:
                # An org changes also by its keys, and those don't help a receiver that fails.
                self._changed.setdefault(fact.org, False)
                self._wake.set()

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return self._slots.used

    async def close(self) -> None:
        """Begins no more calls, and gives those under way a moment. The rest is cut off."""
        self._stopping = True
        if self._delivering:
            self._idle = trio.Event()
            with trio.move_on_after(self._timings.goodbye_s):
                await self._idle.wait()

    # -- its tasks

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                self._nursery.start_soon(self._age)
                await self._load(None, again=True)
                while True:
                    await self._wake.wait()
                    self._wake = trio.Event()
                    changed, self._changed = self._changed, {}
                    for org, again in changed.items():
                        await self._load(org, again=again)
        finally:
            self._nursery = None
            with trio.move_on_after(self._timings.goodbye_s, shield=True):
                await self._courier.aclose()

    async def _age(self) -> None:
        """Looks for calls that take long, and makes room for others beside them."""
        while True:
            await trio.sleep(SLOW_S / 2)
            if self._slots.age(trio.current_time()):
                self._begin()

    async def _load(self, org: int | None, *, again: bool) -> None:
        """Reads the webhooks of an org, or all, until that succeeds."""
        while True:
            try:
                found = await self._database.read(lambda tx: uptake.active(tx, org))
            except StoreClosed:
                return
            except StorageUnavailable as error:
                _log.warning("webhooks_unread", reason=error.reason)
                await trio.sleep(self._timings.trouble_s)
            else:
                break
        by_org: dict[int, list[Webhook]] = {} if org is None else {org: []}
        for webhook in found:
            by_org.setdefault(webhook.org, []).append(webhook)
        for one, webhooks in by_org.items():
            self._update(one, webhooks, again=again)

    def _update(self, org: int, webhooks: Sequence[Webhook], *, again: bool) -> None:
        lines = self._lines.setdefault(org, {})
        current = {webhook.id for webhook in webhooks}
        for gone in lines.keys() - current:
            line = lines.pop(gone)
            line.removed = True
            line.put_off()
            self._turns.discard(line)
            self._poke(line)
        for webhook in webhooks:
            known = lines.get(webhook.id)
            if known is None:
                known = lines[webhook.id] = Line(webhook)
            elif again or known.webhook != webhook:
                known.change(webhook)
                self._turns.discard(known)
            self._poke(known)
        if not lines:
            del self._lines[org]

    def _poke(self, line: Line) -> None:
        """Has a line look for something to do."""
        waking = self._tended.get(line)
        if waking is not None:
            waking.set()
        elif self._nursery is not None and not line.removed and not self._stopping:
            self._tended[line] = trio.Event()
            self._nursery.start_soon(self._tend, line)

    async def _tend(self, line: Line) -> None:
        try:
            while not (line.removed or self._stopping):
                self._tended[line] = trio.Event()
                try:
                    until = await self._advance(line)
                except StoreClosed:
                    return
                except Exception as error:  # noqa: BLE001 - one webhook must not cost the others
                    self._report(line.webhook, error)
                    until = trio.current_time() + self._timings.trouble_s
                if until is None:
                    return
                with trio.move_on_at(until):
                    await self._tended[line].wait()
        finally:
            del self._tended[line]

    async def _advance(self, line: Line) -> float | None:
        """Takes up and begins what can be. Returns until when there is nothing to do but to wait.

        None means that nothing waits at all.
        """
        now = trio.current_time()
        if now < line.rests_until:
            return min(line.rests_until, now + self._timings.look_s)
        if line.wanted:
            if line.dry:
                await self._take(line)
            if not await self._fill(line) or (line.wanted and line.dry and line.may_take):
                return now
        # The end of a call wakes it.
        return FOR_EVER if line.at_hand else await self._next_look(line)

    async def _fill(self, line: Line) -> bool:
        """Has the line what is due. Returns whether that is all for now."""
        line.look()
        limit = line.wanted + line.at_hand
        found = await self._database.read(
            lambda tx: uptake.due(tx, line.webhook, self._now_ms(), limit)
        )
        if line.removed or trio.current_time() < line.rests_until:
            return False
        line.dry = len(found) < limit
        lost = line.add(found)
        self._offer(line)
        if lost:
            await self._courier.drop(line.webhook, lost)
        return not lost

    async def _next_look(self, line: Line) -> float | None:
        """Returns when a line with nothing at hand has something to do. None where nothing waits.

        It is looked at again before that, since the clock may be set anew meanwhile.
        """
        now = trio.current_time()
        if line.may_take:
            return now
        clock = self._now_ms()
        next_at = await self._database.read(
            lambda tx: tx.deliveries.next_due(line.webhook.id, clock)
        )
        if next_at is None:
            # Nothing is left whose end would say that there is room again.
            line.full = False
            return now if line.behind else None
        wait_s = max(0.0, (next_at - clock) / 1000)
        return now + min(wait_s, self._timings.look_s)

    async def _take(self, line: Line) -> None:
        """Takes new events up, as far as there is room for them to wait."""
        limit = TAKEN_AT_ONCE if line.standing == "working" else FEW_AT_ONCE
        while line.may_take:
            line.behind = False
            taken = await self._database.write(
                lambda tx: uptake.take(tx, line.webhook, limit, self._now_ms()),
                patient=line.at_hand > 0,
            )
            if taken is None:
                line.behind = line.full = True
                return
            if taken.missed:
                _log.warning(
                    "webhook_missed_events", org=line.webhook.org_name, webhook=line.webhook.id
                )
            line.behind = line.behind or taken.looked_at > 0
            if taken.waiting:
                # Sending begins before all is taken up.
                return

    def _offer(self, line: Line) -> None:
        if line.is_waiting:
            self._turns.add(line)
            self._begin()

    def _begin(self) -> None:
        """Begins as many calls as there is room for."""
        while self._nursery is not None and not self._stopping:
            found = self._turns.next(trio.current_time())
            if found is None:
                return
            line, slot = found
            due = line.start()
            self._delivering += 1
            self._nursery.start_soon(self._deliver, line, due, slot)
            if line.is_waiting:
                self._turns.add(line)

    async def _deliver(self, line: Line, due: Due, slot: Slot) -> None:
        webhook = line.webhook
        try:
            done = await self._attempt(line, webhook, due, slot)
            self._learn(line, done)
            await self._courier.store(webhook, due, done)
        except StoreClosed:
            return
        except Exception as error:  # noqa: BLE001 - one webhook must not cost the others
            # It stays due. Without a pause it would be delivered again and again.
            self._report(webhook, error)
            line.rests_until = trio.current_time() + self._timings.trouble_s
            line.put_off()
        finally:
            line.end(due.delivery.n)
            self._offer(line)
            self._poke(line)
            self._delivering -= 1
            if not self._delivering:
                # What was delivered and not noted would be delivered again after the start.
                self._idle.set()

    async def _attempt(self, line: Line, webhook: Webhook, due: Due, slot: Slot) -> Attempted:
        try:
            result = await self._courier.call(webhook, due, line.standing)
        finally:
            self._slots.give_back(slot)
            self._begin()
        return await self._courier.conclude(webhook, due, result, line.failing_since)

    def _learn(self, line: Line, done: Attempted) -> None:
        if done.succeeded:
            line.note_success()
        else:
            next_try = None
            if done.next_at is not None:
                wait_s = (done.next_at - self._now_ms()) / 1000
                next_try = trio.current_time() + max(0.0, wait_s)
            line.note_failure(
                done.attempt.at,
                status=done.attempt.status,
                asked=done.answered_in_trouble,
                next_try=next_try,
            )
        # It may have another standing now. It is offered again once this call has ended.
        self._turns.discard(line)

    def _report(self, webhook: Webhook, error: Exception) -> None:
        if isinstance(error, StorageUnavailable):
            _log.warning("webhook_unstored", org=webhook.org_name, webhook=webhook.id)
        else:
            _log.error("webhook_failed", org=webhook.org_name, webhook=webhook.id, exc_info=error)


_NONE: Final[dict[int, Line]] = {}
