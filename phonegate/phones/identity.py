"""Which phone a connection is: by its `device_id`, or else by the numbers of its SIMs.

A phone of the simple protocol names itself nowhere. Its connection begins on a row of which no
number was ever known, and is moved to the right one when the phone reports its SIMs. A row whose
numbers are known is nobody's who has not shown one of them: what was asked of one phone's SIM
must not leave by another's, nor be given twice to two phones.

A phone may report its SIMs before its name. Numbers that an absent named phone has are probably
reported by that phone: they wait for its `hello`, and are taken for another's without one.

Phones that tell neither a name nor a number can't be told from each other. Such a one is taken
for the one seen last, or for the one whose link fell silent before its own began (`inherit`).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from phonegate import log
from phonegate.domain.rate_limits import Kind
from phonegate.model import refusals
from phonegate.model.messages import Message
from phonegate.model.phones import Sim
from phonegate.model.storage_errors import TooMany
from phonegate.phones import frames
from phonegate.phones.feeder import move
from phonegate.store.tables import Tables

if TYPE_CHECKING:
    from phonegate.phones.session import Session

Write = Callable[[Callable[[Tables], Any]], Awaitable[Any]]

ACK: Final = "ack"
"""The feature of a phone that says, before the radio has a message, that it has written it down."""

MOST_MOVED: Final = 1_000
"""Queued messages of one slot that follow a phone to its row; hours of work for its SIM."""

_log = log.get("phones")


class Identity:
    """Finds out who a session's phone is. Its steps run one after the other, in the recorder."""

    def __init__(self, session: "Session", write: Write) -> None:
        self._session = session
        self._write = write
        self._waiting: tuple[Sim, ...] | None = None
        """SIMs of a named phone, reported over a connection that has yet to tell its name."""

    async def greet(self, hello: frames.Hello) -> None:
        """Takes what a `hello` tells of the phone, its `device_id` if it had given none."""
        session = self._session
        now = session.now_ms()
        told, known = hello.device_id, session.online.device_id
        if told is not None and known is not None and told != known:
            await session.say(
                frames.Error(
                    code="device_id_mismatch",
                    detail="The device_id of this connection stays the one it was opened with.",
                    field="device_id",
                )
            )
        if told is not None and known is None:
            try:
                await self._name(told)
            except TooMany as full:
                await self._say_full(full, "org_phones", "phones", "device_id")
        phone = session.phone
        acks = ACK in hello.features
        await self._write(
            lambda tx: tx.phones.describe(
                phone, name=hello.name, model=hello.model, app=hello.app, acks=acks, now=now
            )
        )
        name = session.online.name if hello.name is None else hello.name
        online = attrs.evolve(session.online, name=name, features=hello.features)
        session.switchboard.rename(session, online)
        # It will tell no other name than this, nor one at all where it has left it out here.
        await self._take_waiting()

    async def end_grace(self) -> None:
        """Takes a phone that has not told its name in time for one without."""
        await self._take_waiting()
        self._session.protocol.identified = True

    async def _name(self, device_id: str) -> None:
        session = self._session
        now, old, ids = session.now_ms(), session.phone, frozenset(session.protocol.in_flight)
        # A row that is surely this phone's becomes the device's, with all that waits for it.
        own = old if session.protocol.identified or session.fresh else None
        whole = session.fresh or session.numbered
        numbered = session.numbered
        sims = session.online.sims
        most = session.rate_limits.bounds.org_phones

        def name(tx: Tables) -> int:
            row = tx.phones.connect(session.org, device_id, now, phone=own, most=most)
            if row.id != old:
                move(tx, old, row.id, None if whole else ids)
                if sims:
                    # They were reported under the other row, where nobody will come for them.
                    # Moved, they are no more than they were.
                    tx.phones.report_sims(session.org, old, (), now)
                    tx.phones.report_sims(session.org, row.id, sims, now)
                    _move_queued(tx, session.org, sims, old, row.id)
            return row.id

        async with session.switchboard.identity_lock(session.org):
            row = await self._write(name)
            if row != old and not whole:
                # Another phone's, which has yet to come back.
                session.feeder.leave_open()
            online = attrs.evolve(session.online, phone=row, device_id=device_id)
            self._become(attrs.evolve(online, sims=_of_row(sims, row)))
            if row != old and numbered:
                await self._forget([old])
        session.protocol.identified = True

    async def report(self, report: frames.Sims) -> None:
        """Takes the SIMs that the phone has now; an unnamed phone is recognised by them."""
        session = self._session
        sims = tuple(
            Sim(slot=sim.slot, number=sim.number, carrier=sim.carrier) for sim in report.sims
        )
        if session.online.device_id is None:
            session.switchboard.replace(session, _forms(sims))
        self._waiting = None
        if await self._awaits_name(sims):
            self._waiting = sims
            session.protocol.doubt()
        else:
            await self._take(sims)

    async def _awaits_name(self, sims: Sequence[Sim]) -> bool:
        """Whether these are the SIMs of a named phone that may just not have told its name yet."""
        session = self._session
        hello = session.protocol.hello
        if (
            session.online.device_id is not None
            or session.numbered
            or session.protocol.grace_over
            or (hello is not None and hello.device_id is None)
        ):
            return False

        def read(tx: Tables) -> tuple[int | None, list[Sim]]:
            return _holder(tx, session.org, sims), tx.phones.holding(session.org, _forms(sims))

        unnamed, known = await session.database.read(read)
        rows = [sim.phone for sim in known if sim.phone is not None]
        return unnamed is None and any(session.switchboard.at(row) is None for row in rows)

    async def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            # Phones that have come since have said where these SIMs are now.
            held = self._session.switchboard.held(self._session.org)
            await self._take(tuple(sim for sim in waiting if sim.form not in held))

    async def _take(self, sims: tuple[Sim, ...]) -> None:
        session = self._session
        gained = False
        try:
            gained = await self._take_sims(sims)
        except TooMany as full:
            await self._say_full(full, "org_sims", "SIMs", "sims")
        session.protocol.identified = True
        if gained:
            # Something may have waited for just this SIM.
            session.protocol.look_again()
        session.feeder.wake()

    async def _take_sims(self, sims: tuple[Sim, ...]) -> bool:
        """Stores the SIMs of the row that the phone has by them; whether it gained a number.

        Raises:
            TooMany: The org's phones would have more than they may.
        """
        session = self._session
        most = session.rate_limits.bounds.org_sims
        async with session.switchboard.identity_lock(session.org):
            if session.parting:
                # Over a link that is ending: phones that are there have said otherwise since.
                held = session.switchboard.held(session.org)
                sims = tuple(sim for sim in sims if sim.form not in held)
            forms = _forms(sims)
            had = _forms(session.online.sims)
            row = await self._recognise(sims)
            now = session.now_ms()

            def store(tx: Tables) -> set[int | None]:
                before = {sim.phone for sim in tx.phones.holding(session.org, forms)}
                tx.phones.report_sims(session.org, row, sims, now, most=most)
                return before - {row}

            losers = await self._write(store)
            self._become(attrs.evolve(session.online, phone=row, sims=_of_row(sims, row)))
            if session.online.device_id is None and forms:
                session.numbered = True
            session.switchboard.take(session, forms)
            await self._forget(losers)
        return bool(forms - had)

    async def _forget(self, rows: Iterable[int | None]) -> None:
        """Removes rows that no phone can come back to: unnamed, and without their numbers now."""
        org, switchboard = self._session.org, self._session.switchboard
        if vacant := [row for row in rows if row is not None and switchboard.is_vacant(row)]:

            def forget(tx: Tables) -> None:
                for row in vacant:
                    tx.phones.forget(org, row)

            await self._write(forget)

    async def _say_full(self, full: TooMany, kind: Kind, what: str, field: str) -> None:
        """Tells the phone that its org has as many of something as it may."""
        self._session.rate_limits.note(kind)
        refused = refusals.OrgFull(full.most, what)
        await self._session.say(frames.Error(code="org_full", detail=refused.detail, field=field))

    async def inherit(self, row: int) -> None:
        """Takes over what was given to a link that fell silent before this one began.

        Neither link's phone tells a name or a number, so that nothing else could bring them
        together, and what was pushed into the dead link would wait for ever.
        """
        session = self._session
        async with session.switchboard.identity_lock(session.org):
            new, sims = session.phone, session.online.sims
            if not session.anonymous or row == new or session.switchboard.at(row) is not None:
                return

            def adopt(tx: Tables) -> None:
                move(tx, row, new)
                _move_queued(tx, session.org, sims, row, new)

            await self._write(adopt)
        session.protocol.look_again()
        session.feeder.wake()

    async def adopt(self, message: Message) -> None:
        """Takes a message that was being stored for this phone while it changed its row."""
        session = self._session
        async with session.switchboard.identity_lock(session.org):
            new = session.phone
            old = message.phone
            if old is not None and old != new:
                await self._write(lambda tx: move(tx, old, new, [message.id]))
        session.feeder.resume([attrs.evolve(message, phone=new)])

    async def _recognise(self, sims: Sequence[Sim]) -> int:
        """The row of a phone that reports these SIMs; messages pushed to it come along.

        Raises:
            TooMany: The phone is new, and the org's phones have as many SIMs as they may.
        """
        session = self._session
        most = session.rate_limits.bounds.org_sims
        forms = _forms(sims)
        if session.online.device_id is not None or session.numbered or not forms:
            return session.phone
        old = session.phone
        ids = None if session.fresh else frozenset(session.protocol.in_flight)
        target = await session.database.read(lambda tx: _holder(tx, session.org, sims))
        if target is not None and session.switchboard.at(target) is not None:
            # Another phone is there under that row. The number is this one's from now on.
            target = None
        if target is None and (session.fresh or session.protocol.identified):
            return old

        def settle(tx: Tables) -> int:
            row = target
            if row is None:
                # With its numbers at once, so that no other connection begins on this row. By them
                # it is bounded: it is none of the phones that have told nothing.
                now = session.now_ms()
                row = tx.phones.connect(session.org, None, now).id
                tx.phones.report_sims(session.org, row, sims, now, most=most)
            move(tx, old, row, ids)
            if ids is None:
                _move_queued(tx, session.org, sims, old, row)
            return row

        row: int = await self._write(settle)
        if ids is not None:
            # Another phone's, which has yet to come back.
            session.feeder.leave_open()
        self._become(attrs.evolve(session.online, phone=row))
        return row

    def _become(self, online: Any) -> None:
        session = self._session
        moved = online.phone != session.phone
        if moved:
            session.protocol.move()
            session.fresh = False
            _log.info("phone_recognised", org=session.org_name, phone=online.phone)
        session.switchboard.rename(session, online)
        if moved:
            # Other messages may wait for it there.
            session.feeder.wake()


def _of_row(sims: Sequence[Sim], row: int) -> tuple[Sim, ...]:
    return tuple(attrs.evolve(sim, phone=row) for sim in sims)


def _move_queued(tx: Tables, org: int, sims: Sequence[Sim], old: int, new: int) -> None:
    """Gives what waits for a slot of one row to another, which its phone turned out to be."""
    for sim in sims:
        slot = str(sim.slot)
        for waiting in tx.messages.candidates(org, phone=old, sim_selector=slot, limit=MOST_MOVED):
            tx.messages.set(waiting.id, phone=new)


def _forms(sims: Sequence[Sim]) -> frozenset[str]:
    return frozenset(sim.form for sim in sims if sim.form is not None)


def _holder(tx: Tables, org: int, sims: Sequence[Sim]) -> int | None:
    """The unnamed phone that these SIMs are known of.

    Where they are known of several, as when SIMs were moved, that which had most of them; then
    that which had them in the same slots, and then the first in their order.
    """
    known = tx.phones.holding(org, dict.fromkeys(sim.form for sim in sims if sim.form is not None))
    slots = {(sim.form, sim.slot) for sim in sims}
    numbers = Counter(sim.phone for sim in known)
    places = Counter(sim.phone for sim in known if (sim.form, sim.slot) in slots)
    holders = sorted(
        (phone for phone in numbers if phone is not None),
        key=lambda phone: (-numbers[phone], -places[phone]),
    )
    for phone in holders:
        row = tx.phones.get(phone)
        if row is not None and row.device_id is None:
            return row.id
    return None
