import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from phonegate.model.facts import Changed
from phonegate.model.messages import NewMessage, PageQuery
from phonegate.model.storage_errors import ConstraintBroken, StorageUnavailable
from phonegate.store.conversations import ADD_AT, ADD_AT_REST, ADDED_AT_ONCE
from phonegate.store.database import Database
from phonegate.store.group_commit import JOINT_ROWS, GroupCommit, Order, units
from phonegate.store.joint import Joint
from phonegate.store.tables import Tables
from tests.store.conftest import outbound

REFUSED = "refuse"
"""The body of a message that is refused by itself."""


class Store(Joint[int]):
    """Stores a message."""

    def __init__(self, new: NewMessage, size: int = 1) -> None:
        self.new = new
        self.size = size

    def __call__(self, tx: Tables) -> int:
        id_ = tx.messages.insert(self.new)
        if self.new.body == REFUSED:
            raise KeyError(REFUSED)
        return id_

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[int | Exception] | None:
        ids = iter(tx.messages.insert_all([one.new for one in ones if one.new.body != REFUSED]))
        return [KeyError(REFUSED) if one.new.body == REFUSED else next(ids) for one in ones]


class StoreOrGiveUp(Store):
    """Finds out too late that it can't store several at once, and says so."""

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[int | Exception] | None:
        super().together(tx, ones)
        tx.storage_quota.take(ones[0].new.org, 100, 1000, 5)
        return None


class StoreOrRaise(Store):
    """Finds out too late that it can't store several at once, and raises."""

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[int | Exception] | None:
        super().together(tx, ones)
        raise ValueError


class StoreOnFullDisk(Store):
    """Meets a failure of the storage where it stores several."""

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[int | Exception] | None:
        super().together(tx, ones)
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "phonegate.db")
    yield opened
    opened.close()


@pytest.fixture
def group_commit(database: Database) -> GroupCommit:
    return database._writer._group_commit


def _order(op: object) -> Order:
    return Order(op, lambda _result, _error: None)  # type: ignore[arg-type]


def _org(group_commit: GroupCommit) -> int:
    order = _order(lambda tx: tx.orgs.add("myorg", "hash", 1).id)
    group_commit.commit([order])
    return int(order.result)


def _bodies(group_commit: GroupCommit, org: int) -> list[str]:
    page = group_commit._tables.messages.page(org, PageQuery(limit=1000))
    return [message.body for message in page]


@pytest.mark.parametrize("kind", [Store, StoreOrGiveUp, StoreOrRaise])
def test_what_is_done_together_comes_to_the_same_as_each_alone(
    group_commit: GroupCommit, kind: type[Store]
) -> None:
    org = _org(group_commit)
    bodies = ["a", REFUSED, "b", "c", REFUSED]
    orders = [_order(kind(outbound(org, body))) for body in bodies]
    made = group_commit.commit(orders)
    assert all(order.ran for order in orders)
    assert _bodies(group_commit, org) == ["a", "b", "c"]
    stored = [order.result for order in orders if order.error is None]
    assert stored == sorted(stored)
    assert [type(order.error) for order in orders if order.error] == [KeyError, KeyError]
    assert [(fact.id, fact.after) for fact in made.facts if isinstance(fact, Changed)] == [
        (id_, "queued") for id_ in stored
    ]
    assert group_commit._tables.message_counts.by_status() == {"queued": 3}
    row = group_commit._connection.execute("SELECT stored_bytes FROM orgs").fetchone()
    assert row == (0,), "what was counted together was uncounted"


def test_one_that_breaks_a_rule_is_told_so_alone(group_commit: GroupCommit) -> None:
    org = _org(group_commit)
    orders = [_order(Store(outbound(owner, "text"))) for owner in (org, 999, org)]
    group_commit.commit(orders)
    assert isinstance(orders[1].error, ConstraintBroken)
    assert orders[0].error is orders[2].error is None
    assert _bodies(group_commit, org) == ["text", "text"]


def test_a_failure_of_the_storage_undoes_everything(group_commit: GroupCommit) -> None:
    org = _org(group_commit)
    orders = [
        _order(lambda tx: tx.messages.insert(outbound(org, "before"))),
        *(_order(StoreOnFullDisk(outbound(org, str(n)))) for n in range(2)),
        _order(lambda tx: tx.messages.insert(outbound(org, "after"))),
    ]
    made = group_commit.commit(orders)
    assert made.failed
    assert not made.facts
    assert all(isinstance(order.error, StorageUnavailable) for order in orders)
    assert _bodies(group_commit, org) == []
    again = _order(Store(outbound(org, "again")))
    assert group_commit.commit([again]).facts
    assert _bodies(group_commit, org) == ["again"]


def test_what_waits_side_by_side_is_gathered_by_class() -> None:
    class Other(Store):
        pass

    first, second, third = (_order(Store(outbound(1))) for _ in range(3))
    others = [_order(Other(outbound(1))) for _ in range(2)]
    barrier = _order(lambda _: None)
    gathered = units([first, others[0], second, others[1], barrier, third])
    assert gathered == [[first, second], others, [barrier], [third]]


def test_what_is_done_together_has_so_many_rows_at_most() -> None:
    orders = [_order(Store(outbound(1), size=JOINT_ROWS // 2)) for _ in range(5)]
    assert units(orders) == [orders[:2], orders[2:4], orders[4:]]
    large = [_order(Store(outbound(1), size=JOINT_ROWS * 2)) for _ in range(2)]
    assert units(large) == [large[:1], large[1:]]


def test_conversations_follow_at_rest_once_some_are_missing_and_else_once_many(
    group_commit: GroupCommit,
) -> None:
    tables, org = group_commit._tables, _org(group_commit)
    assert group_commit.is_behind  # Until looked.
    group_commit.do_chores(at_rest=True)
    assert not group_commit.is_behind

    def store(count: int) -> int:
        order = _order(lambda tx: tx.messages.insert_all([outbound(org)] * count)[-1])
        group_commit.commit([order])
        return int(order.result)

    last = store(ADD_AT_REST)
    group_commit.do_chores(at_rest=False)
    assert tables.conversations.complete_upto() == 0
    assert group_commit.is_behind
    group_commit.do_chores(at_rest=True)
    assert tables.conversations.complete_upto() == last
    assert not group_commit.is_behind

    last = store(ADD_AT_REST - 1)
    group_commit.do_chores(at_rest=True)
    assert not group_commit.is_behind
    tables.conversations.missing = ADD_AT
    group_commit.do_chores(at_rest=False)
    assert tables.conversations.complete_upto() == last
    assert tables.conversations.missing == 0


def test_conversations_are_added_some_at_a_time(group_commit: GroupCommit) -> None:
    tables, org = group_commit._tables, _org(group_commit)
    order = _order(lambda tx: tx.messages.insert_all([outbound(org)] * (ADDED_AT_ONCE + 1)))
    group_commit.commit([order])
    group_commit.do_chores(at_rest=True)
    assert tables.conversations.complete_upto() == ADDED_AT_ONCE
    assert group_commit.is_behind
    while group_commit.is_behind:
        group_commit.do_chores(at_rest=True)
    assert tables.conversations.complete_upto() == ADDED_AT_ONCE + 1
