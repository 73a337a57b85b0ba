"""Phones as their owner lists, names and forgets them, over the real store."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.accounts import Accounts
from phonegate.domain.credentials import Cost
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.managed_phones import ManagedPhone, Signs, shares
from phonegate.domain.phone_management import (
    CANCELLED_AT_ONCE,
    FORGOTTEN,
    NO_RESULT,
    GivenNumber,
    NumberRefused,
    PhoneManagement,
)
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.model.messages import Message, NewMessage, PageQuery, Queue
from phonegate.model.phones import Health, Sim
from phonegate.model.principal import Scope
from phonegate.model.refusals import Conflict, NotFound, Unauthorized
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import bus_of

NOW = 10_000_000


@attrs.define
class Live:
    """Phones that are connected because a test says so."""

    phones: list[OnlinePhone] = attrs.field(factory=list)
    known_signs: dict[int, Signs] = attrs.field(factory=dict)
    said: list[object] = attrs.field(factory=list)
    lock: trio.Lock = attrs.field(factory=trio.Lock)

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        return tuple(self.phones)

    def signs(self, phone: int) -> Signs | None:
        return self.known_signs.get(phone)

    def identity_lock(self, org: int) -> trio.Lock:
        return self.lock

    def give_numbers(self, phone: int, sims: Sequence[Sim]) -> None:
        assert self.lock.locked()
        self.said.append((phone, [sim.number for sim in sims]))

    async def expel(self, phone: int) -> None:
        self.said.append(("expel", phone))

    def readmit(self, phone: int) -> None:
        self.said.append(("readmit", phone))

    def connect(self, phone: int, *sims: Sim, signs: Signs | None = None) -> None:
        one = OnlinePhone(phone=phone, device_id="d", name=None, sims=sims)
        self.phones.append(one)
        self.known_signs[phone] = signs or Signs(heard_s=0)


@attrs.define
class Site:
    database: Database
    live: Live
    accounts: Accounts
    phones: PhoneManagement
    org: int

    async def phone(self, name: str, *sims: Sim, key: str | None = None) -> int:
        def add(tx: Tables) -> int:
            row = tx.phones.connect(self.org, name, 1)
            tx.phones.came_by(row.id, "link", key)
            tx.phones.report_sims(self.org, row.id, sims, 2)
            return row.id

        return await self.database.write(add)

    async def put(self, *, to: int | None = None, given: bool = False, **asked: Any) -> int:
        """Stores a queued message, and gives it to a phone that reports no result."""
        new = NewMessage(
            org=self.org, address="+15553334444", body="hi", created_at=1, segments=1, phone=to,
            **asked,
        )  # fmt: skip
        message = await self.database.write(lambda tx: tx.messages.insert(new))
        if given:
            assert to is not None
            await self.database.write(
                lambda tx: tx.phone_queue.lease([message], phone=to, sim_slot=None, sim=None, now=2)
            )
        return message

    async def message(self, message: int) -> Message:
        found = await self.database.read(lambda tx: tx.messages.find(self.org, message))
        assert found is not None
        return found

    async def all(self) -> tuple[list[ManagedPhone], int]:
        return await self.phones.show(self.org, lambda all_: (list(all_.phones), all_.unassigned))

    async def key(self, *scopes: Scope) -> tuple[str, str]:
        key, text = await self.accounts.keys.add(self.org, "phone", scopes)
        return key.id, text

    async def is_let_in(self, text: str) -> bool:
        try:
            await self.accounts.authentication.authenticate(
                text, org_name=None, address="192.0.2.1", scope="phone"
            )
        except Unauthorized:
            return False
        return True


@pytest.fixture
async def site(database: Database) -> Site:
    live = Live()
    accounts = Accounts(
        database, now_ms=lambda: NOW, cost=Cost(log2_n=4, r=1, p=1), registration=Registration(),
        rate_limits=RateLimits(), publish=bus_of(database).publish,
    )  # fmt: skip
    phones = PhoneManagement(database, accounts.authentication, live, now_ms=lambda: NOW)
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))
    return Site(database, live, accounts, phones, org.id)


async def test_phones_are_shown_as_they_are_and_were(site: Site) -> None:
    sim = Sim(slot=0, number="+15551112222")
    here, away = await site.phone("here", sim), await site.phone("away")
    await site.database.write(lambda tx: tx.phones.note_health(here, Health(battery=5), 3))
    await site.database.write(lambda tx: tx.phones.note_health(away, Health(battery=6), 4))
    site.live.connect(here, sim, signs=Signs(heard_s=2.5, health=Health(battery=70)))
    await site.put(sim_selector="+15551112222")
    await site.put()
    await site.put(to=away, sim_selector="1")
    await site.put(to=away, given=True)
    (first, second), unassigned = await site.all()
    assert (first.is_online, first.health, first.last_seen) == (
        True,
        Health(battery=70),
        NOW - 2_500,
    )
    assert (second.is_online, second.health, second.last_seen) == (False, Health(battery=6), 4)
    assert first.sims == [attrs.evolve(sim, phone=here)]
    assert second.sims == []
    assert (first.waiting, second.waiting, unassigned) == (2, 2, 0)
    # What it said before still counts while it has said nothing new.
    site.live.known_signs[here] = Signs(heard_s=0)
    assert (await site.phones.one(site.org, here)).health == Health(battery=5)
    with pytest.raises(NotFound):
        await site.phones.one(site.org + 1, here)


async def test_a_phone_whose_key_was_revoked_says_so(site: Site) -> None:
    key, _ = await site.key("phone")
    phone, other = await site.phone("a", key=key), await site.phone("b")
    assert (await site.phones.one(site.org, phone)).hint is None
    await site.database.write(lambda tx: tx.phones.set_hint(phone, "Choose SSE only."))
    await site.accounts.keys.revoke(site.org, key)
    shown = await site.phones.one(site.org, phone)
    assert shown.hint is not None
    assert "key of this phone was revoked" in shown.hint
    assert attrs.evolve(shown, is_online=True).hint == "Choose SSE only."
    assert (await site.phones.one(site.org, other)).hint is None


async def test_a_name_is_given_and_taken_back(site: Site) -> None:
    phone = await site.phone("a")
    await site.database.write(lambda tx: tx.phones.describe(phone, name="Pixel", now=3))
    assert (await site.phones.change(site.org, phone, name="Till")).name == "Till"
    assert (await site.phones.change(site.org, phone)).name == "Till"
    assert (await site.phones.change(site.org, phone, name="")).name == "Pixel"
    assert site.live.said == []
    with pytest.raises(NotFound):
        await site.phones.change(site.org, phone + 1, name="x")


async def test_numbers_are_given_where_they_are_free(site: Site) -> None:
    phone = await site.phone("a", Sim(slot=0, number="+1 555 000"), Sim(slot=1), Sim(slot=2))
    other = await site.phone("b", Sim(slot=0, number="+15559"), Sim(slot=1))

    async def give(*numbers: tuple[int, str | None], to: int = phone) -> list[str | None]:
        given = [GivenNumber(slot=slot, number=number) for slot, number in numbers]
        changed = await site.phones.change(site.org, to, numbers=given)
        return [sim.number for sim in changed.sims]

    assert await give((1, "+15551")) == ["+1 555 000", "+15551", None]
    assert site.live.said == [(phone, ["+1 555 000", "+15551", None])]
    # The same as the phone reports is no other; and a number may go to another slot.
    assert await give((0, "+1555000"), (1, None), (2, "+15551")) == ["+1 555 000", None, "+15551"]
    for to, numbers, cause, place in (
        (phone, [(3, "+15552")], NotFound, (0, "slot")),
        (phone, [(1, "+15552"), (9, None)], NotFound, (1, "slot")),
        (phone, [(0, "+15552")], Conflict, (0, "number")),
        (phone, [(1, "+1555000")], Conflict, (0, "number")),
        (phone, [(1, "+15559")], Conflict, (0, "number")),
        (other, [(1, "+15551")], Conflict, (0, "number")),
    ):
        with pytest.raises(NumberRefused) as refused:
            await give(*numbers, to=to)
        assert type(refused.value.cause) is cause
        assert (refused.value.index, refused.value.field) == place
        if place[1] == "slot":
            assert str(refused.value.cause) == "This phone has SIMs in the slots 0, 1, 2 only."
    assert await give((0, None)) == ["+1 555 000", None, "+15551"]
    # All or nothing.
    with pytest.raises(NumberRefused):
        await give((1, "+15558"), (0, "+15557"))
    assert await give((2, None)) == ["+1 555 000", None, None]


async def test_a_forgotten_phone_leaves_no_message_waiting_for_it(site: Site) -> None:
    sim = Sim(slot=0, number="+15551112222")
    phone, other = await site.phone("a", sim), await site.phone("b", Sim(slot=0, number="+15559"))
    slot, number = await site.put(to=phone, sim_selector="0"), await site.put(sim_selector=sim.form)
    held = await site.put(sim_selector=sim.form, held_until=NOW + 1)
    given = await site.put(to=phone, sim_selector="0", given=True, on_uncertain="resend")
    theirs = [
        await site.put(),
        await site.put(to=other, sim_selector="0"),
        await site.put(to=other, given=True),
        await site.put(sim_selector="+15559", held_until=NOW + 1),
    ]
    forgotten = await site.phones.forget(site.org, phone)
    # The copy of what is uncertain asks for the same phone, and goes with it.
    assert (forgotten.cancelled, forgotten.uncertain, forgotten.revoked_key) == (4, 1, None)
    for message in (slot, number, held):
        found = await site.message(message)
        assert (found.status, found.error) == ("cancelled", FORGOTTEN)
    found = await site.message(given)
    assert found.status == "uncertain"
    assert NO_RESULT in (found.error or "")
    assert [(await site.message(one)).status for one in theirs] == [
        "queued", "queued", "sending", "queued",
    ]  # fmt: skip
    assert site.live.said == [("expel", phone)]
    assert [one.row.id for one in (await site.all())[0]] == [other]
    known = await site.database.read(lambda tx: tx.phones.known_sims(site.org))
    assert [one.number for one in known] == ["+15559"]
    with pytest.raises(NotFound):
        await site.phones.forget(site.org, phone)
    with pytest.raises(NotFound):
        await site.phones.forget(site.org + 1, other)


async def test_a_long_queue_is_cancelled_in_steps(site: Site) -> None:
    phone = await site.phone("a", Sim(slot=0))
    new = NewMessage(
        org=site.org, address="+1555", body="x", created_at=1, segments=1, phone=phone,
        sim_selector="0",
    )  # fmt: skip
    many = CANCELLED_AT_ONCE + 3

    def put(tx: Tables) -> None:
        for _ in range(many):
            tx.messages.insert(new)

    await site.database.write(put)
    assert (await site.phones.forget(site.org, phone)).cancelled == many
    left = await site.database.read(
        lambda tx: tx.messages.page(site.org, PageQuery(status="queued"))
    )
    assert left == []


async def test_a_phone_is_let_in_again_where_it_can_not_be_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await site.phone("a")

    async def fail(_: object) -> object:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(site.accounts.authentication, "change", fail)
    with pytest.raises(StorageUnavailable):
        await site.phones.forget(site.org, phone)
    assert site.live.said == [("expel", phone), ("readmit", phone)]
    assert [one.row.id for one in (await site.all())[0]] == [phone]


async def test_a_phone_is_let_in_again_where_nothing_waits_for_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await site.phone("a")

    async def expel(live: Live, phone: int) -> None:
        live.said.append(("expel", phone))
        scope.cancel()
        await trio.sleep_forever()

    monkeypatch.setattr(Live, "expel", expel)
    with trio.CancelScope() as scope:
        await site.phones.forget(site.org, phone)
    assert site.live.said == [("expel", phone), ("readmit", phone)]


async def test_a_phone_that_two_forget_at_once_stays_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await site.phone("a")
    expel = Live.expel

    async def expel_slowly(live: Live, phone: int) -> None:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Live, "expel", expel)
            await site.phones.forget(site.org, phone)
        await expel(live, phone)

    monkeypatch.setattr(Live, "expel", expel_slowly)
    with pytest.raises(NotFound):
        await site.phones.forget(site.org, phone)
    assert site.live.said == [("expel", phone)] * 2


async def test_only_a_key_that_is_a_phone_s_alone_ends_with_it(site: Site) -> None:
    own, text = await site.key("phone")
    assert await site.is_let_in(text)
    phone = await site.phone("a", key=own)
    assert (await site.phones.forget(site.org, phone)).revoked_key == own
    assert not await site.is_let_in(text)

    shared, shared_text = await site.key("phone")
    able, able_text = await site.key("phone", "send")
    first, _, third = (
        await site.phone("b", key=shared),
        await site.phone("c", key=shared),
        await site.phone("d", key=able),
    )
    for phone in (first, third):
        assert (await site.phones.forget(site.org, phone)).revoked_key is None
    assert await site.is_let_in(shared_text)
    assert await site.is_let_in(able_text)
    # One that was revoked before is gone already.
    late, _ = await site.key("phone")
    phone = await site.phone("e", key=late)
    await site.accounts.keys.revoke(site.org, late)
    assert (await site.phones.forget(site.org, phone)).revoked_key is None


async def test_a_row_on_which_a_connection_began_is_no_phone(site: Site) -> None:
    key, text = await site.key("phone")
    phone = await site.phone("a", key=key)

    def begin(tx: Tables) -> int:
        row = tx.phones.connect(site.org, None, 2)
        tx.phones.came_by(row.id, "link", key)
        return row.id

    began = await site.database.write(begin)
    assert [one.row.id for one in (await site.all())[0]] == [phone]
    # While it is connected it may be another phone.
    site.live.connect(began)
    assert [one.row.id for one in (await site.all())[0]] == [phone, began]
    assert (await site.phones.forget(site.org, phone)).revoked_key is None
    site.live.phones.clear()
    phone = await site.phone("b", key=key)
    assert (await site.phones.forget(site.org, phone)).revoked_key == key
    assert not await site.is_let_in(text)
    # What waits for it is seen.
    await site.put(to=began)
    assert [(one.row.id, one.waiting) for one in (await site.all())[0]] == [(began, 1)]


_FORMS = st.sampled_from(["+1550", "+1551", None])
_SIMS = st.builds(
    lambda slot, number, phone: Sim(slot=slot, number=number, phone=phone),
    st.integers(0, 2), _FORMS, st.integers(1, 3),
)  # fmt: skip
_ONLINE = st.builds(
    lambda phone, sims: OnlinePhone(phone=phone, device_id=None, name=None, sims=tuple(sims)),
    st.integers(1, 3), st.lists(_SIMS, max_size=2),
)  # fmt: skip
_QUEUES = st.builds(
    Queue, st.sampled_from([None, 1, 2, 3]), st.sampled_from(["", "0", "1", "+1550", "carrier"])
)


@given(
    st.dictionaries(_QUEUES, st.integers(1, 9), max_size=8),
    st.lists(_SIMS, max_size=4),
    st.lists(_ONLINE, max_size=3, unique_by=lambda one: one.phone),
)
def test_every_queued_message_waits_for_one_phone_or_for_none(
    queued: dict[Queue, int], known: list[Sim], online: list[OnlinePhone]
) -> None:
    counts, unassigned = shares(queued, known, online)
    of_carriers = sum(n for q, n in queued.items() if q == (None, "carrier"))
    assert sum(counts.values()) + unassigned + of_carriers == sum(queued.values())
    for queue, count in queued.items():
        if queue.phone is not None:
            assert counts[queue.phone] >= count
        elif queue.sim_selector == "" and online:
            assert counts[online[0].phone] >= count
        elif queue.sim_selector == "0" and not any(s.slot == 0 for p in online for s in p.sims):
            assert unassigned >= count
