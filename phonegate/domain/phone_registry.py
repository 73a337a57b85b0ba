"""The phones of an org: the row of each, the name that it gives itself, and its SIMs."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from phonegate.domain import phone_delivery, phone_events, plain_sims
from phonegate.domain.plain_sims import RecordPlainSims, StoredSims
from phonegate.domain.rate_limits import Kind as Limit
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.phones import Health, Kind, Phone, Sim
from phonegate.model.refusals import OrgFull
from phonegate.model.storage_errors import TooMany
from phonegate.store.database import Database
from phonegate.store.phones import Unnamed
from phonegate.store.tables import Tables

MOST_MOVED: Final = 1_000
"""Queued messages of one slot that follow a phone to its row: hours of work for its SIM."""


@attrs.frozen(kw_only=True)
class Start:
    """The row that a connection begins on, and what is known of its phone by then."""

    row: Phone
    org_since: int
    """When its org was made."""
    is_new: bool = False
    """The row was made for this connection."""
    usual_sim: Sim | None = None
    """The first SIM that is known of this row, or of the likeliest one of an unnamed phone."""
    has_unacknowledged: bool = False
    """Messages given to this phone before have neither an ack nor a result yet."""
    acknowledged: Collection[int] = ()
    """The messages that this phone acknowledged before, and whose results are awaited."""
    in_doubt: bool = False
    """It may be a phone that is known by its name or number, and has sent neither yet."""
    something_waits: bool = True
    """A message of its org is queued that may leave now."""


@attrs.frozen(kw_only=True)
class Introduction:
    """What a phone says of itself as it connects."""

    device_id: str | None
    plain_device_id: str | None
    """The same with its pluses, as earlier versions read it."""
    name: str | None
    kind: Kind = "link"
    """By what it connects."""
    row: int | None = None
    """The row that it is known by, so that it can't begin on another. None where it has none."""


@attrs.frozen(kw_only=True)
class Description:
    """What a connected phone says of itself. What it leaves out stays as it was."""

    name: str | None = None
    model: str | None = None
    app: str | None = None
    acks: bool
    window: int | None = None
    """How many messages it takes at once. None: it does not say."""


@attrs.frozen(kw_only=True)
class ReportedSims:
    """What is known once a phone's SIMs are stored, all of it as of that moment."""

    sims: Sequence[Sim]
    """The SIMs, some with the number that their owner gave them."""
    losers: Collection[int]
    """The other phones that had one of the reported numbers until now."""
    awaited: Collection[int]
    """The messages whose result is awaited of the phone."""
    something_waits: bool
    """A message of its org is queued that may leave now."""


@attrs.frozen
class PhoneRegistry:
    """Finds, makes and changes the rows of phones. Each call is one transaction."""

    _database: Database
    _now_ms: Callable[[], int]
    _rate_limits: RateLimits

    async def unnamed(self, org: int) -> Sequence[Unnamed]:
        """Returns the org's phones that never sent a device id, the one seen last first."""
        return await self._database.read(lambda tx: tx.phones.unnamed(org))

    async def start(
        self,
        org: int,
        phone: Introduction,
        *,
        key: str | None,
        free: int | None,
        likely: int | None,
    ) -> Start | None:
        """Finds or makes the row of a phone that connects.

        Args:
            org: The org whose credential the phone has shown.
            phone: What it says of itself.
            key: The id of the API key that it has shown. None is the org's secret.
            free: A row for a phone that gives no name, if there is one that no other phone has.
            likely: The row of the phone that an unnamed one is most likely to be.

        Returns:
            None where the org has just been removed, or the phone forgotten.

        Raises:
            OrgFull: The phone is not known, and the org has as many as it may.
            StoreError: It can't be stored.
        """
        now, most = self._now_ms(), self._rate_limits.bounds.org_phones

        def start(tx: Tables) -> Start | None:
            known = tx.orgs.by_id(org)
            if known is None:
                return None
            if phone.row is not None and tx.phones.get(phone.row) is None:
                return None
            row = tx.phones.connect(org, _device_of(tx, org, phone), now, phone=free, most=most)
            if (row.kind, row.key) != (phone.kind, key):
                tx.phones.came_by(row.id, phone.kind, key)
            if phone.name is not None:
                tx.phones.describe(row.id, name=phone.name, now=now)
                row = attrs.evolve(row, name=phone.name)
            sims = tx.phones.sims_of(row.id)
            if likely is not None:
                sims = sims or tx.phones.sims_of(likely)
            # Whether an unnamed phone is the one that has them is not known yet.
            awaited = [] if row.device_id is None else tx.phone_queue.awaiting_result(row.id)
            return Start(
                row=row,
                org_since=known.created_at,
                is_new=phone.device_id is None and row.id != free,
                usual_sim=sims[0] if sims else None,
                has_unacknowledged=any(message.acked_at is None for message in awaited),
                acknowledged=tuple(m.id for m in awaited if m.acked_at is not None),
                in_doubt=row.device_id is None and tx.phones.has_known(org),
                something_waits=tx.phone_queue.any_ready(org),
            )

        with self._org_full("org_phones", "phones"):
            return await self._database.write(start, size=1)

    async def describe(self, phone: int, said: Description) -> Collection[int]:
        """Stores what a phone says of itself.

        Returns:
            The messages whose result is awaited of it.
        """
        now = self._now_ms()

        def describe(tx: Tables) -> Collection[int]:
            tx.phones.describe(phone, now=now, **attrs.asdict(said))
            return tx.phone_queue.awaited(phone)

        return await self._database.write(describe, size=1)

    async def seen(self, phone: int, health: Health | None = None) -> None:
        """Notes that the phone was there just now, and how it was if that is news."""
        now = self._now_ms()

        def seen(tx: Tables) -> None:
            if health is None:
                tx.phones.seen(phone, now)
            else:
                tx.phones.note_health(phone, health, now)
                phone_events.record(tx, "phone.health", phone, now)

        await self._database.write(seen, size=1)

    async def name(
        self,
        org: int,
        phone: int,
        device_id: str,
        *,
        own: bool,
        ids: Collection[int] | None,
        sims: Sequence[Sim],
    ) -> int:
        """Gives a phone its name, and moves it to the row of that name if there is one.

        Args:
            org: Its org.
            phone: The row that it has had so far.
            device_id: The name.
            own: The row is surely this phone's, and becomes the device's with all that waits.
            ids: The messages that move along. None is all of them.
            sims: The SIMs that it has reported under its row so far.

        Returns:
            The row of the phone from now on.

        Raises:
            OrgFull: The name is not known, and the org has as many phones as it may.
        """
        now, most = self._now_ms(), self._rate_limits.bounds.org_phones

        def name(tx: Tables) -> int:
            row = tx.phones.connect(org, device_id, now, phone=phone if own else None, most=most)
            if row.id != phone:
                tx.phones.follow_key(phone, row.id)
                phone_delivery.move(tx, phone, row.id, ids)
                if sims:
                    # No phone would come back for them under the other row. Moved, they are no
                    # more than they were.
                    tx.phones.report_sims(org, phone, (), now)
                    plain_sims.report(tx, org, row.id, sims, now)
                    _move_queued(tx, org, sims, phone, row.id)
            return row.id

        with self._org_full("org_phones", "phones"):
            return await self._database.write(name)

    async def known_by(self, org: int, sims: Sequence[Sim]) -> tuple[int | None, Sequence[int]]:
        """Returns the unnamed phone known by these SIMs, and all phones that have one of them."""

        def read(tx: Tables) -> tuple[int | None, list[int]]:
            known = tx.phones.holding(org, forms_of(sims))
            return _holder(tx, org, sims), [sim.phone for sim in known if sim.phone is not None]

        return await self._database.read(read)

    async def recognise(
        self,
        org: int,
        phone: int,
        sims: Sequence[Sim],
        *,
        known: int | None,
        ids: Collection[int] | None,
    ) -> int:
        """Moves an unnamed phone to the row that its numbers are known of, or to a new one.

        Args:
            org: Its org.
            phone: The row that its connection began on.
            sims: The SIMs that it reports.
            known: The row that they are known of. None is a new one.
            ids: The messages that move along. None is all of them, with what waits for its slots.

        Returns:
            The row of the phone from now on.

        Raises:
            OrgFull: The phone is new, and the org's phones have as many SIMs as they may.
        """
        now, most = self._now_ms(), self._rate_limits.bounds.org_sims

        def recognise(tx: Tables) -> int:
            row = known
            if row is None:
                # With its numbers at once, so that no other connection begins on this row. It is
                # bounded by them: it is not one of the phones that have sent nothing.
                row = tx.phones.connect(org, None, now).id
                plain_sims.report(tx, org, row, sims, now, most=most)
            tx.phones.follow_key(phone, row)
            phone_delivery.move(tx, phone, row, ids)
            if ids is None:
                _move_queued(tx, org, sims, phone, row)
            return row

        with self._org_full("org_sims", "SIMs"):
            return await self._database.write(recognise)

    async def report_sims(self, org: int, phone: int, sims: Sequence[Sim]) -> ReportedSims:
        """Stores the SIMs that a phone has now.

        Raises:
            OrgFull: The org's phones would have more SIMs than they may.
        """
        now, most = self._now_ms(), self._rate_limits.bounds.org_sims

        def report(tx: Tables) -> ReportedSims:
            replaced = plain_sims.report(tx, org, phone, sims, now, most=most)
            for other in replaced.losers:
                # It has lost a number by this.
                phone_events.record(tx, "phone.sims", other, now)
            return ReportedSims(
                sims=replaced.after,
                losers=replaced.losers,
                awaited=tx.phone_queue.awaited(phone),
                something_waits=tx.phone_queue.any_ready(org),
            )

        with self._org_full("org_sims", "SIMs"):
            return await self._database.write(report, size=1 + len(sims))

    def report_plainly(
        self,
        org: int,
        phone: int,
        sims: Sequence[Sim],
        done: Callable[[StoredSims | None, Exception | None], None],
    ) -> None:
        """Has the SIMs that a phone has now stored, together with those of others.

        `done` is called once that is durable, or with the error. After an error nothing is
        changed, and `report_sims` has to say what the report means.

        Raises:
            WouldBlock: Too much waits to be written already.
            StoreClosed: The store is going down.
        """
        most = self._rate_limits.bounds.org_sims
        op = RecordPlainSims(org, phone, sims, now=self._now_ms(), most=most)
        self._database.submit(op, done)

    async def forget(self, org: int, phones: Collection[int]) -> None:
        """Removes those of these unnamed phones that have no SIM and no message any more."""

        def forget(tx: Tables) -> None:
            for phone in phones:
                tx.phones.forget(org, phone)

        await self._database.write(forget)

    async def inherit(self, org: int, sims: Sequence[Sim], old: int, new: int) -> None:
        """Gives all messages of one row, and what waits for its slots, to another."""

        def inherit(tx: Tables) -> None:
            phone_delivery.move(tx, old, new)
            _move_queued(tx, org, sims, old, new)

        await self._database.write(inherit)

    @contextmanager
    def _org_full(self, limit: Limit, what: str) -> Iterator[None]:
        """Counts that an org has as many of something as it may, and says so."""
        try:
            yield
        except TooMany as full:
            self._rate_limits.note(limit)
            raise OrgFull(full.most, what) from None


def forms_of(sims: Iterable[Sim]) -> frozenset[str]:
    """Returns the numbers of SIMs, in the form in which they are compared."""
    return frozenset(sim.form for sim in sims if sim.form is not None)


def _device_of(tx: Tables, org: int, phone: Introduction) -> str | None:
    """Returns the name of a phone. One that is known by its name with pluses keeps that."""
    device_id, plain = phone.device_id, phone.plain_device_id
    if plain != device_id and not tx.phones.has_device(org, device_id):
        return plain if tx.phones.has_device(org, plain) else device_id
    return device_id


def _move_queued(tx: Tables, org: int, sims: Sequence[Sim], old: int, new: int) -> None:
    """Gives what waits for a slot of one row to another, which its phone turned out to be."""
    for sim in sims:
        slot = str(sim.slot)
        for waiting in tx.phone_queue.candidates(
            org, phone=old, sim_selector=slot, limit=MOST_MOVED
        ):
            tx.messages.set(waiting.id, phone=new)


def _holder(tx: Tables, org: int, sims: Sequence[Sim]) -> int | None:
    """Returns the unnamed phone that is known by these SIMs.

    Where they are known of several, as when SIMs were moved, it is that which had most of them,
    then that which had them in the same slots, and then the first in their order.
    """
    forms = dict.fromkeys(sim.form for sim in sims if sim.form is not None)
    # What an owner said of a SIM is nothing that its phone is known by.
    known = [sim for sim in tx.phones.holding(org, forms) if not sim.given]
    slots = {(sim.form, sim.slot) for sim in sims}
    numbers = Counter(sim.phone for sim in known)
    slots_held = Counter(sim.phone for sim in known if (sim.form, sim.slot) in slots)
    holders = sorted(
        (phone for phone in numbers if phone is not None),
        key=lambda phone: (-numbers[phone], -slots_held[phone]),
    )
    for phone in holders:
        row = tx.phones.get(phone)
        if row is not None and row.device_id is None:
            return row.id
    return None
