"""The phones of an org as its people see and manage them: listed, named, forgotten.

A phone that is forgotten loses its connection, its row and its SIMs. An API key that lets phones in
and nothing else, by which it alone came, is revoked with it. Its messages stay. Those that only it
could have sent are cancelled, and those that it has had without a word become uncertain.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Literal, Protocol, TypeVar

import attrs

from phonegate import log
from phonegate.domain import delivery
from phonegate.domain.authentication import Authentication
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.managed_phones import Look, ManagedPhone, ManagedPhones, Signs, is_blank
from phonegate.model.orgs import ApiKey
from phonegate.model.phones import Phone, Sim, number_form
from phonegate.model.principal import Scope
from phonegate.model.refusals import Conflict, NotFound, Refused
from phonegate.model.states import Cause
from phonegate.store.database import Database
from phonegate.store.tables import Tables

CANCELLED_AT_ONCE: Final = 500
"""Messages of a forgotten phone that one transaction cancels: some 10 ms of the writer's time."""

FORGOTTEN: Final = "its phone was forgotten"
"""The `error` of a message that only a forgotten phone could have sent."""

NO_RESULT: Final = "its phone was forgotten before it reported a result"

PHONE_SCOPE: Final[Scope] = "phone"

NOT_FOUND: Final = "No such phone in this org."

_log = log.get("phones")

T = TypeVar("T")


class LivePhones(Protocol):
    """The connected phones, as far as managing them needs it. `phones.switchboard` has them."""

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        """Returns the org's connected phones, earliest connection first."""

    def signs(self, phone: int) -> Signs | None:
        """Returns the signs of life of a connected phone. None if it is not connected."""

    def identity_lock(self, org: int) -> AbstractAsyncContextManager[None]:
        """Held while the SIMs of a connected phone of the org change."""

    def give_numbers(self, phone: int, sims: Sequence[Sim]) -> None:
        """Takes the numbers that their owner gave to SIMs of a phone, or took back."""

    async def expel(self, phone: int) -> None:
        """Sends a phone away, now and if it comes back on its row."""

    def readmit(self, phone: int) -> None:
        """Lets a phone in again that is not forgotten after all."""


@attrs.frozen(kw_only=True)
class GivenNumber:
    """The number that an owner gives to the SIM in a slot. None takes it back."""

    slot: int
    number: str | None


@attrs.frozen(kw_only=True)
class Forgotten:
    """What became of a forgotten phone's messages and its key."""

    org_name: str
    cancelled: int
    """Messages that only it could have sent."""
    uncertain: int
    """Messages that it had, and may have sent."""
    revoked_key: str | None
    """The id of the API key that ended with it."""


class NumberRefused(Exception):
    """One of several numbers can't be given. `cause` says why, and what kind of refusal it is.

    `field` is what is wrong of the number at `index`, and `problem` is what is wrong with it.
    """

    def __init__(
        self, cause: Refused, index: int, field: Literal["slot", "number"], problem: str
    ) -> None:
        self.cause = cause
        self.index = index
        self.field = field
        self.problem = problem
        super().__init__(cause.detail)


class PhoneManagement:
    """Lists, names and forgets phones."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        live: LivePhones,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._live = live
        self._now_ms = now_ms

    async def show(self, org: int, show: Callable[[ManagedPhones], T]) -> T:
        """Returns what `show` makes of all phones of an org, in the thread that reads them.

        Left out are those of which nothing is known and for which nothing waits.
        """
        look = self._look(org)

        def read(tx: Tables) -> T:
            found = look.at(tx, tx.phones.of_org(org), tx.phones.known_sims(org))
            return show(attrs.evolve(found, phones=[one for one in found.phones if one.is_shown]))

        return await self._database.read(read)

    async def one(self, org: int, phone: int) -> ManagedPhone:
        """Returns one phone of an org.

        Raises:
            NotFound: The org has no such phone.
        """
        look = self._look(org)
        found = await self._database.read(
            lambda tx: look.at(tx, [_row(tx, org, phone)], tx.phones.known_sims(org))
        )
        return found.phones[0]

    async def change(
        self,
        org: int,
        phone: int,
        *,
        name: str | None = None,
        numbers: Sequence[GivenNumber] = (),
    ) -> ManagedPhone:
        """Gives a phone a name, and SIMs of it their numbers, all of that or nothing.

        Args:
            org: Its org.
            phone: Which phone.
            name: What to call it. An empty text is what it calls itself, None leaves it as it is.
            numbers: The numbers of SIMs that the phone does not know itself.

        Returns:
            The phone as it is then.

        Raises:
            NotFound: The org has no such phone.
            NumberRefused: A number can't be given.
        """

        def change(tx: Tables) -> Sequence[Sim]:
            _row(tx, org, phone)
            if name is not None:
                tx.phones.give_name(phone, name or None)
            for index, given in enumerate(numbers):
                _require_free(tx, org, phone, index, given)
                tx.phones.give_number(org, phone, given.slot, given.number)
            return tx.phones.sims_of(phone)

        async with self._live.identity_lock(org):
            sims = await self._database.write(change)
            if numbers:
                self._live.give_numbers(phone, sims)
        return await self.one(org, phone)

    async def forget(self, org: int, phone: int) -> Forgotten:
        """Forgets a phone. It may come back as a new one where it has another credential.

        A long queue is cancelled in steps, before all else. If the gateway or the client stops
        meanwhile, the phone is there still, and another call goes on.

        Raises:
            NotFound: The org has no such phone.
        """
        await self._database.read(lambda tx: _row(tx, org, phone))
        cancelled = 0
        try:
            await self._live.expel(phone)
            step = CANCELLED_AT_ONCE
            while step == CANCELLED_AT_ONCE:
                step = await self._database.write(lambda tx: _cancel(tx, org, phone))
                cancelled += step
            now = self._now_ms()
            online = {one.phone for one in self._live.online(org)}
            forgotten = await self._authentication.change(
                lambda tx: _forget(tx, org, phone, online, now)
            )
        except NotFound:
            # Another call has forgotten it meanwhile: it stays out.
            raise
        except BaseException:
            self._live.readmit(phone)
            raise
        if forgotten.revoked_key is not None:
            # No other phone came by it, so that none has to come in again.
            self._authentication.changed(org, phones=False)
        _log.info("phone_forgotten", org=forgotten.org_name, phone=phone, key=forgotten.revoked_key)
        return attrs.evolve(forgotten, cancelled=cancelled + forgotten.cancelled)

    def _look(self, org: int) -> Look:
        online = self._live.online(org)
        signs = {phone.phone: self._live.signs(phone.phone) for phone in online}
        return Look(org=org, online=online, signs=signs, now=self._now_ms())


def _row(tx: Tables, org: int, phone: int) -> Phone:
    row = tx.phones.get(phone)
    if row is None or row.org != org:
        raise NotFound(NOT_FOUND)
    return row


def _require_free(tx: Tables, org: int, phone: int, index: int, given: GivenNumber) -> None:
    """Refuses a number that this SIM can't have.

    Raises:
        NumberRefused: There is no such SIM, or the number is another's, or its phone knows it.
    """
    sims = {sim.slot: sim for sim in tx.phones.sims_of(phone)}
    if given.slot not in sims:
        slots = ", ".join(map(str, sims))
        has = f"which has {slots}" if sims else "which has reported none"
        only = f"SIMs in slot {slots} only" if len(sims) == 1 else f"SIMs in the slots {slots} only"
        raise NumberRefused(
            NotFound(f"This phone has {only}." if sims else "This phone has reported no SIM yet."),
            index,
            "slot",
            f"is that of no SIM of this phone, {has}",
        )
    if given.number is None:
        return
    form = number_form(given.number)
    sim = sims[given.slot]
    if sim.number is not None and not sim.given and sim.form != form:
        raise NumberRefused(
            Conflict(f"The phone itself knows the number in slot {given.slot}: {sim.number}."),
            index,
            "number",
            "is not the one that the phone itself reports",
        )
    for other in tx.phones.holding(org, [form]):
        if other.phone != phone or (other.slot != given.slot and not other.given):
            where = f"slot {other.slot} of phone {other.phone}"
            raise NumberRefused(
                Conflict(f"{given.number} is the number of another SIM: {where}."),
                index,
                "number",
                f"is the number of another SIM: {where}",
            )


def _cancel(tx: Tables, org: int, phone: int) -> int:
    """Cancels queued messages that only this phone could send, a step of them."""
    forms = [sim.form for sim in tx.phones.sims_of(phone) if sim.form is not None]
    return tx.phone_queue.withdraw(org, phone, forms, CANCELLED_AT_ONCE, error=FORGOTTEN)


def _forget(tx: Tables, org: int, phone: int, online: Collection[int], now: int) -> Forgotten:
    row = _row(tx, org, phone)
    held = tx.phone_queue.awaiting_result(phone)
    for message in held:
        delivery.give_up(tx, message, Cause.LOST_TRACK, NO_RESULT, now)
    cancelled = 0
    while step := _cancel(tx, org, phone):
        cancelled += step
    key = _own_key(tx, row, online)
    if key is not None:
        tx.keys.remove(org, key.id)
    tx.phones.remove(org, phone)
    owner = tx.orgs.by_id(org)
    return Forgotten(
        org_name="" if owner is None else owner.name,
        cancelled=cancelled,
        uncertain=len(held),
        revoked_key=None if key is None else key.id,
    )


def _own_key(tx: Tables, row: Phone, online: Collection[int]) -> ApiKey | None:
    """Returns the API key by which a phone came, if that is good for nothing but this phone."""
    key = None if row.key is None else tx.keys.get(row.key)
    if key is None or key.scopes != (PHONE_SCOPE,):
        return None
    for other in tx.phones.by_key(row.org, key.id):
        if other.id == row.id:
            continue
        if other.id in online or not is_blank(other, tx.phones.sims_of(other.id)):
            return None
    return key
