import sqlite3
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.events import Changed
from phonegate.model.messages import FAR_AHEAD_MS, Candidate, Message, PageQuery
from phonegate.model.orgs import Org
from phonegate.model.states import Event
from phonegate.store import messages as sql
from phonegate.store import search
from phonegate.store.messages import DELETED_AT_ONCE, INDEXED_AT_ONCE
from phonegate.store.tables import Tables
from tests.store.conftest import bring, inbound, memory, outbound


def _found(tables: Tables, org: Org, message: int) -> Message:
    found = tables.messages.find(org.id, message)
    assert found is not None
    return found


def test_outbound_round_trip(tables: Tables, org: Org, other: Org) -> None:
    number = tables.messages.insert(
        outbound(
            org.id,
            "text",
            phone=3,
            sim_selector="0",
            sim_slot=0,
            sim="+1",
            priority=2,
            held_until=5,
            expires_at=6,
            on_uncertain="resend",
            resend_of=1,
            provider="twilio",
            media_urls=("https://a/b", "https://c"),
            segments=4,
        )
    )
    assert _found(tables, org, number) == Message(
        id=number,
        org=org.id,
        direction="out",
        address="+15553334444",
        body="text",
        status="queued",
        created_at=1000,
        phone=3,
        sim_selector="0",
        sim_slot=0,
        sim="+1",
        date=None,
        sent_at=None,
        delivered_at=None,
        error=None,
        segments=4,
        provider="twilio",
        media_urls=("https://a/b", "https://c"),
        priority=2,
        held_until=5,
        expires_at=6,
        attempts=0,
        pushed_at=None,
        acked_at=None,
        on_uncertain="resend",
        resend_of=1,
    )
    assert tables.messages.find(other.id, number) is None


def test_a_message_stored_as_sending_counts_as_pushed(tables: Tables, org: Org) -> None:
    found = _found(tables, org, tables.messages.insert(outbound(org.id, status="sending", phone=1)))
    assert (found.attempts, found.pushed_at) == (1, 1000)
    assert tables.messages.unsettled(1) == [found]


def test_inbound_is_stored_once_for_each_fingerprint(tables: Tables, org: Org, other: Org) -> None:
    first = tables.messages.insert_inbound(inbound(org.id, fingerprint=b"f", sim_slot=1))
    assert first is not None
    assert tables.messages.insert_inbound(inbound(org.id, "other", fingerprint=b"f")) is None
    assert tables.messages.by_fingerprint(org.id, b"f") == first
    assert tables.messages.by_fingerprint(other.id, b"f") is None
    assert tables.messages.insert_inbound(inbound(other.id, fingerprint=b"f")) is not None
    # Without one nothing is a repeat.
    assert tables.messages.insert_inbound(inbound(org.id)) is not None
    assert tables.messages.insert_inbound(inbound(org.id)) is not None
    found = _found(tables, org, first)
    assert (found.direction, found.status, found.date) == ("in", "received", 900)
    tables.messages.settle()
    assert tables.messages.count_by_status() == {"received": 4}


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, 10**40])
def test_find_takes_any_integer(tables: Tables, org: Org, number: int) -> None:
    assert tables.messages.find(org.id, number) is None


def test_ids_are_never_given_out_again(
    tables: Tables, connection: sqlite3.Connection, org: Org
) -> None:
    last = tables.messages.insert(outbound(org.id))
    connection.execute("DELETE FROM messages")
    assert tables.messages.insert(outbound(org.id)) > last


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_body_comes_back_as_it_was(bodies: list[str]) -> None:
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("myorg", "hash", 1)
    numbers = [tables.messages.insert(outbound(org.id, body)) for body in bodies]
    tables.messages.index(1000)
    assert [_found(tables, org, number).body for number in numbers] == bodies
    connection.close()


def test_set_changes_named_columns(tables: Tables, org: Org) -> None:
    number = tables.messages.insert(outbound(org.id))
    bring(tables, number, "sent", sent_at=7, error=None)
    found = _found(tables, org, number)
    assert (found.status, found.sent_at) == ("sent", 7)


@pytest.mark.parametrize("name", ["body", "org", "nonsense", "status = 'x' --"])
def test_set_refuses_other_columns(tables: Tables, org: Org, name: str) -> None:
    number = tables.messages.insert(outbound(org.id))
    with pytest.raises(ValueError, match="may be set"):
        tables.messages.set(number, **{name: "x"})
    with pytest.raises(ValueError, match="may be set"):
        tables.messages.set(number)


def test_counts_follow_every_change(
    tables: Tables, connection: sqlite3.Connection, org: Org
) -> None:
    numbers = [tables.messages.insert(outbound(org.id)) for _ in range(5)]
    tables.messages.insert_inbound(inbound(org.id))
    tables.messages.settle()
    tables.facts.clear()
    tables.messages.lease(numbers[:2], phone=1, sim_slot=None, sim=None, now=1)
    bring(tables, numbers[1], "sent")
    bring(tables, numbers[1], "sent")
    bring(tables, numbers[2], "cancelled", error="asked")
    gone = attrs.evolve(_found(tables, org, numbers[3]), id=99_999)
    tables.messages.transition(gone, Event.PUSHED)
    tables.messages.settle()
    counted = connection.execute("SELECT status, count(*) FROM messages GROUP BY status")
    assert tables.messages.count_by_status() == dict(counted)


def test_many_are_stored_as_one_by_one(tables: Tables, org: Org) -> None:
    new = [
        outbound(org.id, f"body {n}", status="sending" if n % 3 else "queued", phone=n)
        for n in range(73)
    ]
    first = tables.messages.insert(outbound(org.id))
    known = tables.messages.unindexed
    ids = tables.messages.insert_all(new)
    assert ids == list(range(first + 1, first + 74))
    for number, one in zip(ids, new, strict=True):
        stored = _found(tables, org, number)
        assert (stored.body, stored.status, stored.phone) == (one.body, one.status, one.phone)
        assert stored.attempts == (one.status == "sending")
    assert tables.messages.unindexed == known + 73
    tables.messages.settle()
    assert tables.messages.count_by_status() == {"queued": 26, "sending": 48}
    assert tables.messages.insert_all([]) == []


def test_lease_takes_queued_messages_once(tables: Tables, org: Org) -> None:
    number, second = (tables.messages.insert(outbound(org.id)) for _ in range(2))
    tables.messages.set(number, acked_at=1)
    held = tables.messages.insert(outbound(org.id, held_until=9))

    def lease(*ids: int) -> list[Message]:
        found = tables.messages.lease(ids, phone=4, sim_slot=1, sim="+1", now=50)
        return sorted(found, key=lambda message: message.id)

    leased = lease(second, number, held, 99_999)
    assert leased == [_found(tables, org, number), _found(tables, org, second)]
    for one in leased:
        assert (one.status, one.phone, one.sim_slot, one.sim) == ("sending", 4, 1, "+1")
        assert (one.attempts, one.pushed_at, one.acked_at) == (1, 50, None)
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
        return [c.id for c in tables.messages.candidates(org.id, limit=limit, **which)]

    assert ids(phone=None, sim_selector="") == [urgent, first, second, low]
    assert ids(2, phone=None, sim_selector="") == [urgent, first]
    assert ids(phone=8, sim_selector="0") == [pinned]
    assert ids(phone=None, sim_selector="0") == []
    assert tables.messages.candidates(org.id, phone=None, sim_selector="", limit=2)[1] == Candidate(
        id=first, segments=3, priority=0
    )


def test_waiting_segments_counts_up_to_its_cap(tables: Tables, org: Org) -> None:
    for segments in (2, 3, 4):
        tables.messages.insert(outbound(org.id, segments=segments))
    waiting = tables.messages.waiting_segments
    assert waiting(org.id, phone=None, sim_selector="", cap=100) == 9
    assert waiting(org.id, phone=None, sim_selector="", cap=6) == 6
    assert waiting(org.id, phone=1, sim_selector="", cap=6) == 0


def test_unsettled_is_by_id_and_of_the_phone(tables: Tables, org: Org) -> None:
    numbers = [
        tables.messages.insert(outbound(org.id, status="sending", phone=phone))
        for phone in (1, 2, 1)
    ]
    assert [m.id for m in tables.messages.unsettled(1)] == [numbers[0], numbers[2]]


def test_held_messages_are_released_when_due(tables: Tables, org: Org, other: Org) -> None:
    assert tables.messages.next_held() is None
    numbers = [
        tables.messages.insert(outbound(of.id, held_until=due))
        for of, due in ((org, 30), (other, 20), (org, 10))
    ]
    cancelled = tables.messages.insert(outbound(org.id, held_until=1))
    bring(tables, cancelled, "cancelled")
    assert tables.messages.next_held() == 10
    assert tables.messages.release_held(5, 10) == set()
    assert tables.messages.release_held(20, 1) == {org.id}
    assert _found(tables, org, numbers[2]).held_until is None
    assert tables.messages.release_held(30, 10) == {org.id, other.id}
    assert tables.messages.next_held() is None


def test_expiry_concerns_what_is_queued(tables: Tables, org: Org) -> None:
    assert tables.messages.next_expiry() is None
    late = tables.messages.insert(outbound(org.id, expires_at=30))
    early = tables.messages.insert(outbound(org.id, expires_at=10))
    tables.messages.insert(outbound(org.id, expires_at=5, status="sending"))
    assert tables.messages.next_expiry() == 10
    assert [m.id for m in tables.messages.expired(30, 10)] == [early, late]
    assert [m.id for m in tables.messages.expired(30, 1)] == [early]
    assert tables.messages.expired(9, 10) == []


def test_overdue_counts_from_the_ack_or_else_the_push(tables: Tables, org: Org) -> None:
    assert tables.messages.oldest_push() is None
    acked = tables.messages.insert(outbound(org.id, status="sending", created_at=10, phone=1))
    pushed = tables.messages.insert(outbound(org.id, status="sending", created_at=20, phone=1))
    done = tables.messages.insert(outbound(org.id, status="sending", created_at=5, phone=1))
    bring(tables, done, "sent")
    tables.messages.set(acked, acked_at=40)

    def overdue(before: int, limit: int = 10) -> list[int]:
        found = tables.messages.overdue(before, limit, online={1, 2}, away_before=0, now=50)
        return [m.id for m in found]

    assert tables.messages.oldest_push() == 20
    assert overdue(20) == []
    assert overdue(41) == [pushed, acked]
    assert overdue(41, limit=1) == [pushed]


def test_overdue_leaves_out_what_an_absent_phone_may_still_be_given(
    tables: Tables, org: Org
) -> None:
    messages = [
        tables.messages.insert(
            outbound(org.id, status="sending", created_at=1, phone=phone, expires_at=expires_at)
        )
        for phone, expires_at in ((1, None), (2, None), (2, 50), (2, 51))
    ]
    tables.messages.set(messages[1], acked_at=2)

    def overdue(online: list[int], away_before: int = 0) -> list[int]:
        found = tables.messages.overdue(10, 10, online=online, away_before=away_before, now=50)
        return [message.id for message in found]

    assert overdue([1]) == [messages[0], messages[2], messages[1]]
    assert overdue([]) == [messages[2], messages[1]]
    # After days, nobody believes any more that the phone will be back.
    assert overdue([], away_before=1) == [messages[2], messages[1]]
    assert sorted(overdue([], away_before=2)) == messages


def test_what_is_late_is_not_leased(tables: Tables, org: Org) -> None:
    late = tables.messages.insert(outbound(org.id, expires_at=20))
    assert tables.messages.lease([late], phone=1, sim_slot=None, sim=None, now=20) == []
    assert _found(tables, org, late).status == "queued"
    assert tables.messages.lease([late], phone=1, sim_slot=None, sim=None, now=19) != []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (sql.CANDIDATES, (1, "", None, 0, 9)),
        (sql.WAITING, (1, "", None, 0, 9)),
        (sql.UNSETTLED, (1,)),
        (sql.RELEASE, (1, 1, 9)),
        (sql.NEXT_HELD, ()),
        (sql.EXPIRED, (1, 1, 9)),
        (sql.NEXT_EXPIRY, ()),
        (sql.OVERDUE, (1, 1, "[1]", 1, 9)),
        (sql.OLDEST_PUSH, ()),
        (sql.LEASE, (1, 0, "", 1, "[9]", 1)),
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
    if text in {sql.CANDIDATES, sql.WAITING}:
        assert any(
            "INDEX messages_ready (org=? AND sim_selector=? AND phone=? AND priority" in s
            for s in plan
        )


def test_whether_a_key_was_revoked_is_looked_up_by_its_id_alone(
    connection: sqlite3.Connection,
) -> None:
    for text, values in (
        (sql.LEASE, (1, 0, "", 1, "[9]", 1)),
        (sql.READY_FOR_CARRIERS, (9,)),
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
    ready = tables.messages.ready_for_carriers(9)
    assert [one.key for one in ready] == ["other", None]
    leased = tables.messages.lease(ids[:3], phone=4, sim_slot=None, sim=None, now=2)
    assert {one.key for one in leased} == {"other", None}
    assert [fact[2:4] for fact in tables.facts[-2:]] == [("queued", "sending")] * 2  # type: ignore[index]


def test_what_waits_of_a_key_is_withdrawn_in_slices(
    tables: Tables, connection: sqlite3.Connection, org: Org
) -> None:
    ids = [
        tables.messages.insert(outbound(org.id, key="k3v9", held_until=held))
        for held in (None, 99, FAR_AHEAD_MS)
    ]
    sending = tables.messages.insert(outbound(org.id, key="k3v9", status="sending"))
    free = tables.messages.insert(outbound(org.id))
    tables.facts.clear()
    assert tables.messages.withdraw("k3v9", 2, error="revoked") == 2
    assert tables.messages.withdraw("k3v9", 2, error="revoked") == 1
    assert tables.messages.withdraw("k3v9", 2, error="revoked") == 0
    withdrawn = [Changed(one, org.id, "queued", "cancelled") for one in ids]
    assert sorted(tables.facts) == withdrawn
    for one in ids:
        found = tables.messages.find(org.id, one)
        assert found is not None
        assert (found.status, found.error) == ("cancelled", "revoked")
    for one, status in ((sending, "sending"), (free, "queued")):
        found = tables.messages.find(org.id, one)
        assert found is not None
        assert found.status == status
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.WITHDRAW}", ("y", "k", 9)).fetchall()
    assert any("INDEX messages_waiting_of_key (key=?)" in row[3] for row in plan), plan


def test_one_go_of_the_index_is_bounded_by_the_length_of_texts(tables: Tables, org: Org) -> None:
    for _ in range(100):
        tables.messages.insert_inbound(inbound(org.id, "word " * 10_000, date=None))
    added = []
    while True:
        count, complete = tables.messages.index(1000)
        added.append(count)
        if complete:
            break
    assert sum(added) == 100
    assert max(added) == INDEXED_AT_ONCE // search.MAX_TEXT


def test_deletion_of_long_texts_is_bounded_too(tables: Tables, org: Org) -> None:
    ids = [
        tables.messages.insert(outbound(org.id, "x" * (DELETED_AT_ONCE // 2 - 1))) for _ in range(7)
    ]
    assert tables.messages.erase(ids, lambda _: True) == (3, 3)
    assert not tables.messages.drop(org.id, 500)
    assert tables.messages.drop(org.id, 500)
    assert tables.messages.page(org.id, PageQuery()) == []
