"""Pulls a phone's due messages from the database as its room and its SIMs' pacing allow.

The database is the queue: nothing is held here but what an earlier link left open. A lane is
one of its queues, messages that ask for the same SIM in the same words; a SIM of this phone
serves several. A SIM is *behind* from the moment that something may wait for it until its
lanes were seen empty; while it is, no new message may overtake.
"""

from collections.abc import Collection, Iterable, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Final

import attrs
import trio

from phonegate import log
from phonegate.domain import delivery
from phonegate.domain.delivery import Pick
from phonegate.model.messages import Candidate, Message
from phonegate.model.phones import ANY_SIM, Sim
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.phones.worker import FOREVER, Worker
from phonegate.store.tables import Tables

if TYPE_CHECKING:
    from phonegate.phones.session import Session

READ_AHEAD: Final = 250
"""Candidates read from a lane at a time: a lease of so many takes the writer some 5 ms."""

GATHER_S: Final = 0.05
"""How long little room is left unused, so that it becomes more: each helping of messages costs a
read and a commit, however small it is."""

STORAGE_PAUSE_S: Final = 2.0
"""Wait before another try when the disk refuses."""

SHORTEST_SLEEP_S: Final = 0.01
"""Bucket times are whole ms; waking too early by rounding must not become a busy loop."""

_log = log.get("phones")


@attrs.frozen
class _Lane:
    phone: int | None
    sim_selector: str


@attrs.frozen
class _Choice:
    """A candidate whose room and segments are taken, and the SIM it will leave by."""

    candidate: Candidate
    sim: Sim | None


class Feeder:
    """What one session knows of its queues, and the work of feeding its phone from them."""

    __slots__ = ("_behind", "_left_open", "_scarce_since", "_session", "_wakes", "worker")

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.worker: Worker
        """Calls `work`."""
        self._wakes = 0
        self._scarce_since: float | None = None
        self._behind: set[int | None] = {None}
        self._left_open: list[Message] = []

    def wake(self) -> None:
        """Says that messages may wait for any SIM of this phone."""
        self._wakes += 1
        self._behind = {_slot(sim) for sim in self._sims()}
        self.worker.call()

    def make_room(self) -> None:
        """Says that the window has more room."""
        if not (self._behind or self._left_open):
            return
        # Else it naps already, until there is more.
        if self._scarce_since is None or self._plenty:
            self.worker.call()

    def resume(self, messages: Iterable[Message]) -> None:
        """Takes what an earlier link left open; it goes before everything queued."""
        self._left_open.extend(messages)
        self.wake()

    @property
    def left_open(self) -> frozenset[int]:
        """The messages of an earlier link that have not been pushed again yet."""
        return frozenset(message.id for message in self._left_open)

    def leave_open(self) -> None:
        """Pushes nothing again of what an earlier link left open: it was another phone's."""
        self._left_open = []

    def forget(self, message: int) -> None:
        """Pushes a message not again that nobody waits for any more; it may leave as another."""
        self._left_open = [m for m in self._left_open if m.id != message]

    def is_behind(self, sim: Sim | None) -> bool:
        """Whether older messages may wait for this SIM."""
        takes_new = self._session.protocol.takes_new
        return _slot(sim) in self._behind or bool(self._left_open) or not takes_new

    def serves(self, phone: int | None, sim_selector: str) -> bool:
        """Whether one of this phone's lanes is that of `phone` and `sim_selector`."""
        lane = _Lane(phone, sim_selector)
        return any(lane in self._lanes_of(sim) for sim in self._sims())

    def queues(self, sim: Sim | None) -> tuple[tuple[tuple[int | None, str], ...], tuple[int, ...]]:
        """The lanes of a SIM, and the segments of each message that goes before what is there."""
        lanes = tuple((lane.phone, lane.sim_selector) for lane in self._lanes_of(sim))
        first = (m for m in self._left_open if _slot(self._session.sim_of(m)) == _slot(sim))
        return lanes, tuple(message.segments or 1 for message in first)

    async def work(self) -> float:
        """Feeds what can leave now; answers when to come again."""
        try:
            return max(await self._feed(), SHORTEST_SLEEP_S)
        except StorageUnavailable as error:
            _log.warning("feeding_failed", phone=self._session.phone, reason=error.reason)
            return STORAGE_PAUSE_S
        except StoreClosed:
            return FOREVER

    async def _feed(self) -> float:
        """Pushes what can leave now; returns the seconds until a SIM may send again."""
        while True:
            waits = self._push_left_open()
            protocol = self._session.protocol
            if self._session.parting or protocol.room == 0 or not protocol.takes_new:
                # Others took the little room that it waited with: the next has to call it.
                self._scarce_since = None
                return FOREVER
            wakes = self._wakes
            ready = self._ready(waits)
            if not ready:
                return min(waits.values(), default=FOREVER)
            if (pause := self._until_worthwhile()) > 0:
                return min([pause, *waits.values()])
            queues = await self._read(ready)
            if self._session.parting:
                # What it took now would wait for its return, though others may send it.
                return FOREVER
            choices = self._choose(queues, waits)
            await self._lease(choices)
            if wakes == self._wakes:
                chosen = {choice.candidate.id for choice in choices}
                self._behind -= {
                    _slot(sim)
                    for sim, queue in queues.items()
                    if not queue.cut and all(c.id in chosen for c in queue.candidates)
                }
            if not choices and not self._behind - waits.keys():
                return min(waits.values(), default=FOREVER)

    def _ready(self, waits: dict[int | None, float]) -> list[Sim | None]:
        """The SIMs whose queues are worth a look; notes the waits of those that pacing stops."""
        ready = []
        for sim in self._sims():
            if _slot(sim) not in self._behind or _slot(sim) in waits:
                continue
            wait = self._wait_s(sim, 1)
            if wait > 0:
                waits[_slot(sim)] = wait
            else:
                ready.append(sim)
        return ready

    def _until_worthwhile(self) -> float:
        """Seconds to wait for more room, while the phone still has half a window to send."""
        if self._plenty:
            self._scarce_since = None
            return 0.0
        now = trio.current_time()
        if self._scarce_since is None:
            self._scarce_since = now
        left = self._scarce_since + GATHER_S - now
        if left > 0:
            return left
        self._scarce_since = None
        return 0.0

    @property
    def _plenty(self) -> bool:
        protocol = self._session.protocol
        return protocol.room * 2 >= protocol.window

    def _push_left_open(self) -> dict[int | None, float]:
        """Pushes again what an earlier link left open; returns the waits of SIMs that can't."""
        session = self._session
        waits: dict[int | None, float] = {}
        left_open, self._left_open = self._left_open, []
        now = session.now_ms()
        for message in left_open:
            if message.expires_at is not None and message.expires_at <= now:
                # It ran out while it waited for its SIM. The scheduler ends it.
                continue
            sim = session.sim_of(message)
            slot, segments = _slot(sim), message.segments or 1
            if slot not in waits and session.protocol.room > 0:
                if session.pacer.take(session.bucket(sim), session.rate_of(sim), segments):
                    session.protocol.reserve()
                    session.push(message)
                    continue
                waits[slot] = self._wait_s(sim, segments)
            self._left_open.append(message)
        return waits

    async def _read(self, sims: Sequence[Sim | None]) -> "dict[Sim | None, _Queue]":
        lanes = {sim: self._lanes_of(sim) for sim in sims}
        limit = min(self._session.protocol.room, READ_AHEAD)
        org = self._session.org

        def read(tx: Tables) -> dict[Sim | None, _Queue]:
            queues = {}
            for sim, its in lanes.items():
                found = [
                    tx.messages.candidates(
                        org, phone=lane.phone, sim_selector=lane.sim_selector, limit=limit
                    )
                    for lane in its
                ]
                # Each lane is in this order already: the more urgent first, then the older.
                queues[sim] = _Queue(
                    candidates=tuple(merge(*found, key=_turn)),
                    cut=any(len(some) == limit for some in found),
                )
            return queues

        if not any(lanes.values()):
            return dict.fromkeys(lanes, _Queue(candidates=(), cut=False))
        return await self._session.database.read(read)

    def _choose(
        self, queues: "dict[Sim | None, _Queue]", waits: dict[int | None, float]
    ) -> list[_Choice]:
        """Takes room and segments for what can leave now, in order for each SIM."""
        session = self._session
        choices: list[_Choice] = []
        for sim, queue in queues.items():
            for candidate in queue.candidates:
                if not session.protocol.reserve():
                    return choices
                rate = session.rate_of(sim)
                if not session.pacer.take(session.bucket(sim), rate, candidate.segments):
                    session.protocol.release()
                    waits[_slot(sim)] = self._wait_s(sim, candidate.segments)
                    break
                choices.append(_Choice(candidate, sim))
        return choices

    async def _lease(self, choices: Sequence[_Choice]) -> None:
        """Turns the chosen messages `sending` and pushes them, once that is committed."""
        if not choices:
            return
        session = self._session
        phone, now = session.phone, session.now_ms()
        picks = [
            Pick(
                id=choice.candidate.id,
                sim_slot=None if choice.sim is None else choice.sim.slot,
                sim=None if choice.sim is None else choice.sim.number,
            )
            for choice in choices
        ]
        leased: dict[int, Message] = {}
        try:
            for message in await session.database.write(
                lambda tx: delivery.lease(tx, phone, picks, now)
            ):
                leased[message.id] = message
        finally:
            for choice in choices:
                given = leased.get(choice.candidate.id)
                if given is not None:
                    session.push(given)
                    continue
                # Another phone was faster, it was cancelled, or the disk refused.
                session.protocol.release()
                session.pacer.give_back(
                    session.bucket(choice.sim),
                    session.rate_of(choice.sim),
                    choice.candidate.segments,
                )
        if session.phone != phone and leased:
            # The phone turned out to be another while its messages were being leased.
            now_is = session.phone
            await session.database.write(lambda tx: move(tx, phone, now_is, leased))

    def _sims(self) -> Sequence[Sim | None]:
        return self._session.online.sims or (None,)

    def _lanes_of(self, sim: Sim | None) -> list[_Lane]:
        lanes = []
        if sim is not None:
            slot = str(sim.slot)
            lanes += [_Lane(self._session.phone, slot), _Lane(None, slot)]
            if sim.form is not None:
                lanes.append(_Lane(None, sim.form))
        if sim is self._sims()[0] and self._session.is_first:
            lanes.append(_Lane(None, ANY_SIM))
        return lanes

    def _wait_s(self, sim: Sim | None, segments: int) -> float:
        session = self._session
        return session.pacer.wait_s(session.bucket(sim), session.rate_of(sim), segments)


@attrs.frozen(kw_only=True)
class _Queue:
    """What waits for one SIM, as far as was read; `cut` where there may be more."""

    candidates: tuple[Candidate, ...]
    cut: bool


def move(tx: Tables, old: int, new: int, ids: Collection[int] | None = None) -> None:
    """Gives a phone's unanswered messages to another row, which it turned out to be.

    `ids` are those to move; None is all of them.
    """
    for message in tx.messages.unsettled(old):
        if ids is None or message.id in ids:
            tx.messages.set(message.id, phone=new)


def _slot(sim: Sim | None) -> int | None:
    return None if sim is None else sim.slot


def _turn(candidate: Candidate) -> tuple[int, int]:
    return -candidate.priority, candidate.id
