import sqlite3
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.model.messages import Candidate, Leased, Message, PageQuery, Queue
from phonegate.model.orgs import Org
from phonegate.store import carrier_queue, due_messages, phone_queue
from phonegate.store.tables import Tables
from tests.store.conftest import memory, outbound


def _found(tables: Tables, org: Org, message: int) -> Message:
    found = tables.messages.find(org.id, message)
    assert found is not None
    return found


def test_lease_takes_queued_messages_once(tables: Tables, org: Org) -> None:
    number = tables.messages.insert(outbound(org.id))
    second = tables.messages.insert(outbound(org.id, media_urls=("https://a/b",)))
    tables.messages.set(number, acked_at=1)
    held = tables.messages.insert(outbound(org.id, held_until=9))

    def lease(*ids: int) -> list[Leased]:
        found = tables.phone_queue.lease(ids, phone=4, sim_slot=1, sim="+1", now=50)
        return sorted(found, key=lambda message: message.id)

    leased = lease(second, number, held, 99_999)
    assert [one.id for one in leased] == [number, second]
    for one in leased:
        found = _found(tables, org, one.id)
        assert one == Leased(*(getattr(found, name) for name in Leased._fields))
        assert (found.status, found.phone, found.sim_slot, found.sim) == ("sending", 4, 1, "+1")
        assert (found.attempts, found.pushed_at, found.acked_at) == (1, 50, None)
    assert leased[1].media_urls == ("https://a/b",)
    assert lease(number, second, held) == []


def test_candidates_by_priority_then_age(tables: Tables, org: Org, other: Org) -> None:
    insert = tables.messages.insert
    low = insert(outbound(org.id, priority=-1))
    first = insert(outbound(org.id, segments=3))
    second = insert(outbound(org.id))
    urgent = insert(outbound(org.id, priority=5))
    pinned = insert(outbound(org.id, phone=8, sim_selector="0"))
    insert(outbound(org.id, held_until=5))
    insert(outbound(other.id))
    insert(outbound(org.id, status="sending"))
    insert(outbound(org.id, sim_selector="+1"))

    def ids(limit: int = 10, **which: Any) -> list[int]:
        return [c.id for c in tables.phone_queue.candidates(org.id, limit=limit, **which)]

    assert ids(phone=None, sim_selector="") == [urgent, first, second, low]
    assert ids(2, phone=None, sim_selector="") == [urgent, first]
    assert tables.phone_queue.any_ready(org.id)
    assert ids(phone=8, sim_selector="0") == [pinned]
    assert ids(phone=None, sim_selector="0") == []
    assert tables.phone_queue.candidates(org.id, phone=None, sim_selector="", limit=2)[
        1
    ] == Candidate(id=first, segments=3, priority=0)


def test_waiting_segments_counts_up_to_its_cap(tables: Tables, org: Org) -> None:
    for segments in (2, 3, 4):
        tables.messages.insert(outbound(org.id, segments=segments))
    waiting = tables.phone_queue.waiting_segments
    assert waiting(org.id, phone=None, sim_selector="", cap=100) == 9
    assert waiting(org.id, phone=None, sim_selector="", cap=6) == 6
    assert waiting(org.id, phone=1, sim_selector="", cap=6) == 0


def test_messages_awaiting_a_result_are_by_id_and_of_the_phone(tables: Tables, org: Org) -> None:
    numbers = [
        tables.messages.insert(outbound(org.id, status="sending", phone=phone))
        for phone in (1, 2, 1)
    ]
    assert [m.id for m in tables.phone_queue.awaiting_result(1)] == [numbers[0], numbers[2]]
    assert set(tables.phone_queue.awaited(1)) == {numbers[0], numbers[2]}


def test_what_is_held_or_another_orgs_is_not_ready(tables: Tables, org: Org, other: Org) -> None:
    tables.messages.insert(outbound(org.id, held_until=5))
    tables.messages.insert(outbound(org.id, status="sending", phone=1))
    tables.messages.insert(outbound(other.id))
    assert not tables.phone_queue.any_ready(org.id)
    assert tables.phone_queue.any_ready(other.id)


def test_what_is_late_is_not_leased(tables: Tables, org: Org) -> None:
    late = tables.messages.insert(outbound(org.id, expires_at=20))
    assert tables.phone_queue.lease([late], phone=1, sim_slot=None, sim=None, now=20) == []
    assert _found(tables, org, late).status == "queued"
    assert tables.phone_queue.lease([late], phone=1, sim_slot=None, sim=None, now=19) != []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (phone_queue.CANDIDATES, (1, "", None, 0, 9)),
        (phone_queue.WAITING, (1, "", None, 0, 9)),
        (phone_queue.AWAITING_RESULT, (1,)),
        (phone_queue.BY_QUEUE, (1,)),
        (phone_queue.GIVEN, (1,)),
        (phone_queue.QUEUED_FOR, (1, "[]", None, 9)),
        (phone_queue.HELD_FOR, (1, 1, "[]", 9)),
        (due_messages.RELEASE, (1, 1, 9)),
        (due_messages.NEXT_HELD, ()),
        (due_messages.EXPIRED, (1, 1, 9)),
        (due_messages.NEXT_EXPIRY, ()),
        (due_messages.OVERDUE, (1, 1, "[1]", 1, 9)),
        (due_messages.OLDEST_PUSH, ()),
        (phone_queue.LEASE, (1, 0, "", 1, "[9]", 1)),
        (phone_queue.ACKNOWLEDGE_TOGETHER[8], (1,) * 25),
        (phone_queue.STORE_SENT_TOGETHER[64], (1,) * 258),
    ],
)
def test_queue_queries_run_from_an_index(
    connection: sqlite3.Connection, text: str, values: tuple[object, ...]
) -> None:
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    assert plan
    for step in plan:
        assert "TEMP B-TREE" not in step, plan
        # A scan is fine where it walks an index of nothing but what is due, in its order.
        assert not step.startswith("SCAN messages") or "USING" in step, plan
    if text in {phone_queue.CANDIDATES, phone_queue.WAITING}:
        assert any(
            "INDEX messages_ready (org=? AND sim_selector=? AND phone=? AND priority" in s
            for s in plan
        )


def test_whether_a_key_was_revoked_is_looked_up_by_its_id_alone(
    connection: sqlite3.Connection,
) -> None:
    for text, values in (
        (phone_queue.LEASE, (1, 0, "", 1, "[9]", 1)),
        (carrier_queue.READY, (9,)),
    ):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
        assert [step for step in plan if "ended_keys" in step] == [
            "SEARCH ended_keys USING PRIMARY KEY (key=?)"
        ]


def test_messages_of_a_revoked_key_are_never_given_out(tables: Tables, org: Org) -> None:
    ids = [
        tables.messages.insert(outbound(org.id, key=key, assistant=assistant))
        for assistant in (None, 3)
        for key in ("k3v9", "other", None)
    ]
    tables.keys.end("k3v9", 1)
    ready = tables.carrier_queue.ready(9)
    assert [one.key for one in ready] == ["other", None]
    leased = tables.phone_queue.lease(ids[:3], phone=4, sim_slot=None, sim=None, now=2)
    assert {one.id for one in leased} == set(ids[1:3])
    assert [fact[2:4] for fact in tables.facts[-2:]] == [("queued", "sending")] * 2  # type: ignore[index]


def test_what_waits_for_a_phone_is_counted_and_cancelled(tables: Tables, org: Org) -> None:
    def put(**asked: Any) -> int:
        return tables.messages.insert(outbound(org.id, **asked))

    theirs = [
        put(phone=7, sim_selector="1"),
        put(sim_selector="+1550"),
        put(phone=7, sim_selector="0", held_until=99),
        put(sim_selector="+1550", held_until=99),
    ]
    others = [
        put(), put(phone=8, sim_selector="1"), put(sim_selector="1"), put(sim_selector="+1559"),
        put(sim_selector="+1559", held_until=99), put(phone=8, sim_selector="0", held_until=99),
    ]  # fmt: skip
    given = put()
    tables.phone_queue.lease([given], phone=7, sim_slot=None, sim=None, now=2)
    assert tables.phone_queue.count_given(7) == 1
    assert tables.phone_queue.count_queued(org.id) == {
        Queue(None, ""): 1, Queue(7, "1"): 1, Queue(8, "1"): 1, Queue(None, "1"): 1,
        Queue(None, "+1550"): 1, Queue(None, "+1559"): 1,
    }  # fmt: skip
    assert tables.phone_queue.withdraw(org.id, 7, ["+1550"], 3, error="gone") == 3
    assert tables.phone_queue.withdraw(org.id, 7, ["+1550"], 3, error="gone") == 1
    assert tables.phone_queue.withdraw(org.id, 7, ["+1550"], 3, error="gone") == 0
    found = {one.id: one for one in tables.messages.page(org.id, PageQuery())}
    assert [(found[id_].status, found[id_].error) for id_ in theirs] == [("cancelled", "gone")] * 4
    assert {found[id_].status for id_ in others} == {"queued"}
    assert found[given].status == "sending"


ORGS = 3
PHONES = 4
REPORTS = st.lists(
    st.tuples(
        st.integers(1, 100),
        st.integers(1, ORGS),
        st.integers(1, PHONES),
        st.none() | st.integers(1, 9),
    ),
    max_size=150,
)


def _sending() -> Tables:
    """Returns 90 messages of orgs and phones in turn, of which every seventh is sent already."""
    tables = Tables(memory())
    for number in range(1, ORGS + 1):
        tables.orgs.add(f"org{number}", "hash", 1)
    for n in range(1, 91):
        status = "sent" if n % 7 == 0 else "sending"
        new = outbound(1 + n % ORGS, status=status, phone=1 + n % PHONES)
        assert tables.messages.insert(new) == n
    tables.facts.clear()
    return tables


def _of(tables: Tables) -> tuple[object, ...]:
    rows = tables.messages._connection.execute("SELECT * FROM messages ORDER BY id").fetchall()
    return rows, tables.facts


@given(REPORTS)
@example([(n, 1 + n % ORGS, 1 + n % PHONES, n % 3 or None) for n in range(1, 91)])
@example([(5, 3, 1, 1), *((n, 1 + n % 3, 1 + n % 4, m) for m, n in enumerate((5, 1, *range(9))))])
def test_reports_of_many_phones_come_to_what_each_comes_to_alone(
    reports: list[tuple[int, int, int, int | None]],
) -> None:
    together, alone = _sending(), _sending()
    found = together.phone_queue.store_sent_all(reports, 50)
    each = [alone.phone_queue.store_sent_all([one], 50) for one in reports]
    assert found == [is_new for (is_new,) in each]
    assert _of(together) == _of(alone)

    together, alone = _sending(), _sending()
    acks = [one[:3] for one in reports]
    found = together.phone_queue.acknowledge_all(acks, 50)
    each = [alone.phone_queue.acknowledge_all([one], 50) for one in acks]
    assert found == [is_new for (is_new,) in each]
    assert _of(together) == _of(alone)
