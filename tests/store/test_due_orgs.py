"""Whose messages are due: each org in its turn."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.orgs import Org
from phonegate.store import due_orgs
from phonegate.store.due_orgs import in_turn
from phonegate.store.tables import Tables
from tests.store.conftest import outbound


def _hold(tables: Tables, org: int, count: int, until: int = 10) -> None:
    tables.messages.insert_all([outbound(org, held_until=until)] * count)


def _left(tables: Tables) -> Counter[int]:
    rows = tables.messages._connection.execute("SELECT org FROM messages WHERE held_until <= 10")
    return Counter(org for (org,) in rows)


def test_another_org_does_not_wait_behind_a_great_many(
    tables: Tables, org: Org, other: Org
) -> None:
    _hold(tables, org.id, 300)
    _hold(tables, other.id, 2)
    assert tables.due_messages.release_held(10, 10) == {org.id, other.id}
    assert _left(tables) == {org.id: 292}


def test_orgs_beyond_one_sweep_come_with_the_next(tables: Tables) -> None:
    orgs = [tables.orgs.add(f"org-{n}", "hash", 1).id for n in range(25)]
    for one in orgs:
        _hold(tables, one, 2)
    released = [tables.due_messages.release_held(10, 10) for _ in range(5)]
    assert [len(found) for found in released] == [10, 10, 10, 10, 10]
    assert {one for found in released[:3] for one in found} == set(orgs)
    assert _left(tables) == {}
    assert tables.due_messages.release_held(10, 10) == set()


def test_those_who_have_nothing_due_keep_nobody_from_their_turn(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_orgs, "LOOKED_AT", 7)
    for number in range(20):
        _hold(tables, tables.orgs.add(f"org-{number}", "hash", 1).id, 1, until=99)
    last = tables.orgs.add("last", "hash", 1).id
    _hold(tables, last, 1)
    looks = 0
    while tables.due_messages.next_held() == 10:
        tables.due_messages.release_held(10, 10)
        looks += 1
    assert looks <= 4


def test_what_expires_comes_in_turn_as_well(tables: Tables, org: Org, other: Org) -> None:
    tables.messages.insert_all([outbound(org.id, expires_at=5)] * 30)
    late = tables.messages.insert(outbound(other.id, expires_at=6))
    found = tables.due_messages.expired(10, 10)
    assert Counter(message.org for message in found) == {org.id: 9, other.id: 1}
    assert late in {message.id for message in found}
    assert len({message.id for message in found}) == 10


@given(st.dictionaries(st.integers(1, 9), st.integers(0, 40)), st.integers(1, 60))
def test_turns_are_fair_and_waste_nothing(due: dict[int, int], limit: int) -> None:
    left = dict(due)
    handled: Counter[int] = Counter()

    def handle(org: int, share: int) -> int:
        count = min(share, left[org])
        left[org] -= count
        handled[org] += count
        return count

    had = in_turn(list(due), limit, handle)
    assert sum(handled.values()) == min(limit, sum(due.values()))
    assert set(had) == {org for org, count in handled.items() if count}
    for one in due:
        # Whoever got less than another has nothing left, but for the last of an uneven part.
        assert left[one] == 0 or handled[one] >= max(handled.values()) - 1 - limit % len(due)
