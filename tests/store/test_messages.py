import sqlite3
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.facts import Changed
from phonegate.model.messages import FAR_AHEAD_MS, Message, NewMessage, Pushed
from phonegate.model.orgs import Org
from phonegate.model.states import Cause
from phonegate.store import messages
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
    assert tables.phone_queue.awaiting_result(1) == [found]


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
    tables.message_counts.write()
    assert tables.message_counts.by_status() == {"received": 4}


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
    tables.word_index.add_missing(1000)
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
    tables.message_counts.write()
    tables.facts.clear()
    tables.phone_queue.lease(numbers[:2], phone=1, sim_slot=None, sim=None, now=1)
    bring(tables, numbers[1], "sent")
    bring(tables, numbers[1], "sent")
    bring(tables, numbers[2], "cancelled", error="asked")
    gone = attrs.evolve(_found(tables, org, numbers[3]), id=99_999)
    tables.messages.transition(gone, Cause.PUSHED)
    tables.message_counts.write()
    counted = connection.execute("SELECT status, count(*) FROM messages GROUP BY status")
    assert tables.message_counts.by_status() == dict(counted)


def test_many_are_stored_as_one_by_one(tables: Tables, org: Org) -> None:
    new = [
        outbound(org.id, f"body {n}", status="sending" if n % 3 else "queued", phone=n)
        for n in range(73)
    ]
    first = tables.messages.insert(outbound(org.id))
    known = tables.word_index.missing
    ids = tables.messages.insert_all(new)
    assert ids == list(range(first + 1, first + 74))
    for number, one in zip(ids, new, strict=True):
        stored = _found(tables, org, number)
        assert (stored.body, stored.status, stored.phone) == (one.body, one.status, one.phone)
        assert stored.attempts == (one.status == "sending")
    assert tables.word_index.missing == known + 73
    tables.message_counts.write()
    assert tables.message_counts.by_status() == {"queued": 26, "sending": 48}
    assert tables.messages.insert_all([]) == []


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
    plan = connection.execute(f"EXPLAIN QUERY PLAN {messages.WITHDRAW}", ("y", "k", 9)).fetchall()
    assert any("INDEX messages_waiting_of_key (key=?)" in row[3] for row in plan), plan


def pushed(org: int, number: int, **changes: object) -> Pushed:
    base = Pushed(org, "+15553334444", str(number), 1000, 3, "0", 0, "+1", 0, "hold", None, 2)
    return base._replace(**changes)  # type: ignore[arg-type]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "sim": st.none() | st.just("+15"),
                "sim_slot": st.none() | st.just(1),
                "priority": st.integers(-128, 127),
                "on_uncertain": st.sampled_from(["hold", "resend"]),
                "key": st.none() | st.just("k1"),
                "segments": st.integers(1, 9),
            }
        ),
        max_size=20,
    )
)
def test_messages_that_are_pushed_at_once_are_stored_as_ever(changes: list[dict[str, Any]]) -> None:
    connection = memory()
    tables = Tables(connection)
    org = tables.orgs.add("myorg", "hash", 1)
    new = [pushed(org.id, number, **one) for number, one in enumerate(changes)]
    ids = tables.messages.insert_pushed(new)
    assert tables.facts == [Changed(id_, org.id, None, "sending") for id_ in ids]
    stored = [_found(tables, org, id_) for id_ in ids]
    assert stored == [one.stored(id_) for id_, one in zip(ids, new, strict=True)]
    again = [NewMessage(status="sending", **one._asdict()) for one in new]
    others = [_found(tables, org, id_) for id_ in tables.messages.insert_all(again)]
    assert [attrs.evolve(one, id=0) for one in others] == [
        attrs.evolve(one, id=0) for one in stored
    ]
    assert ids == range(1, len(new) + 1)
    assert tables.word_index.missing == 2 * len(new)
    connection.close()


def test_any_number_of_them_has_ids_that_ascend(tables: Tables, org: Org) -> None:
    first = 1
    for count in (1, 2, 63, 64, 65, 200):
        ids = tables.messages.insert_pushed([pushed(org.id, at) for at in range(count)])
        assert ids == range(first, first + count)
        assert [_found(tables, org, id_).body for id_ in ids] == [str(at) for at in range(count)]
        first += count


@pytest.mark.parametrize("gone", [(), (1,), (2, 3), (5,)])
def test_the_first_message_since_a_time_is_found(
    tables: Tables, org: Org, gone: tuple[int, ...]
) -> None:
    assert tables.messages.first_stored(0) == 1
    for at in (10, 20, 20, 30, 40):
        tables.messages.insert(outbound(org.id, created_at=at))
    for id_ in gone:
        tables.messages._connection.execute("DELETE FROM messages WHERE id = ?", (id_,))
    rows = tables.messages._connection.execute("SELECT id, created_at FROM messages ORDER BY id")
    left = rows.fetchall()
    for at in range(5, 50, 5):
        found = tables.messages.first_stored(at)
        assert [id_ for id_, _ in left if id_ >= found] == [id_ for id_, t in left if t >= at]
