"""What phones are given and what they report, each step as one transaction.

`delivery` says what becomes of one message. Here stands what a connected phone asks for as a whole:
its queues, its leases, what it must be given again, and its reports.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from heapq import merge
from typing import Final, Literal, TypeVar

import attrs

from phonegate.domain import announced_mms, delivery, inbox, phone_events
from phonegate.domain.delivery import Pick, Policy
from phonegate.domain.inbox import Received
from phonegate.domain.plain_reports import PlainReports, RecordPlainReports
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reception import Reception
from phonegate.model.messages import Candidate, Leased, Message, Queue
from phonegate.model.phones import Health, Sim
from phonegate.store.database import Database
from phonegate.store.tables import Tables

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

Outcome = Literal["recorded", "unknown", "not_yours"]
"""What came of a report on a message. `unknown`: no phone of the org was ever given it.
`not_yours`: another phone was."""


@attrs.frozen(kw_only=True)
class SimQueue:
    """What waits for one SIM, the most urgent first and then the oldest, as far as was read."""

    candidates: tuple[Candidate, ...] = ()
    is_cut: bool = False
    """There may be more."""


@attrs.frozen(kw_only=True)
class Reporter:
    """The phone that reports, as it is known by then."""

    org: int
    phone: int
    device_id: str | None = None
    link: inbox.SourceLink | None = None
    """Its connection, if its phone was in doubt when it reported something."""

    def takes_company(self, groups: Sequence[Sequence[Received]]) -> bool:
        """Tells whether received SMS can be stored together with those of others."""
        return self.link is None and all(map(Reception.takes, groups))


class PhoneReports:
    """The reports of one phone, within one transaction."""

    def __init__(self, tx: Tables, reporter: Reporter, now: int, rate_limits: RateLimits) -> None:
        self._tx = tx
        self._by = reporter
        self._now = now
        self._rate_limits = rate_limits

    def acknowledge_all(self, ids: Sequence[int]) -> bool:
        """Acknowledges many messages at once, if each of these reports is new."""
        by = self._by
        return delivery.acknowledge_all(self._tx, by.org, by.phone, ids, self._now)

    def all_sent(self, results: Sequence[tuple[int, int | None]]) -> bool:
        """Records many results of success at once, ids with segments, if each was awaited."""
        by = self._by
        return delivery.apply_sent_results(self._tx, by.org, by.phone, results, self._now)

    def acknowledge(self, message_id: int) -> Outcome:
        """Notes that the phone has written a message down."""
        by = self._by
        found = delivery.acknowledge(self._tx, by.org, by.phone, message_id, self._now)
        return self._outcome(found, message_id)

    def result(
        self,
        message_id: int,
        *,
        success: bool,
        error: str | None,
        segments: int | None,
        uncertain: bool,
    ) -> Outcome:
        """Records what came of sending a message."""
        by = self._by
        found = delivery.apply_result(
            self._tx,
            by.org,
            by.phone,
            message_id,
            success=success,
            error=error,
            segments=segments,
            uncertain=uncertain,
            now=self._now,
        )
        return self._outcome(found, message_id)

    def delivered(self, message_id: int, *, delivered: bool, date: int | None) -> Outcome:
        """Records what the recipient's network reported."""
        by, now = self._by, self._now
        found = delivery.confirm(
            self._tx, by.org, by.phone, message_id, delivered=delivered, date=date, now=now
        )
        return self._outcome(found, message_id)

    def note_health(self, health: Health) -> None:
        """Notes how the phone says that it is."""
        self._tx.phones.note_health(self._by.phone, health, self._now)
        phone_events.record(self._tx, "phone.health", self._by.phone, self._now, online=True)

    def receive(self, items: Sequence[Received]) -> tuple[int, ...]:
        """Stores received SMS, each once. Returns the id of each.

        Raises:
            StorageSpent, DiskLow: The org may store no more just now.
        """
        by = self._by
        receipt = inbox.receive(
            self._tx,
            by.org,
            items,
            phone=by.phone,
            device_id=by.device_id,
            now=self._now,
            rate_limits=self._rate_limits,
            link=by.link,
        )
        return receipt.ids

    def receive_mms(self, item: Received) -> None:
        """Stores an MMS, in place of its announcement if there was one.

        Raises:
            StorageSpent, DiskLow: As with `receive`.
        """
        by = self._by
        fingerprint = inbox.fingerprint_of(item, by.device_id or by.phone)
        if (
            fingerprint is not None
            and self._tx.messages.by_fingerprint(by.org, fingerprint) is None
        ):
            found = announced_mms.announced(self._tx, by.org, by.phone, item)
            if found is not None:
                self._tx.messages.recognise(found.id, fingerprint)
        self.receive([item])

    def announce_mms(self, item: Received) -> None:
        """Stores that there is an MMS, unless it is known.

        Raises:
            StorageSpent, DiskLow: As with `receive`.
        """
        by = self._by
        if announced_mms.is_there(self._tx, by.org, by.phone, item):
            return
        for message_id in self.receive([item]):
            self._tx.messages.set(message_id, error=announced_mms.NOT_FETCHED)

    def _outcome(self, found: Message | None, message_id: int) -> Outcome:
        if found is not None:
            return "recorded"
        other = self._tx.messages.find(self._by.org, message_id)
        if other is None or other.direction != "out" or other.phone is None:
            return "unknown"
        return "not_yours"


@attrs.frozen
class PhoneDelivery:
    """What connected phones read and write of messages. Each call is one transaction."""

    _database: Database
    _now_ms: Callable[[], int]
    _policy: Policy
    _rate_limits: RateLimits

    async def waiting(
        self, org: int, queues: Mapping[K, Collection[Queue]], limit: int
    ) -> dict[K, SimQueue]:
        """Returns what waits in queues, by whom they are for.

        Of each, no more than `limit` is read.
        """
        if not any(queues.values()):
            return dict.fromkeys(queues, _NOTHING)

        def read(tx: Tables) -> dict[K, SimQueue]:
            return {key: _waiting(tx, org, some, limit) for key, some in queues.items()}

        return await self._database.read(read)

    async def find(self, org: int, ids: Collection[int]) -> Sequence[Message]:
        """Returns those of an org's messages that have one of these ids."""

        def read(tx: Tables) -> list[Message]:
            found = (tx.messages.find(org, message_id) for message_id in ids)
            return [message for message in found if message is not None]

        return await self._database.read(read)

    async def awaiting(self, phone: int) -> Sequence[Message]:
        """Returns the messages whose result is awaited of a phone."""
        return await self._database.read(lambda tx: tx.phone_queue.awaiting_result(phone))

    async def lease(self, phone: int, picks: Sequence[Pick]) -> Sequence[Leased]:
        """Gives queued messages to a phone. Those that are queued no longer are left out."""
        now = self._now_ms()
        return await self._database.write(
            lambda tx: delivery.lease(tx, phone, picks, now), size=len(picks)
        )

    async def move(self, old: int, new: int, ids: Collection[int]) -> None:
        """Gives messages of a phone without a result to another row, which it turned out to be."""
        await self._database.write(lambda tx: move(tx, old, new, ids))

    async def resume(
        self, phone: int, *, acks: bool, in_flight: Collection[int], sims: Sequence[Sim]
    ) -> Sequence[Message]:
        """Returns what a returning phone must be given again (see `delivery.resume`)."""
        now, policy = self._now_ms(), self._policy
        return await self._database.write(
            lambda tx: delivery.resume(
                tx, phone, acks=acks, in_flight=in_flight, sims=sims, now=now, policy=policy
            )
        )

    async def report(
        self,
        reporter: Reporter,
        record: Callable[[PhoneReports], T],
        *,
        patient: bool,
        size: int | None = None,
    ) -> T:
        """Records reports of a phone in one transaction.

        Args:
            reporter: The phone.
            record: Records them, in the transaction.
            patient: The phone waits for no answer, so that this may wait for others to come along.
            size: How many rows that is about, if it is known.
        """
        rate_limits, now_ms = self._rate_limits, self._now_ms
        return await self._database.write(
            lambda tx: record(PhoneReports(tx, reporter, now_ms(), rate_limits)),
            patient=patient,
            size=size,
        )

    async def receive(
        self, reporter: Reporter, groups: Sequence[Sequence[Received]]
    ) -> tuple[int, ...]:
        """Stores received SMS that take company, each once. Returns the id of each.

        Raises:
            StorageSpent, DiskLow: The org may store no more just now. Where there is no room for
                one of the groups after those before it, none is stored.
        """
        origin = inbox.Origin(reporter.org, reporter.phone, reporter.device_id)
        reception = Reception(groups, origin, self._now_ms(), self._rate_limits)
        return (await self._database.write(reception)).ids

    def report_plainly(
        self,
        reporter: Reporter,
        reports: PlainReports,
        done: Callable[[bool | None, Exception | None], None],
    ) -> None:
        """Has plain reports of a phone recorded, together with those of others.

        `done` is called once that is durable, with whether all of them were awaited, or with the
        error. If they were not, `report` has to say why, of all of them.

        Raises:
            WouldBlock: Too much waits to be written already.
            StoreClosed: The store is going down.
        """
        record = RecordPlainReports(reporter.org, reporter.phone, reports, self._now_ms)
        # The phone waits for no answer.
        self._database.submit(record, done, patient=True)


_NOTHING: Final = SimQueue()


def move(tx: Tables, old: int, new: int, ids: Collection[int] | None = None) -> None:
    """Gives a phone's messages without a result to another row, which it turned out to be.

    `ids` are those to move. None is all of them.
    """
    for message in tx.phone_queue.awaiting_result(old):
        if ids is None or message.id in ids:
            tx.messages.set(message.id, phone=new)


def _waiting(tx: Tables, org: int, queues: Collection[Queue], limit: int) -> SimQueue:
    found = [
        tx.phone_queue.candidates(
            org, phone=queue.phone, sim_selector=queue.sim_selector, limit=limit
        )
        for queue in queues
    ]
    return SimQueue(
        # Each queue is in this order already.
        candidates=tuple(merge(*found, key=_turn)),
        is_cut=any(len(some) == limit for some in found),
    )


def _turn(candidate: Candidate) -> tuple[int, int]:
    return -candidate.priority, candidate.id
