"""Figures by hour: they say what a count of every change of the messages would."""

import sqlite3
from collections import Counter
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from phonegate.model.figures import COUNTED, WAITS, wait_step
from phonegate.model.messages import Pushed
from phonegate.model.states import Cause, advance
from phonegate.model.times import HOUR_MS
from phonegate.store import migrations
from phonegate.store.figures import BY_SENDER, BY_SLOT
from phonegate.store.tables import Tables
from tests.store.conftest import inbound, memory, outbound

START: Final = 500_000 * HOUR_MS
SIMS: Final = ((1, 0, "+15551112222"), (1, 1, None), (2, None, None))
_READ: Final = """
    SELECT id, org, status, created_at, first_tried_at, sent_at, delivered_at, segments,
        coalesce(sim, '#' || phone || ':' || coalesce(sim_slot, ''), '@' || provider)
    FROM messages
"""


class Messages(RuleBasedStateMachine):
    """Messages in all their ways, and beside them a count made by looking at each after a step."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = memory()
        self.tables = Tables(self.connection)
        self.expected: Counter[tuple[int, int, str, str]] = Counter()
        self.seen: dict[int, tuple[Any, ...]] = {}
        self.now = START

    def teardown(self) -> None:
        self.connection.close()

    @initialize()
    def begin(self) -> None:
        self.orgs = [self.tables.orgs.add(name, "hash", 1).id for name in ("one", "two")]
        self.connection.execute("BEGIN")

    def look(self) -> None:
        """Counts what has changed since the last look, from the rows of messages alone."""
        rows = {row[0]: row for row in self.connection.execute(_READ)}
        for id_, row in rows.items():
            _, org, status, created, tried, sent, delivered, segments, sender = row
            before = self.seen.get(id_)
            since = created if tried is None else tried
            if sent is not None and (before is None or before[5] is None):
                self.count(org, sent, sender, sent=1, segments=segments)
                self.count(org, sent, sender, **{f"to_sent_{wait_step(sent - since)}": 1})
            if before is None or before[2] != status:
                if status == "delivered":
                    step = wait_step(delivered - since)
                    wait = {f"to_delivered_{step}": 1}
                    self.count(org, delivered, sender, delivered=1, **wait)
                elif status == "received":
                    self.count(org, created, sender, received=1)
                elif status in {"failed", "expired", "uncertain"}:
                    self.count(org, self.now, sender, **{status: 1})
        self.seen = rows

    def count(self, org: int, at: int, sender: str, **counts: int) -> None:
        for name, number in counts.items():
            self.expected[org, at // HOUR_MS, sender, name] += number

    # -- what happens

    @rule(minutes=st.integers(0, 100))
    def time_passes(self, minutes: int) -> None:
        # What is counted at the commit is counted by its clock.
        self.commit()
        self.now += minutes * 60_000 + 137

    @rule(org=st.integers(0, 1), sim=st.sampled_from(SIMS), count=st.integers(1, 40))
    def push(self, org: int, sim: tuple[int, int | None, str | None], count: int) -> None:
        phone, slot, number = sim
        self.tables.messages.insert_pushed(
            [
                Pushed(
                    org=self.orgs[org],
                    address="+1555",
                    body="hi",
                    created_at=self.now,
                    phone=phone,
                    sim_selector="",
                    sim_slot=slot,
                    sim=number,
                    priority=0,
                    on_uncertain="hold",
                    key=None,
                    segments=1 + n % 3,
                )
                for n in range(count)
            ]
        )
        self.look()

    @rule(org=st.integers(0, 1), provider=st.sampled_from(["phone", "twilio"]))
    def queue(self, org: int, provider: str) -> None:
        self.tables.messages.insert(
            outbound(self.orgs[org], created_at=self.now, provider=provider, segments=2)
        )
        self.look()

    @rule(org=st.integers(0, 1), number=st.sampled_from(["+15551112222", None]))
    def receive(self, org: int, number: str | None) -> None:
        new = inbound(self.orgs[org], created_at=self.now, sim=number)
        self.tables.messages.insert_inbound(new)
        self.look()

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), twice=st.booleans(), segments=st.none() | st.integers(1, 9))
    def report_many(self, data: st.DataObject, *, twice: bool, segments: int | None) -> None:
        sending = [row[:2] for row in self.seen.values() if row[2] == "sending"]
        some = data.draw(st.integers(0, len(sending)))
        phones = dict(self.connection.execute("SELECT id, phone FROM messages"))
        rows = [
            (id_, org, phones[id_], segments)
            for id_, org in sending[:some]
            if phones[id_] is not None
        ]
        self.tables.phone_queue.store_sent_all(rows * (2 if twice else 1), self.now)
        self.look()

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), cause=st.sampled_from(Cause))
    def change_one(self, data: st.DataObject, cause: Cause) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.seen)))
        message = self.tables.messages.find(self.seen[id_][1], id_)
        assert message is not None
        columns: dict[str, Any] = {}
        if cause in {Cause.RADIOED, Cause.DELIVERED, Cause.UNDELIVERED}:
            columns["sent_at"] = message.sent_at or self.now
        if cause is Cause.DELIVERED:
            columns["delivered_at"] = columns["sent_at"] + 7_000
        self.tables.messages.transition(message, cause, **columns)
        self.look()

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.seen)))
        self.tables.message_removal.erase([id_], lambda _: True)
        self.look()

    @precondition(lambda self: self.seen)
    @rule()
    def fail(self) -> None:
        """An operation that is undone has counted nothing."""
        mark = self.tables.mark()
        self.connection.execute("SAVEPOINT op")
        sending = [row for row in self.seen.values() if row[2] == "sending"]
        for id_, org, *_ in sending:
            message = self.tables.messages.find(org, id_)
            assert message is not None
            self.tables.messages.transition(message, Cause.RADIOED, sent_at=self.now)
        self.connection.execute("ROLLBACK TO op")
        self.tables.undo(mark)
        self.connection.execute("RELEASE op")

    @rule()
    def commit(self) -> None:
        self.tables.complete(self.now)
        self.connection.execute("COMMIT")
        self.tables.committed()
        self.tables.facts.clear()
        assert _rows(self.connection) == +self.expected
        self.connection.execute("BEGIN")

    @rule()
    def lose_the_transaction(self) -> None:
        """A commit that fails takes its figures along."""
        self.commit()
        before = self.expected.copy(), self.seen, self.now
        self.push(0, SIMS[0], 3)
        self.report_many_of_phone_one()
        self.tables.complete(self.now)
        self.connection.execute("ROLLBACK")
        self.tables.undone()
        self.expected, self.seen, self.now = before
        assert _rows(self.connection) == +self.expected
        self.connection.execute("BEGIN")

    def report_many_of_phone_one(self) -> None:
        rows = [(row[0], row[1], 1, None) for row in self.seen.values() if row[2] == "sending"]
        self.tables.phone_queue.store_sent_all(rows, self.now)


def _rows(connection: sqlite3.Connection) -> Counter[tuple[int, int, str, str]]:
    cursor = connection.execute("SELECT * FROM figures")
    names = [column[0] for column in cursor.description]
    found: Counter[tuple[int, int, str, str]] = Counter()
    for row in cursor:
        for name, value in zip(names[3:], row[3:], strict=True):
            if value:
                found[row[0], row[1], row[2], name] = value
    return found


def test_figures_are_what_a_count_of_all_changes_says() -> None:
    run_state_machine_as_test(
        Messages, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )


def test_the_wait_of_a_message_begins_when_it_might_leave(
    tables: Tables, connection: sqlite3.Connection
) -> None:
    held_until, sent_at = 7_000_000, 7_001_500
    org = tables.orgs.add("myorg", "hash", 1).id
    phone = tables.phones.connect(org, "one", 1).id
    queued = outbound(
        org, created_at=1_000, status="sending", phone=phone, first_tried_at=held_until
    )
    sent = tables.messages.insert(queued)
    tables.phone_queue.store_sent_all([(sent, org, phone, None)], sent_at)
    tables.figures.write(sent_at)
    steps = [column for column in _rows(connection) if column[3].startswith("to_sent_")]
    assert [column[3] for column in steps] == [f"to_sent_{wait_step(sent_at - held_until)}"]


def test_a_range_is_summed_by_slots_and_by_sender(
    tables: Tables, connection: sqlite3.Connection
) -> None:
    for hour, sender, sent, segments in (
        (10, "a", 1, 5),
        (10, "b", 2, 2),
        (11, "a", 4, 9),
        (12, "b", 8, 8),
        (30, "a", 16, 16),
    ):
        connection.execute(
            "INSERT INTO figures (org, hour, sender, sent, segments, to_sent_3)"
            " VALUES (1, ?, ?, ?, ?, ?)",
            (hour, sender, sent, segments, sent),
        )
    connection.execute("INSERT INTO figures (org, hour, sender, sent) VALUES (2, 10, 'a', 99)")
    figures = tables.figures

    slots = figures.by_slot(1, [(10, 12), (12, 13), (13, 30)])
    assert [(one.sent, one.segments, one.to_sent[3]) for one in slots] == [
        (7, 16, 7),
        (8, 8, 8),
        (0, 0, 0),
    ]
    assert [one.sent for one in figures.by_slot(1, [(10, 12), (12, 13)], ["b", "c"])] == [2, 8]
    assert [
        (one.sender, one.busiest, one.figures.sent) for one in figures.by_sender(1, 10, 30, 9)
    ] == [("b", 8, 10), ("a", 9, 5)]
    for sql, values in (
        (BY_SLOT, (1, "[[1,2]]", None)),
        (BY_SENDER, (1, 1, 2, 3)),
    ):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert "SEARCH figures USING PRIMARY KEY (org=? AND hour>? AND hour<?)" in plan


def test_rows_are_deleted_in_small_steps(tables: Tables, connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT INTO figures (org, hour, sender) VALUES (?, ?, 'a')",
        [(org, hour) for org in (1, 7) for hour in range(10)],
    )
    figures = tables.figures

    found = [figures.next_org(after, 5) for after in (0, 1, 7)]
    assert found == [1, 7, None]
    assert figures.next_org(0, 0) is None
    assert not figures.drop(1, 3, before=5)
    assert figures.drop(1, 3, before=5)
    left = connection.execute("SELECT org, min(hour), count(*) FROM figures GROUP BY org")
    assert left.fetchall() == [(1, 5, 5), (7, 0, 10)]


def test_a_removed_org_leaves_no_figures(tables: Tables, connection: sqlite3.Connection) -> None:
    org = tables.orgs.add("gone", "hash", 1).id
    tables.messages.insert_inbound(inbound(org, created_at=START))
    tables.complete(START)
    assert connection.execute("SELECT count(*) FROM figures").fetchone() == (1,)
    tables.orgs.remove("gone")
    while tables.orgs.removed:
        tables.clear_slice()
    assert connection.execute("SELECT count(*) FROM figures").fetchone() == (0,)


def test_the_gateway_is_noted_once_an_hour(tables: Tables) -> None:
    org = tables.orgs.add("org", "hash", 1).id
    tables.messages.insert_inbound(inbound(org, created_at=START))
    tables.complete(START)
    figures = tables.figures
    figures.sample(7, database_bytes=100, free_bytes=5)
    figures.sample(7, database_bytes=200, free_bytes=6)
    figures.sample(9, database_bytes=300, free_bytes=4)

    (first, second) = figures.gateway(0, 10)
    assert (first.hour, first.database_bytes, first.free_bytes, first.messages) == (7, 200, 6, 1)
    assert second.hour == 9
    figures.drop_samples(9)
    assert figures.gateway(0, 10) == [second]


def test_what_was_there_before_is_counted_at_the_upgrade() -> None:
    """The same messages give the same figures, counted as they change or afterwards."""
    live = memory()
    tables = Tables(live)
    org = tables.orgs.add("org", "hash", 1).id
    for n, cause in enumerate(
        [Cause.RADIOED, Cause.DELIVERED, Cause.REFUSED, Cause.LOST_TRACK] * 9
    ):
        at = START + n * 997_000
        new = outbound(org, created_at=at, status="sending", phone=n % 2, sim_slot=n % 3 or None)
        message = tables.messages.find(org, tables.messages.insert(new))
        assert message is not None
        times: dict[str, int] = {}
        if advance(message.status, cause) in {"sent", "delivered"}:
            times["sent_at"] = at + n * n * 250
        if cause is Cause.DELIVERED:
            times["delivered_at"] = at + n * n * 500
        tables.messages.transition(message, cause, **times)
        tables.messages.insert_inbound(inbound(org, created_at=at, sim="+15551112222"))
        tables.complete(at)
        tables.facts.clear()
    counted = _rows(live)

    before = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(before, migrations.STEPS[:12])
    columns = [row[1] for row in before.execute("PRAGMA table_info(messages)")]
    rows = live.execute(f"SELECT {', '.join(columns)} FROM messages").fetchall()
    before.execute("INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1, 'o', 'h', 1)")
    before.executemany(f"INSERT INTO messages VALUES ({', '.join('?' * len(columns))})", rows)
    migrations.migrate(before)

    assert _rows(before) == counted
    assert sum(counted.values()) > 36 * 2
    live.close()
    before.close()


def test_the_columns_are_those_that_are_counted(connection: sqlite3.Connection) -> None:
    names = [row[1] for row in connection.execute("PRAGMA table_info(figures)")]

    assert names == [
        *("org", "hour", "sender", *COUNTED),
        *(f"to_sent_{n}" for n in range(WAITS)),
        *(f"to_delivered_{n}" for n in range(WAITS)),
    ]
