"""Who is online, and the way from a message to the phone that sends it.

Everything here but a few waits is synchronous, and all of it runs on the event loop. A `Station` is
one connected phone, of whatever kind.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.dispatch import OnlinePhone, follow
from phonegate.domain.forecast import Outlook
from phonegate.domain.managed_phones import Signs
from phonegate.model.facts import Fact, OrgChanged, Suspended
from phonegate.model.messages import Message, Pushed, Queue
from phonegate.model.phones import Sim
from phonegate.phones.close_codes import (
    FORGOTTEN,
    POLICY_VIOLATION,
    REPLACED,
    RESTART,
)
from phonegate.phones.identity_lock import IdentityLock
from phonegate.phones.numbers_online import NumbersOnline
from phonegate.phones.rows_in_use import RowsInUse
from phonegate.phones.switchboard_station import Station

GOODBYE_S: Final = 2.5
"""How long `close_all` waits for phones to answer their close frames before it drops the rest.
The gateway gives the whole step three seconds."""

MOST_WOKEN: Final = 10_000
"""Orgs of which it is known when their phones were woken last."""

_log = log.get("phones")


class Switchboard:
    """Implements `domain.dispatch.Dispatcher` over the stations that are online."""

    def __init__(self) -> None:
        self._by_phone: dict[int, Station] = {}
        # Dicts for their order, which is that of connection. The values ascend with it.
        self._by_org: dict[int, dict[Station, int]] = {}
        self._turns = count()
        self._woken: dict[int, int] = {}
        self._wakings = self._forgotten_wakings = 0
        self._numbers = NumbersOnline()
        self._views: dict[int, tuple[OnlinePhone, ...]] = {}
        self._rows = RowsInUse()
        self._moved: dict[int, Station] = {}
        self._moves: dict[Station, list[int]] = {}
        """The rows that each has left, some of which are others' by now."""
        self._open: dict[Station, None] = {}
        self._identifying: dict[int, IdentityLock] = {}
        self._closing: tuple[int, str] | None = None
        self.on_seat: Callable[[int], None] = _ignore
        """Called with the row of a phone that has come, gone, or turned out to be on that row."""

    # --- Dispatcher

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        """Returns the org's connected phones, earliest first: the same tuple until they change."""
        view = self._views.get(org)
        if view is None:
            stations = self._by_org.get(org)
            if stations is None:
                return ()
            view = self._views[org] = tuple(station.online for station in stations)
        return view

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        """Takes a place for one message on a phone, if it can be pushed right now."""
        station = self._by_phone.get(phone)
        return station is not None and station.reserve(sim, segments)

    def reserve_all(self, phone: int, sim: Sim | None, segments: Sequence[int]) -> bool:
        """Takes a place for each of some messages on a phone, or none, as `reserve` does."""
        station = self._by_phone.get(phone)
        return station is not None and station.reserve_all(sim, segments)

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        """Gives back a reservation whose message was not stored."""
        station = self._by_phone.get(phone)
        if station is not None:
            station.release(sim, segments)

    def push(self, phone: int, message: Message) -> None:
        """Pushes a committed message. A phone that has left since then gets it on its return."""
        station = self._by_phone.get(phone)
        if station is not None:
            station.push(message)
        elif (moved := self._moved.get(phone)) is not None:
            # It turned out to be another phone while the message was being stored.
            moved.adopt(message)

    def push_new(self, phone: int, message_id: int, message: Pushed) -> None:
        """Pushes a committed message that was stored to be pushed, as `push` does."""
        station = self._by_phone.get(phone)
        if station is not None:
            station.push_new(message_id, message)
        else:
            self.push(phone, message.stored(message_id))

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a phone's SIM as it stands, or None where there is no limit."""
        station = self._by_phone.get(phone)
        return None if station is None else station.outlook(sim)

    def wake(self, org: int, queues: Collection[Queue] | None = None) -> None:
        """Wakes an org's phones, since messages in queues may leave now. None means any queue.

        In an org of many phones only those that serve one of the queues then look.
        """
        self._wakings += 1
        if len(self._woken) >= MOST_WOKEN:
            self._woken.clear()
            self._forgotten_wakings = self._wakings
        self._woken[org] = self._wakings
        for station in self._by_org.get(org, ()):
            if queues is None or any(station.serves(queue) for queue in queues):
                station.wake()

    def ask_cancel(self, phone: int, message: int) -> bool:
        """Asks a phone to drop a message that it holds. Returns False when it is away or can't."""
        station = self._by_phone.get(phone)
        return station is not None and station.ask_cancel(message)

    def given_up(self, org: int, phone: int, message: int) -> None:  # noqa: ARG002 - the phone says it
        """Frees the room of a message whose result is no longer awaited."""
        station = self._by_phone.get(phone)
        if station is not None:
            station.give_up(message)

    # --- LivePhones, beside `online` and `wake`

    def signs(self, phone: int) -> Signs | None:
        """Returns the signs of life of a connected phone."""
        station = self._by_phone.get(phone)
        return None if station is None else station.signs

    def identity_lock(self, org: int) -> AbstractAsyncContextManager[None]:
        """Held while a connection of this org finds out which row it is, or its SIMs change."""
        return self._identity_lock(org).alone()

    def identity_lock_beside_others(
        self, org: int, numbers: Collection[str]
    ) -> AbstractAsyncContextManager[None]:
        """As `identity_lock`, for a phone that may share it (see `IdentityLock.beside_others`)."""
        return self._identity_lock(org).beside_others(numbers)

    def join_identity_lock_now(self, org: int, numbers: Collection[str]) -> IdentityLock | None:
        """Returns the lock for its `leave`, if it can be held beside others at once."""
        lock = self._identity_lock(org)
        return lock if lock.join_now(numbers) else None

    def _identity_lock(self, org: int) -> IdentityLock:
        return self._identifying.setdefault(org, IdentityLock())

    def give_numbers(self, phone: int, sims: Sequence[Sim]) -> None:
        """Takes the numbers that their owner gave to SIMs of a connected phone, or took back."""
        station = self._by_phone.get(phone)
        if station is None:
            return
        given = {sim.slot: sim for sim in sims if sim.given or sim.number is None}
        online = station.online
        kept = tuple(
            attrs.evolve(sim, number=given[sim.slot].number, given=given[sim.slot].given)
            if sim.slot in given and (sim.given or sim.number is None)
            else sim
            for sim in online.sims
        )
        self.rename(station, attrs.evolve(online, sims=kept))
        station.wake()

    async def expel(self, phone: int) -> None:
        """Sends a phone away, now and if it comes back on its row.

        Returns when all that it had sent is recorded.
        """
        self._rows.expel(phone)
        station = self._by_phone.get(phone)
        if station is not None:
            self._part(station, POLICY_VIOLATION, FORGOTTEN)
        for ending in self._rows.seated(phone):
            await ending.ended.wait()

    def readmit(self, phone: int) -> None:
        """Lets a phone in again that is not forgotten after all."""
        self._rows.readmit(phone)

    # --- for the gateway

    def online_phones(self) -> Collection[int]:
        """Returns the rows of all phones that are connected."""
        return self._by_phone.keys()

    def serves(self, org: int, phone: int | None, sim_selector: str) -> bool:
        """Tells whether a phone is connected that sends messages stored with these values."""
        queue = Queue(phone, sim_selector)
        return any(station.serves(queue) for station in self._by_org.get(org, ()))

    def online_by_org(self) -> dict[int, int]:
        """Returns how many phones of each org are connected."""
        return {org: len(stations) for org, stations in self._by_org.items()}

    def note(self, facts: Sequence[Fact]) -> None:
        """Does what committed changes ask of the phones. Subscribes to the bus."""
        follow(self, facts)
        for fact in facts:
            if type(fact) is OrgChanged:
                self.drop_org(fact.org)
            elif type(fact) is Suspended:
                for station in list(self._by_org.get(fact.org, ())):
                    self._part(station, RESTART, "the org moves to another gateway")

    def drop_org(self, org: int) -> None:
        """Sends an org's phones away: its secret has changed, or the org is gone."""
        for station in list(self._by_org.get(org, ())):
            self._part(station, POLICY_VIOLATION, "the credentials of this org have changed")

    async def org_left(self, org: int) -> None:
        """Returns when all that an org's phones had sent is recorded, once they were sent away."""
        while (one := next((one for one in self._open if one.org == org), None)) is not None:
            await one.ended.wait()

    async def close_all(self, code: int, reason: str, *, goodbye_s: float = GOODBYE_S) -> None:
        """Closes every connection, those to come included, and after `goodbye_s` drops the rest.

        Returns when all that the phones had sent is recorded, or their time is over.
        """
        self._closing = (code, reason)
        for station in list(self._open):
            self._part(station, code, reason)
        with trio.move_on_after(goodbye_s):
            await self._all_ended()
            return
        _log.warning("phones_dropped", count=len(self._open))
        for station in list(self._open):
            station.drop()
        await self._all_ended()

    async def _all_ended(self) -> None:
        while self._open:
            await next(iter(self._open)).ended.wait()

    # --- for the stations

    def join(self, station: Station) -> None:
        """Puts a new connection online, in place of an older one of the same phone."""
        self._open[station] = None
        self._rows.claimed(station.online.phone)
        if self._closing is not None:
            station.close(*self._closing)
            return
        if self._rows.is_expelled(station.online.phone):
            station.close(POLICY_VIOLATION, FORGOTTEN)
            return
        self._by_org.setdefault(station.org, {})[station] = next(self._turns)
        self._numbers.add(station)
        self._seat(station)

    def leave(self, station: Station) -> None:
        """Takes a connection off line. What it has sent may still be on its way to the store."""
        stations = self._by_org.get(station.org, {})
        if station not in stations:
            return
        was_first = next(iter(stations)) is station
        del stations[station]
        self._numbers.remove(station)
        self._unseat(station)
        self._views.pop(station.org, None)
        if not stations:
            del self._by_org[station.org]
        elif was_first and self._closing is None:
            # Messages for any SIM are now another phone's to send.
            next(iter(stations)).wake()

    def done(self, station: Station) -> None:
        """Forgets a connection whose reports are all recorded."""
        self._open.pop(station, None)
        self._rows.release(station)
        for phone in self._moves.pop(station, ()):
            if self._moved.get(phone) is station:
                del self._moved[phone]
        heir = self._heir(station)
        if heir is not None:
            heir.inherit(station.online.phone)
        if station.org not in self._by_org:
            lock = self._identifying.get(station.org)
            if lock is not None and lock.is_free:
                del self._identifying[station.org]

    def rename(self, station: Station, online: OnlinePhone) -> None:
        """Gives a connection another row, name or SIMs. Its place in the order stays."""
        if online.phone == station.online.phone:
            self._describe(station, online)
            self._views.pop(station.org, None)
            return
        self._unseat(station)
        self._rows.release(station)
        self._moved[station.online.phone] = station
        self._moves.setdefault(station, []).append(station.online.phone)
        self._describe(station, online)
        if station in self._by_org.get(station.org, {}):
            self._seat(station)
            if self._rows.is_expelled(online.phone):
                self._part(station, POLICY_VIOLATION, FORGOTTEN)
        else:
            self._rows.seat(station)

    def replace(self, station: Station, numbers: Collection[str]) -> None:
        """Closes the org's older connections that hold one of these numbers, in their form.

        That is a phone that came back before the death of its old link was noticed. A report
        that comes over a link which is ending replaces none: newer ones have come since.
        """
        stations = self._by_org.get(station.org, {})
        if station not in stations:
            return
        holders = self._numbers.holders(station.org, numbers)
        for other in sorted(holders, key=stations.__getitem__):
            # A phone that does not know the number itself is another one.
            known = any(sim.form in numbers and not sim.given for sim in other.online.sims)
            if known and stations[other] < stations[station]:
                self._part(other, REPLACED, "replaced by a newer connection")

    def take(self, station: Station, numbers: Collection[str]) -> None:
        """Gives a connection these numbers, which other phones of the org have no more.

        A SIM that was moved is reported by both phones until the old one looks again.
        """
        for other in self._numbers.holders(station.org, numbers):
            if other is not station:
                kept = tuple(
                    attrs.evolve(sim, number=None, given=False) if sim.form in numbers else sim
                    for sim in other.online.sims
                    if sim.given or sim.form not in numbers
                )
                self.rename(other, attrs.evolve(other.online, sims=kept))

    def numbers_online(self, org: int) -> Collection[str]:
        """Returns the numbers of all SIMs of an org that are online."""
        return self._numbers.of(org)

    def is_first(self, station: Station) -> bool:
        """Tells whether this is the org's earliest connection, which sends what names no SIM."""
        return next(iter(self._by_org.get(station.org, ())), None) is station

    def at(self, phone: int) -> Station | None:
        """Returns the connection of this phone."""
        return self._by_phone.get(phone)

    def identified(self, station: Station) -> None:
        """Notes that it is clear by now on which row this connection is, if it is."""
        if station.identified and self._by_phone.get(station.online.phone) is station:
            self.on_seat(station.online.phone)

    def is_identified(self, phone: int) -> bool:
        """Tells whether a connection has this row, and surely is this phone's."""
        station = self._by_phone.get(phone)
        return station is not None and station.identified

    def is_vacant(self, phone: int) -> bool:
        """Tells whether no connection has this row, be it one that begins or ends."""
        return self._rows.is_vacant(phone)

    def claim(self, phone: int, by: object) -> bool:
        """Sets a row aside for a connection that is being made. Returns False if another has it.

        The claim ends with `join`, or with `unclaim` where it doesn't come to that.
        """
        if phone in self._by_phone:
            return False
        return self._rows.claim(phone, by)

    def unclaim(self, by: object) -> None:
        """Ends the claims of a connection that is not made after all."""
        self._rows.unclaim(by)

    def last_woken(self, org: int) -> int:
        """Returns a number that is another one once the phones of an org were woken again.

        Where it is the same before and after an operation which saw that nothing waits, nothing
        has come to wait since.
        """
        return self._woken.get(org, self._forgotten_wakings)

    def is_alone(self, station: Station) -> bool:
        """Tells whether a connection is its phone's, and no earlier one of it is still ending."""
        phone = station.online.phone
        return self._by_phone.get(phone) is station and len(self._rows.seated(phone)) == 1

    async def predecessors_ended(self, station: Station) -> None:
        """Waits until earlier connections of this phone have recorded all that came over them."""
        for other in self._rows.seated(station.online.phone):
            if other is station:
                return
            await other.ended.wait()

    def _heir(self, station: Station) -> Station | None:
        """Returns the connection by which the phone of an ended one came back, if that is sure.

        Of phones that send neither id nor number it is the only one that began after the last
        sign of life of the other: while both are heard they are two phones.
        """
        if not station.anonymous or station.online.phone in self._by_phone:
            return None
        later = [
            other
            for other in self._by_org.get(station.org, ())
            if other.anonymous and other.began > station.heard_at
        ]
        return later[0] if len(later) == 1 else None

    def _describe(self, station: Station, online: OnlinePhone) -> None:
        if station in self._by_org.get(station.org, {}):
            self._numbers.remove(station)
            station.online = online
            self._numbers.add(station)
        else:
            station.online = online

    def _seat(self, station: Station) -> None:
        phone = station.online.phone
        older = self._by_phone.get(phone)
        if older is not None:
            self._part(older, REPLACED, "replaced by a newer connection")
        self._by_phone[phone] = station
        self.on_seat(phone)
        self._moved.pop(phone, None)
        self._rows.seat(station)
        self._views.pop(station.org, None)

    def _unseat(self, station: Station) -> None:
        phone = station.online.phone
        if self._by_phone.get(phone) is station:
            del self._by_phone[phone]
            self.on_seat(phone)

    def _part(self, station: Station, code: int, reason: str) -> None:
        self.leave(station)
        station.close(code, reason)


def _ignore(phone: int) -> None:
    """Takes no notice of a phone."""
