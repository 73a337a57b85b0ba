import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.orgs import Org
from phonegate.store.queue_lengths import COUNT, RECOUNT_MS
from phonegate.store.tables import Tables
from tests.store.conftest import bring, memory, outbound

LIMIT = 5


def _queue(tables: Tables, org: Org, count: int = 1) -> list[int]:
    return [tables.messages.insert(outbound(org.id, status="queued")) for _ in range(count)]


def test_a_queue_takes_as_many_as_its_limit(tables: Tables, org: Org, other: Org) -> None:
    queues = tables.queue_lengths
    assert queues.has_room(org.id, LIMIT, LIMIT, 0)
    assert not queues.has_room(org.id, LIMIT + 1, LIMIT, 0)
    _queue(tables, org, LIMIT)
    assert not queues.has_room(org.id, 1, LIMIT, 0)
    assert queues.has_room(other.id, 1, LIMIT, 0)


def test_what_was_there_before_counts(connection: sqlite3.Connection, org: Org) -> None:
    _queue(Tables(connection), org, LIMIT)
    assert not Tables(connection).queue_lengths.has_room(org.id, 1, LIMIT, 0)


def test_what_is_sent_at_once_does_not_count(tables: Tables, org: Org) -> None:
    queues = tables.queue_lengths
    assert queues.has_room(org.id, 1, LIMIT, 0)
    for _ in range(2 * LIMIT):
        tables.messages.insert(outbound(org.id, status="sending"))
    assert queues.has_room(org.id, LIMIT, LIMIT, 0)


def test_a_full_queue_is_counted_once_a_second(
    connection: sqlite3.Connection, tables: Tables, org: Org
) -> None:
    queues = tables.queue_lengths
    first = _queue(tables, org, LIMIT)[0]
    counts: list[str] = []
    connection.set_trace_callback(lambda sql: counts.append(sql) if "count(*)" in sql else None)
    assert not queues.has_room(org.id, 1, LIMIT, 0)
    bring(tables, first, "cancelled")
    for now in range(0, RECOUNT_MS, 100):
        assert not queues.has_room(org.id, 1, LIMIT, now)
    assert len(counts) == 1
    assert queues.has_room(org.id, 1, LIMIT, RECOUNT_MS)
    assert len(counts) == 2


@given(
    st.lists(st.tuples(st.sampled_from(["send", "leave", "undo"]), st.integers(1, 4)), max_size=30)
)
def test_no_more_wait_than_may_and_room_is_found_in_time(steps: list[tuple[str, int]]) -> None:
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("myorg", "hash", 1)
    waiting: list[int] = []
    now = 0
    for step, count in steps:
        now += RECOUNT_MS
        if step == "leave":
            for message in waiting[:count]:
                bring(tables, message, "cancelled")
            del waiting[:count]
            continue
        room = tables.queue_lengths.has_room(org.id, count, LIMIT, now)
        assert room == (len(waiting) + count <= LIMIT)
        if room and step == "send":
            waiting += _queue(tables, org, count)
        elif room:
            connection.execute("SAVEPOINT one")
            _queue(tables, org, count)
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
        (stored,) = connection.execute(COUNT, (org.id,)).fetchone()
        assert stored == len(waiting) <= LIMIT
    connection.close()
