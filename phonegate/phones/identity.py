"""Which phone a connection is: by its `device_id`, or else by the numbers of its SIMs.

A phone of the simple protocol names itself nowhere. Its connection begins on a row of which no
number was ever known, and is moved to the right one when the phone reports its SIMs. A row whose
numbers are known belongs to no phone that has not shown one of them: what was asked of one phone's
SIM must not leave by another's, nor be given to two phones.

A phone may report its SIMs before its name. Numbers that an absent named phone has are probably
reported by that phone: they wait for its `hello`, and are taken for another's without one.

Phones that send neither a name nor a number can't be distinguished. Such a one is taken for the one
seen last, or for the one whose link fell silent before its own began (`_inherit`).
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.phone_registry import Description, PhoneRegistry, forms_of
from phonegate.domain.plain_sims import StoredSims
from phonegate.model.messages import Message
from phonegate.model.phones import ACK, Sim
from phonegate.model.refusals import OrgFull
from phonegate.model.storage_errors import StoreClosed
from phonegate.phones import frames
from phonegate.phones.feeder import Feeder
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.reservations import Reservations
from phonegate.phones.send_order import SendOrder
from phonegate.phones.state import (
    GraceOver,
    IdentityStep,
    Inherited,
    LeasedBefore,
    Misplaced,
    PhoneState,
)
from phonegate.phones.storage_retry import StorageRetry
from phonegate.phones.switchboard import Switchboard
from phonegate.phones.switchboard_station import Station

PREDECESSOR_S: Final = 10.0
"""How long to wait for an older connection of the phone to have its reports recorded."""

_log = log.get("phones")


@attrs.frozen(kw_only=True)
class Identification:
    """Finds out which phone a connection is. Its steps run one after the other, in the recorder."""

    station: Station
    state: PhoneState
    registry: PhoneRegistry
    delivery: PhoneDelivery
    switchboard: Switchboard
    order: SendOrder
    reservations: Reservations
    feeder: Feeder
    retry: StorageRetry
    say: Callable[[GatewayFrame], Awaitable[None]]
    _waiting: list[tuple[Sim, ...]] = attrs.field(factory=list, init=False)
    """SIMs of a named phone, reported over a connection that has yet to send its name."""

    async def take(self, step: IdentityStep) -> None:
        """Takes a step that may show which phone this is, or where its messages are."""
        in_doubt = self.state.in_doubt
        match step:
            case frames.Hello():
                await self._greet(step)
            case frames.Sims():
                await self._report(step)
            case Inherited(row):
                await self._inherit(row)
            case Misplaced(message):
                await self._adopt(message)
            case LeasedBefore(row, ids):
                await self._follow(row, ids)
            case GraceOver():
                await self._take_waiting()
                self.state.identified = True
        self.switchboard.identified(self.station)
        if self.state.take_resume():
            await self._resume()
        elif in_doubt:
            # It may be given now what it could not be before.
            self.feeder.wake()

    def take_plainly(self, report: frames.Sims, done: Callable[[bool], None]) -> bool:
        """Takes the SIMs of a phone whose row is known without a task, if nothing speaks against.

        Returns whether it does. Then `done` is called once they are stored, or with False where
        `take` has to see what the report means.
        """
        state, station, switchboard = self.state, self.station, self.switchboard
        sims = _sims_of(report)
        forms = forms_of(sims)
        if (
            state.online.device_id is None
            or state.parting
            or self._waiting
            or any(sim.form is None for sim in sims)
            or not switchboard.is_alone(station)
            or (lock := switchboard.join_identity_lock_now(state.org, forms)) is None
        ):
            return False
        last_woken = switchboard.last_woken(state.org)

        def stored(result: StoredSims | None, _: Exception | None) -> None:
            lock.leave(forms)
            taken = False
            try:
                if result is not None and not station.ended.is_set():
                    self._have_sims(result, forms, last_woken)
                taken = result is not None
            finally:
                done(taken)  # or nothing that this phone reports would be recorded any more

        try:
            self.registry.report_plainly(state.org, state.phone, sims, stored)
        except (trio.WouldBlock, StoreClosed):
            lock.leave(forms)
            return False
        return True

    def _have_sims(self, stored: StoredSims, forms: Collection[str], last_woken: int) -> None:
        state, switchboard = self.state, self.switchboard
        self._become(attrs.evolve(state.online, sims=tuple(stored.sims)))
        switchboard.take(self.station, forms)
        # Nothing is awaited of it, and no earlier link of it was ending when that was asked.
        state.owes_nothing()
        switchboard.identified(self.station)
        if stored.something_waits or switchboard.last_woken(state.org) != last_woken:
            self.feeder.wake()
        else:
            self.feeder.caught_up()

    async def _resume(self) -> None:
        """Pushes again what an earlier link left open, and ends what is not."""
        state = self.state
        # What an older connection heard must be in the database before anything is pushed again.
        with trio.move_on_after(PREDECESSOR_S):
            await self.switchboard.predecessors_ended(self.station)
        async with self.reservations.pause():
            # Neither what it has now nor what it will get soon.
            in_flight = {m.id for m in self.order.left_open}.union(state.window.in_flight)
            phone, acks, sims = state.phone, state.acks, state.online.sims
            again = await self.retry(
                lambda: self.delivery.resume(phone, acks=acks, in_flight=in_flight, sims=sims)
            )
        self.feeder.resume(again)

    async def _greet(self, hello: frames.Hello) -> None:
        """Takes what a `hello` says of the phone, its `device_id` if it had given none."""
        state = self.state
        given, known = hello.device_id, state.online.device_id
        if given is not None and known is not None and given != known:
            await self.say(
                frames.Error(
                    code="device_id_mismatch",
                    detail="The device_id of this connection stays the one it was opened with.",
                    field="device_id",
                )
            )
        if given is not None and known is None:
            try:
                await self._name(given)
            except OrgFull as full:
                await self._say_full(full, "device_id")
        phone, is_alone = state.phone, self.switchboard.is_alone(self.station)
        said = Description(
            name=hello.name,
            model=hello.model,
            app=hello.app,
            acks=ACK in hello.features,
            window=hello.window,
        )
        self._settle(is_alone, await self.retry(lambda: self.registry.describe(phone, said)))
        name = state.online.name if hello.name is None else hello.name
        online = attrs.evolve(state.online, name=name, features=hello.features)
        self.switchboard.rename(self.station, online)
        # It sends no other name than this, and none at all where it has left it out here.
        await self._take_waiting()

    async def _name(self, device_id: str) -> None:
        state = self.state
        old, ids = state.phone, frozenset(state.window.in_flight)
        # A row that is surely this phone's becomes the device's, with all that waits for it.
        own = state.identified or state.is_new
        whole, has_numbers = state.is_new or state.has_numbers, state.has_numbers
        sims = state.online.sims
        async with self.switchboard.identity_lock(state.org):
            row = await self.retry(
                lambda: self.registry.name(
                    state.org, old, device_id, own=own, ids=None if whole else ids, sims=sims
                )
            )
            if row != old and not whole:
                # Another phone's, which has yet to come back.
                self.order.drop_left_open()
            online = attrs.evolve(state.online, phone=row, device_id=device_id)
            self._become(attrs.evolve(online, sims=_of_row(sims, row)))
            if row != old and has_numbers:
                await self._forget([old])
        state.identified = True

    async def _report(self, report: frames.Sims) -> None:
        """Takes the SIMs that the phone has now. An unnamed phone is recognised by them."""
        sims = _sims_of(report)
        if self.state.online.device_id is None:
            self.switchboard.replace(self.station, forms_of(sims))
        self._waiting.clear()
        if await self._awaits_name(sims):
            self._waiting.append(sims)
            self.state.doubt()
        else:
            await self._take(sims)

    async def _awaits_name(self, sims: Sequence[Sim]) -> bool:
        """Tells whether these may be SIMs of a named phone that has not sent its name yet."""
        state = self.state
        if (
            not state.anonymous
            or state.grace_over
            or (state.hello is not None and state.hello.device_id is None)
        ):
            return False
        unnamed, rows = await self.registry.known_by(state.org, sims)
        return unnamed is None and any(self.switchboard.at(row) is None for row in rows)

    async def _take_waiting(self) -> None:
        if self._waiting:
            sims = self._waiting.pop()
            # Phones that have come since have said where these SIMs are now.
            elsewhere = self.switchboard.numbers_online(self.state.org)
            await self._take(tuple(sim for sim in sims if sim.form not in elsewhere))

    async def _take(self, sims: tuple[Sim, ...]) -> None:
        is_fed = False
        try:
            is_fed = await self._take_sims(sims)
        except OrgFull as full:
            await self._say_full(full, "sims")
        self.state.identified = True
        if not is_fed:
            self.feeder.wake()

    async def _take_sims(self, sims: tuple[Sim, ...]) -> bool:
        """Stores the SIMs of the row that the phone has by them. Returns whether nothing waits.

        Raises:
            OrgFull: The org's phones would have more than they may.
        """
        state, station, switchboard = self.state, self.station, self.switchboard
        async with self._lock_for(sims):
            if state.parting:
                # Over a link that is ending: phones that are there have said otherwise since.
                elsewhere = switchboard.numbers_online(state.org)
                sims = tuple(sim for sim in sims if sim.form not in elsewhere)
            forms = forms_of(sims)
            had = forms_of(state.online.sims)
            row = await self._recognise(sims)
            is_alone = switchboard.is_alone(station)
            last_woken = switchboard.last_woken(state.org)
            report = await self.retry(lambda: self.registry.report_sims(state.org, row, sims))
            is_fed = not report.something_waits
            is_fed &= switchboard.last_woken(state.org) == last_woken
            self._become(attrs.evolve(state.online, phone=row, sims=tuple(report.sims)))
            if state.online.device_id is None and forms:
                state.has_numbers = True
            switchboard.take(station, forms)
            if is_fed:
                self.feeder.caught_up()
            if not self._settle(is_alone, report.awaited) and forms_of(report.sims) - had:
                # Something may have waited for just this SIM.
                state.resume_again()
            await self._forget(report.losers)
        return is_fed

    def _lock_for(self, sims: Sequence[Sim]) -> AbstractAsyncContextManager[None]:
        """Returns the lock under which these SIMs may be stored."""
        org, switchboard = self.state.org, self.switchboard
        # A SIM without a number may have one that its owner gave it, which another may report.
        if self.state.online.device_id is None or any(sim.form is None for sim in sims):
            return switchboard.identity_lock(org)
        return switchboard.identity_lock_beside_others(org, forms_of(sims))

    async def _recognise(self, sims: Sequence[Sim]) -> int:
        """Finds the row of a phone that reports these SIMs. Messages pushed to it come along.

        Raises:
            OrgFull: The phone is new, and the org's phones have as many SIMs as they may.
        """
        state = self.state
        if not (state.anonymous and forms_of(sims)):
            return state.phone
        old = state.phone
        ids = None if state.is_new else frozenset(state.window.in_flight)
        known, _ = await self.registry.known_by(state.org, sims)
        if known is not None and self.switchboard.at(known) is not None:
            # Another phone is there under that row. The number is this one's from now on.
            known = None
        if known is None and (state.is_new or state.identified):
            return old
        row = await self.retry(
            lambda: self.registry.recognise(state.org, old, sims, known=known, ids=ids)
        )
        if ids is not None:
            # Another phone's, which has yet to come back.
            self.order.drop_left_open()
        self._become(attrs.evolve(state.online, phone=row))
        return row

    async def _inherit(self, row: int) -> None:
        """Takes over what was given to a link that fell silent before this one began.

        Neither link's phone sends a name or a number, so that nothing else could bring them
        together, and what was pushed into the dead link would wait for ever.
        """
        state = self.state
        async with self.switchboard.identity_lock(state.org):
            new, sims = state.phone, state.online.sims
            if not state.anonymous or row == new or self.switchboard.at(row) is not None:
                return
            await self.retry(lambda: self.registry.inherit(state.org, sims, row, new))
        state.resume_again()
        self.feeder.wake()

    async def _adopt(self, message: Message) -> None:
        """Takes a message that was being stored for this phone while it changed its row."""
        async with self.switchboard.identity_lock(self.state.org):
            old, new = message.phone, self.state.phone
            if old is not None and old != new:
                await self.retry(lambda: self.delivery.move(old, new, [message.id]))
        self.feeder.resume([attrs.evolve(message, phone=new)])

    async def _follow(self, row: int, ids: Collection[int]) -> None:
        """Takes messages along that were being leased while the phone changed its row."""
        async with self.switchboard.identity_lock(self.state.org):
            new = self.state.phone
            if row != new:
                await self.retry(lambda: self.delivery.move(row, new, ids))
                await self._forget([row])

    async def _forget(self, rows: Iterable[int]) -> None:
        """Removes rows that no phone can come back to: unnamed, and without their numbers now."""
        if vacant := [row for row in rows if self.switchboard.is_vacant(row)]:
            await self.retry(lambda: self.registry.forget(self.state.org, vacant))

    def _settle(self, is_alone: bool, awaited: Collection[int]) -> bool:  # noqa: FBT001 - of one caller each
        """Notes that no earlier link left anything open, if that is so. Returns whether it is.

        What the phone was given besides, it was given over this link: where no earlier link of it
        was ending any more, no lease of one could be stored after it was asked.

        Args:
            is_alone: There was none, before it was asked what is awaited.
            awaited: The messages whose result is awaited of the phone.
        """
        if not (is_alone and all(map(self.state.window.knows, awaited))):
            return False
        self.state.owes_nothing()
        return True

    async def _say_full(self, full: OrgFull, field: str) -> None:
        """Tells the phone that its org has as many of something as it may."""
        await self.say(frames.Error(code="org_full", detail=full.detail, field=field))

    def _become(self, online: OnlinePhone) -> None:
        state = self.state
        moved = online.phone != state.phone
        if moved:
            state.move()
            self.reservations.note_end()
            _log.info("phone_recognised", org=state.org_name, phone=online.phone)
        self.switchboard.rename(self.station, online)
        if moved:
            # Other messages may wait for it there.
            self.feeder.wake()


def _sims_of(report: frames.Sims) -> tuple[Sim, ...]:
    return tuple(Sim(slot=sim.slot, number=sim.number, carrier=sim.carrier) for sim in report.sims)


def _of_row(sims: Sequence[Sim], row: int) -> tuple[Sim, ...]:
    return tuple(attrs.evolve(sim, phone=row) for sim in sims)
