"""Pulls a phone's due messages from the database as its window and its SIMs' pacing allow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.delivery import Pick
from phonegate.domain.phone_delivery import PhoneDelivery, SimQueue
from phonegate.model.messages import Candidate, Leased, Message
from phonegate.model.phones import Sim
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.reservations import Reservations
from phonegate.phones.send_order import SendOrder, slot_of
from phonegate.phones.state import LeasedBefore, PhoneState
from phonegate.phones.worker import FOREVER, Worker

READ_AHEAD: Final = 250
"""Candidates read from a queue at a time: a lease of so many takes the writer some 5 ms."""

SHORTEST_SLEEP_S: Final = 0.01
"""Bucket times are whole ms, and waking too early by rounding must not become a busy loop."""

_log = log.get("phones")


@attrs.frozen
class _Choice:
    """A candidate whose place is reserved, and the SIM it will leave by."""

    candidate: Candidate
    sim: Sim | None


class Feeder:
    """The work of feeding one phone from its queues."""

    __slots__ = (
        "_delivery",
        "_follow",
        "_now_ms",
        "_order",
        "_push",
        "_reservations",
        "_scarce_since",
        "_state",
        "_timings",
        "_wakes",
        "worker",
    )

    def __init__(
        self,
        state: PhoneState,
        order: SendOrder,
        reservations: Reservations,
        delivery: PhoneDelivery,
        *,
        push: Callable[[Message | Leased], None],
        follow: Callable[[LeasedBefore], None],
        now_ms: Callable[[], int],
        timings: PhoneTimings,
    ) -> None:
        """Makes the feeder of one phone.

        Args:
            state: The phone.
            order: What goes first.
            reservations: What there is room for.
            delivery: Where messages are leased.
            push: Sends a message whose place is reserved, once that is committed.
            follow: Takes note of messages that have to follow the phone to another row.
            now_ms: The wall clock.
            timings: How long it waits for room, and for the disk.
        """
        self._state = state
        self._order = order
        self._reservations = reservations
        self._delivery = delivery
        self._push = push
        self._follow = follow
        self._now_ms = now_ms
        self._timings = timings
        self.worker: Worker
        """Calls `work`."""
        self._wakes = 0
        self._scarce_since: float | None = None

    def wake(self) -> None:
        """Looks for messages, which may wait for any SIM of this phone."""
        self._wakes += 1
        self._order.fall_behind()
        self.worker.call()

    def caught_up(self) -> None:
        """Notes that nothing waits for any SIM, as was seen elsewhere: it needs no look."""
        self._order.catch_up()

    def use_room(self) -> None:
        """Looks for messages if any may wait, now that the window has more room."""
        if not (self._order.behind or self._order.left_open):
            return
        # Otherwise it waits already, until there is more.
        if self._scarce_since is None or self._plenty:
            self.worker.call()

    def resume(self, messages: Iterable[Message]) -> None:
        """Takes what an earlier link left open, which goes before everything queued."""
        self._order.left_open.extend(messages)
        self.wake()

    async def work(self) -> float:
        """Feeds what can leave now. Returns after how many seconds to come again."""
        try:
            return max(await self._feed(), SHORTEST_SLEEP_S)
        except StorageUnavailable as error:
            _log.warning("feeding_failed", phone=self._state.phone, reason=error.reason)
            return self._timings.feeding_pause_s
        except StoreClosed:
            return FOREVER

    async def _feed(self) -> float:
        """Pushes what can leave now. Returns the seconds until a SIM may send again."""
        order = self._order
        while True:
            waits = self._push_left_open()
            if not self._reservations.open:
                # Others took the little room that it waited with: the next has to call it.
                self._scarce_since = None
                return FOREVER
            wakes = self._wakes
            ready = self._ready(waits)
            if not ready:
                return min(waits.values(), default=FOREVER)
            if (pause := self._until_worthwhile()) > 0:
                return min([pause, *waits.values()])
            limit = min(self._state.window.free, READ_AHEAD)
            queues = {sim: order.queues_of(sim) for sim in ready}
            waiting = await self._delivery.waiting(self._state.org, queues, limit)
            if self._reservations.stopped:
                # What it took now would wait for its return, though others may send it.
                return FOREVER
            choices = self._choose(waiting, waits)
            await self._lease(choices)
            if wakes == self._wakes:
                chosen = {choice.candidate.id for choice in choices}
                order.behind -= {
                    slot_of(sim)
                    for sim, its in waiting.items()
                    if not its.is_cut and all(c.id in chosen for c in its.candidates)
                }
            if not choices and not order.behind - waits.keys():
                return min(waits.values(), default=FOREVER)

    def _ready(self, waits: dict[int | None, float]) -> list[Sim | None]:
        """Returns the SIMs whose queues are worth a read, and notes how long others wait."""
        ready = []
        for sim in self._order.sims:
            if slot_of(sim) not in self._order.behind or slot_of(sim) in waits:
                continue
            wait = self._reservations.wait_s(sim, 1)
            if wait > 0:
                waits[slot_of(sim)] = wait
            else:
                ready.append(sim)
        return ready

    def _until_worthwhile(self) -> float:
        """Returns the seconds to wait for more room. The phone has half a window to send."""
        if self._plenty:
            self._scarce_since = None
            return 0.0
        now = trio.current_time()
        if self._scarce_since is None:
            self._scarce_since = now
        left = self._scarce_since + self._timings.gather_s - now
        if left > 0:
            return left
        self._scarce_since = None
        return 0.0

    @property
    def _plenty(self) -> bool:
        window = self._state.window
        return window.free * 2 >= window.width

    def _push_left_open(self) -> dict[int | None, float]:
        """Pushes again what an earlier link left open. Returns the waits of SIMs that can't."""
        order, state, reservations = self._order, self._state, self._reservations
        waits: dict[int | None, float] = {}
        left_open, order.left_open = order.left_open, []
        now = self._now_ms()
        for message in left_open:
            if message.expires_at is not None and message.expires_at <= now:
                # It ran out while it waited for its SIM. The scheduler ends it.
                continue
            sim = state.sim_of(message)
            slot, segments = slot_of(sim), message.segments or 1
            if slot not in waits and state.window.free > 0:
                if reservations.reserve_next(sim, segments):
                    self._push(message)
                    continue
                waits[slot] = self._wait_s(sim, segments)
            order.left_open.append(message)
        return waits

    def _choose(
        self, waiting: Mapping[Sim | None, SimQueue], waits: dict[int | None, float]
    ) -> list[_Choice]:
        """Reserves places for what can leave now, in order for each SIM."""
        choices: list[_Choice] = []
        for sim, its in waiting.items():
            for candidate in its.candidates:
                if self._state.window.free == 0:
                    return choices
                if not self._reservations.reserve_next(sim, candidate.segments):
                    waits[slot_of(sim)] = self._wait_s(sim, candidate.segments)
                    break
                choices.append(_Choice(candidate, sim))
        return choices

    def _wait_s(self, sim: Sim | None, segments: int) -> float:
        """Returns the seconds until a message may leave that can't now.

        A long one may wait for others of its kind. What frees their room calls the feeder.
        """
        if not self._reservations.has_room(segments):
            return FOREVER
        return self._reservations.wait_s(sim, segments)

    async def _lease(self, choices: Sequence[_Choice]) -> None:
        """Turns the chosen messages `sending` and pushes them, once that is committed."""
        if not choices:
            return
        state = self._state
        phone = state.phone
        picks = [
            Pick(
                id=choice.candidate.id,
                sim_slot=slot_of(choice.sim),
                sim=None if choice.sim is None else choice.sim.number,
            )
            for choice in choices
        ]
        leased: dict[int, Leased] = {}
        try:
            leased = {message.id: message for message in await self._delivery.lease(phone, picks)}
        finally:
            for choice in choices:
                if (given := leased.get(choice.candidate.id)) is not None:
                    self._push(given)
                else:
                    # Another phone was faster, it was cancelled, or the disk refused.
                    self._reservations.release(choice.sim, choice.candidate.segments)
        if state.phone != phone and leased:
            # The phone turned out to be another while its messages were being leased.
            self._follow(LeasedBefore(phone, leased))
