"""What orgs store is counted as they store it."""

import os
import sqlite3
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.orgs import Org
from phonegate.model.times import DAY_MS
from phonegate.store import storage_quota
from phonegate.store.database import Database
from phonegate.store.storage_quota import StorageQuota
from phonegate.store.tables import Tables
from tests.store.conftest import memory

DAY_BYTES = 86_400
"""A byte a second."""


def test_a_day_s_worth_may_come_at_once_and_then_as_it_ages(tables: Tables, org: Org) -> None:
    took = tables.storage_quota.take
    assert took(org.id, 80_000, DAY_BYTES, 0) == 0
    assert took(org.id, 6_400, DAY_BYTES, 0) == 0
    assert took(org.id, 10, DAY_BYTES, 0) == 10
    assert took(org.id, 10, DAY_BYTES, 9_000) == 1
    assert took(org.id, 10, DAY_BYTES, 10_000) == 0
    assert took(org.id, DAY_BYTES, DAY_BYTES, 10_000 + DAY_MS) == 0


def test_what_is_more_than_a_day_s_worth_waits_for_a_whole_day(tables: Tables, org: Org) -> None:
    assert tables.storage_quota.take(org.id, 1, 1, 0) == 0
    assert 0 < tables.storage_quota.take(org.id, 1_000_000, DAY_BYTES, 0) <= 1
    assert tables.storage_quota.take(org.id, 1_000_000, DAY_BYTES, 2_000) == 0


def test_a_clock_that_was_set_back_makes_nobody_wait_for_it(tables: Tables, org: Org) -> None:
    assert tables.storage_quota.take(org.id, DAY_BYTES, DAY_BYTES, 10 * DAY_MS) == 0
    assert tables.storage_quota.take(org.id, 1, DAY_BYTES, 0) == 1
    assert tables.storage_quota.take(org.id, 1, DAY_BYTES, 1_000) == 0


@given(st.lists(st.tuples(st.integers(1, 50_000), st.integers(0, 20_000_000)), max_size=40))
def test_no_more_than_two_days_worth_is_stored_in_a_day(
    stores: list[tuple[int, int]],
) -> None:
    tables = Tables(memory())
    org = tables.orgs.add("myorg", "hash", 1).id
    now, taken = 0, []
    for size, pause in stores:
        now += pause
        if tables.storage_quota.take(org, size, DAY_BYTES, now) == 0:
            taken.append((now, size))
    for end, _ in taken:
        lately = sum(size for at, size in taken if end - DAY_MS < at <= end)
        assert lately <= 2 * DAY_BYTES + 1


def test_sums_are_written_once_for_an_org_and_read_again(
    connection: sqlite3.Connection, tables: Tables, org: Org, other: Org
) -> None:
    for _ in range(100):
        assert tables.storage_quota.take(org.id, 600, DAY_BYTES, 5) == 0
    changes = connection.total_changes
    tables.complete(1)
    assert connection.total_changes == changes + 1
    tables.committed()
    again = StorageQuota(connection)
    assert again.take(org.id, 30_000, DAY_BYTES, 5) > 0
    assert again.take(other.id, 30_000, DAY_BYTES, 5) == 0
    assert again.take(99, 10**9, DAY_BYTES, 5) == 0


def test_what_is_undone_does_not_count(tables: Tables, org: Org) -> None:
    assert tables.storage_quota.take(org.id, 40_000, DAY_BYTES, 5) == 0
    mark = tables.storage_quota.mark()
    assert tables.storage_quota.take(org.id, 40_000, DAY_BYTES, 5) == 0
    tables.storage_quota.undo(mark)
    assert tables.storage_quota.take(org.id, 46_400, DAY_BYTES, 5) == 0
    tables.undone()
    assert tables.storage_quota.take(org.id, DAY_BYTES, DAY_BYTES, 5) == 0


async def test_an_operation_that_fails_counts_nothing(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "phonegate.db")
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run_writer)
        org = (await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id

        def fail(tx: Tables) -> None:
            tx.storage_quota.take(org, 80_000, DAY_BYTES, 5)
            raise KeyError("of its own")

        with pytest.raises(KeyError):
            await store.write(fail)
        assert await store.write(lambda tx: tx.storage_quota.take(org, 80_000, DAY_BYTES, 5)) == 0
        assert await store.write(lambda tx: tx.storage_quota.take(org, 80_000, DAY_BYTES, 5)) > 0
        store.stop_writing()
    store.close()


def test_memory_of_sums_is_bounded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_quota, "KNOWN", 3)
    for number in range(9):
        org = tables.orgs.add(f"org-{number}", "hash", 1)
        assert tables.storage_quota.take(org.id, 80_000, DAY_BYTES, 5) == 0
        tables.complete(1)
        tables.committed()
        assert len(tables.storage_quota._sums) <= 3
    assert tables.storage_quota.take(1, 80_000, DAY_BYTES, 5) > 0


def test_who_made_an_org_is_known_until_its_owner_rotates_it(tables: Tables) -> None:
    made = tables.orgs.add("self", "hash", 1, self_made=True)
    assert tables.storage_quota.is_self_made(made.id)
    assert not tables.orgs.has_owned()
    tables.orgs.rotate("self", "other")
    tables.storage_quota.forget(made.id)
    assert not tables.storage_quota.is_self_made(made.id)
    assert tables.orgs.has_owned()
    tables.orgs.remove("self")
    assert not tables.orgs.has_owned()


def test_the_room_is_looked_at_now_and_then(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not tables.storage_quota.is_low(1)
    assert tables.storage_quota.is_low(1 << 60)
    looked: list[object] = []
    monkeypatch.setattr(os, "statvfs", looked.append)
    assert not tables.storage_quota.is_low(1)
    assert looked == []


def test_an_org_becomes_its_owner_s_though_it_stores_something_in_the_same_commit(
    tables: Tables,
) -> None:
    org = tables.orgs.add("self", "hash", 1, self_made=True).id
    assert tables.storage_quota.take(org, 700, DAY_BYTES, 1) == 0
    tables.orgs.rotate("self", "another")
    tables.storage_quota.forget(org)
    tables.complete(1)
    tables.committed()
    assert not tables.storage_quota.is_self_made(org)
    # What it has stored counts on.
    assert tables.storage_quota.take(org, DAY_BYTES, DAY_BYTES, 1) > 0
