"""Which phone a connection is: by its `device_id`, or else by the numbers of its SIMs.

A phone of the simple protocol names itself nowhere. Its connection begins on any free row of
the org's unnamed phones and is moved to the right one when the phone reports its SIMs.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from phonegate import log
from phonegate.domain import errors
from phonegate.domain.guard import Kind
from phonegate.phones import frames
from phonegate.phones.feeder import move
from phonegate.store.errors import OrgFull
from phonegate.store.records import Sim
from phonegate.store.tables import Tables

if TYPE_CHECKING:
    from phonegate.phones.session import Session

Write = Callable[[Callable[[Tables], Any]], Awaitable[Any]]

MOST_MOVED: Final = 1_000
"""Queued messages of one slot that follow a phone to its row; hours of work for its SIM."""

_log = log.get("phones")


class Identity:
    """Finds out who a session's phone is. Its steps run one after the other, in the recorder."""

    def __init__(self, session: "Session", write: Write) -> None:
        self._session = session
        self._write = write

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
            except OrgFull as full:
                await self._say_full(full, "org_phones", "phones", "device_id")
        phone = session.phone
        await self._write(
            lambda tx: tx.phones.describe(
                phone, name=hello.name, model=hello.model, app=hello.app, now=now
            )
        )
        name = session.online.name if hello.name is None else hello.name
        online = attrs.evolve(session.online, name=name, features=hello.features)
        session.switchboard.rename(session, online)

    async def _name(self, device_id: str) -> None:
        session = self._session
        now, old, ids = session.now_ms(), session.phone, frozenset(session.protocol.in_flight)
        # A row that is surely this phone's becomes the device's, with all that waits for it.
        own = old if session.protocol.identified or session.fresh else None

        sims = session.online.sims
        most = session.guard.bounds.org_phones

        def name(tx: Tables) -> int:
            row = tx.phones.connect(session.org, device_id, now, phone=own, most=most)
            if row.id != old:
                move(tx, ids, old, row.id)
                if sims:
                    # They were reported under the other row, where nobody will come for them.
                    tx.phones.report_sims(session.org, row.id, _of_row(sims, row.id), now)
                    _move_queued(tx, session.org, sims, old, row.id)
            return row.id

        async with session.switchboard.identity_lock(session.org):
            row = await self._write(name)
            online = attrs.evolve(session.online, phone=row, device_id=device_id)
            self._become(attrs.evolve(online, sims=_of_row(sims, row)))
        session.protocol.identified = True

    async def report(self, report: frames.Sims) -> None:
        """Takes the SIMs that the phone has now; an unnamed phone is recognised by them."""
        session = self._session
        numbers = [sim.number for sim in report.sims if sim.number is not None]
        if session.online.device_id is None:
            session.switchboard.replace(session, numbers)
        most = session.guard.bounds.org_sims
        try:
            await self._take_sims(report, numbers, most)
        except OrgFull as full:
            await self._say_full(full, "org_sims", "SIMs", "sims")
        session.protocol.identified = True
        session.feeder.wake()

    async def _take_sims(self, report: frames.Sims, numbers: list[str], most: int) -> None:
        session = self._session
        async with session.switchboard.identity_lock(session.org):
            row = await self._recognise(numbers)
            now = session.now_ms()
            sims = tuple(
                Sim(slot=sim.slot, number=sim.number, carrier=sim.carrier, phone=row)
                for sim in report.sims
            )
            await self._write(
                lambda tx: tx.phones.report_sims(session.org, row, sims, now, most=most)
            )
            self._become(attrs.evolve(session.online, phone=row, sims=sims))

    async def _say_full(self, full: OrgFull, kind: Kind, what: str, field: str) -> None:
        """Tells the phone that its org has as many of something as it may."""
        self._session.guard.note(kind)
        refused = errors.OrgFull(full.most, what)
        await self._session.say(frames.Error(code=refused.code, detail=refused.detail, field=field))

    async def _recognise(self, numbers: list[str]) -> int:
        """The row that the phone has after its first report; messages pushed to it come along."""
        session = self._session
        if session.protocol.identified or not numbers:
            return session.phone
        target = await session.database.read(lambda tx: _holder(tx, session.org, numbers))
        old = session.phone
        if target is None or target == old:
            return old
        seated: Any = session.switchboard.at(target)
        if seated is not None and seated.protocol.identified:
            # A newer connection holds the number: an older one was replaced before.
            return old
        mine = frozenset(session.protocol.in_flight)
        others = frozenset(() if seated is None else seated.protocol.in_flight)

        def exchange(tx: Tables) -> None:
            move(tx, mine, old, target)
            move(tx, others, target, old)

        await self._write(exchange)
        seated = session.switchboard.at(target)
        if seated is None:
            self._become(attrs.evolve(session.online, phone=target))
        else:
            session.switchboard.swap(session, seated)
            seated.protocol.move()
            session.protocol.move()
        return target

    def _become(self, online: Any) -> None:
        session = self._session
        moved = online.phone != session.phone
        if moved:
            session.protocol.move()
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
        for waiting in tx.messages.candidates(org, phone=old, wish=slot, limit=MOST_MOVED):
            tx.messages.set(waiting.id, phone=new)


def _holder(tx: Tables, org: int, numbers: list[str]) -> int | None:
    """The unnamed phone that reported one of these numbers last."""
    holders = {sim.number: sim.phone for sim in tx.phones.known_sims(org)}
    for number in numbers:
        phone = holders.get(number)
        row = None if phone is None else tx.phones.get(phone)
        if row is not None and row.device_id is None:
            return row.id
    return None
