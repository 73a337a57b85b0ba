"""Received SMS that are stored together come to the same as each call alone."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.inbox import Origin, Receipt, Received
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.reception import Inbox, Reception
from phonegate.model.facts import Changed
from phonegate.model.media import Part
from phonegate.model.messages import PageQuery
from phonegate.model.phones import Sim
from phonegate.model.refusals import DiskLow, StorageSpent
from phonegate.store.database import Database
from phonegate.store.rows import SELECTED
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.store.conftest import memory

NOW = 1_700_000_000_000
SIMS = (Sim(slot=0, number="+15550001111", carrier=None), Sim(slot=1, number=None, carrier=None))

ITEMS = st.builds(
    Received,
    address=st.sampled_from(["+1555", "BANK"]),
    body=st.sampled_from(["hello", "é" * 80, ""]),
    date=st.sampled_from([None, NOW, NOW + 1]),
    sim_slot=st.sampled_from([None, 0, 1]),
    sim=st.sampled_from([None, "+15550001111"]),
    local_id=st.sampled_from([None, None, 7]),
    media_urls=st.sampled_from([None, None, ("https://a/1",)]),
)
CALLS = st.tuples(
    st.lists(st.lists(ITEMS, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from([1, 1, 2]),
    st.sampled_from([None, None, 1]),
    st.sampled_from([None, "phone"]),
    st.integers(0, 3),
)


@attrs.define
class Store:
    """A store in memory with two orgs and a phone, and the limits of them."""

    connection: sqlite3.Connection
    tables: Tables
    limits: RateLimits

    @classmethod
    def made(cls, bytes_per_day: int, *, plain: bool) -> "Store":
        connection = memory()
        tables = Tables(connection)
        for name in ("one", "two"):
            tables.orgs.add(name, "hash", NOW)
        phone = tables.phones.connect(1, None, NOW).id
        tables.phones.report_sims(1, phone, SIMS, NOW)
        if plain:
            connection.execute("INSERT OR REPLACE INTO marks VALUES ('plain_fingerprints', 1)")
        bounds = Bounds(org_bytes_per_day=bytes_per_day)
        return cls(connection, tables, RateLimits(bounds))

    def op(self, call: tuple[Any, ...]) -> Reception:
        groups, org, phone, device_id, later = call
        origin = Origin(org, phone if org == 1 else None, device_id)
        return Reception(groups, origin, NOW + later, self.limits)

    def each_alone(self, calls: Sequence[tuple[Any, ...]]) -> list[Receipt | Exception]:
        found: list[Receipt | Exception] = []
        for call in calls:
            mark = self.tables.mark()
            self.connection.execute("SAVEPOINT op")
            try:
                found.append(self.op(call)(self.tables))
            except (StorageSpent, DiskLow) as error:
                self.connection.execute("ROLLBACK TO op")
                self.tables.undo(mark)
                found.append(error)
            self.connection.execute("RELEASE op")
        return found

    def numbers(self) -> dict[int, int]:
        """The ids of what is stored, and their places: a repeat may cost an id."""
        rows = self.connection.execute("SELECT id FROM messages ORDER BY id")
        return {id_: place for place, (id_,) in enumerate(rows)}

    def shown(self, found: Sequence[Receipt | Exception]) -> list[str]:
        places = self.numbers()
        return [
            repr(attrs.evolve(one, ids=tuple(places[id_] for id_ in one.ids)))
            if isinstance(one, Receipt)
            else repr(one)
            for one in found
        ]

    def state(self) -> Any:
        self.tables.storage_quota.write()
        places = self.numbers()
        rows = self.connection.execute(f"SELECT {SELECTED}, fingerprint FROM messages").fetchall()
        at = SELECTED.split(", ").index("id")
        facts = Counter(
            (places[fact.id], *fact[1:-2], repr(fact.message))
            if isinstance(fact, Changed)
            else repr(fact)
            for fact in self.tables.facts
        )
        return (
            self.connection.execute("SELECT id, stored_bytes, stored_at FROM orgs").fetchall(),
            [(*row[:at], places[row[at]], *row[at + 1 :]) for row in rows],
            facts,
        )


@settings(deadline=None, max_examples=60)
@given(
    earlier=st.lists(CALLS, max_size=2),
    calls=st.lists(CALLS, min_size=2, max_size=5),
    most=st.sampled_from([0, 700, 2_000]),
    plain=st.booleans(),
)
def test_together_comes_to_the_same_as_one_after_the_other(
    earlier: list[Any], calls: list[Any], most: int, *, plain: bool
) -> None:
    one, other = Store.made(most, plain=plain), Store.made(most, plain=plain)
    with closing(one.connection), closing(other.connection):
        for store in (one, other):
            store.each_alone(earlier)
        expected = one.each_alone(calls)
        found = Reception.together(other.tables, [other.op(call) for call in calls])
        assert found is not None
        assert other.shown(found) == one.shown(expected)
        assert other.limits.refused == one.limits.refused
        assert other.state() == one.state()


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    for name in ("one", "two"):
        await database.write(lambda tx, name=name: tx.orgs.add(name, "hash", NOW))  # type: ignore[misc]
    return Inbox(database, RateLimits(), now_ms=lambda: NOW)


async def test_what_many_push_at_once_is_stored_once(database: Database, inbox: Inbox) -> None:
    sms = [Received(address="+1555", body=f"text {n}", date=NOW + n) for n in range(20)]
    receipts: list[Receipt] = []

    async def push(org: int, one: Received) -> None:
        receipts.append(await inbox.receive(org, [one], device_id=None))

    async with trio.open_nursery() as nursery:
        for one in [*sms, *sms]:
            nursery.start_soon(push, 1, one)
            nursery.start_soon(push, 2, one)
    assert Counter((one.stored, one.duplicates) for one in receipts) == {(1, 0): 40, (0, 1): 40}
    for org in (1, 2):
        page = await database.read(lambda tx, org=org: tx.messages.page(org, PageQuery()))  # type: ignore[misc]
        assert sorted(one.body for one in page) == sorted(one.body for one in sms)
        assert {one.id for one in page} <= {id_ for one in receipts for id_ in one.ids}


async def test_a_fault_in_noting_a_push_does_not_keep_its_sender_waiting(
    database: Database,
) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    await database.write(lambda tx: tx.orgs.add("one", "hash", NOW))
    inbox = Inbox(database, RateLimits(), now_ms=lambda: NOW, note_pushed=faulty)
    told, came = [], trio.Event()

    def done(receipt: Receipt | None, error: Exception | None) -> None:
        told.append((receipt is not None and receipt.stored, error))
        came.set()

    sms = [Received(address="+1555", body="hi", date=NOW)]
    with capture_logs() as logged:
        assert inbox.begin(1, sms, device_id=None, key=None, done=done)
        await came.wait()
        await trio.testing.wait_all_tasks_blocked()
    assert told == [(1, None)]
    assert [one["event"] for one in logged] == ["answer_failed"]


async def test_parts_are_stored_beside_what_others_push(database: Database, inbox: Inbox) -> None:
    part = Part(content_type="image/png", name="a.png", data=b"png")
    mms = Received(address="+1555", body="", date=NOW, parts=(part,))
    assert not Reception.takes([mms])
    (id_,) = (await inbox.receive(1, [mms], device_id=None)).ids
    assert await database.read(lambda tx: tx.media_parts.get(id_, 1)) == part
