import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.events import EVENT_TYPES, Event, Extent
from phonegate.model.facts import Changed, EventsRecorded
from phonegate.model.media import Part
from phonegate.model.messages import FAR_AHEAD_MS, MessageView
from phonegate.model.orgs import Org
from phonegate.model.states import OUTBOUND_STATES, QUEUED, SENDING, STATES, Cause
from phonegate.model.storage_errors import ConstraintBroken, StorageUnavailable
from phonegate.store import event_rows
from phonegate.store import events as events_store
from phonegate.store.database import Database
from phonegate.store.event_rows import TYPES
from phonegate.store.tables import Tables
from tests.store.conftest import bring, inbound, memory, outbound

NOW = 1_000_000


def commit(tables: Tables) -> list[EventsRecorded]:
    """Does what the writer does at the end of a transaction. Returns what is said of events."""
    tables.complete(NOW)
    tables.committed()
    recorded = [fact for fact in tables.facts if isinstance(fact, EventsRecorded)]
    tables.facts.clear()
    return recorded


def events(tables: Tables, org: int, since: int = 0) -> list[Event]:
    return tables.events.page(org, since, 1000)


def types(tables: Tables, org: int) -> list[str]:
    return [event.type for event in events(tables, org)]


def view(tables: Tables, org: int, id_: int) -> MessageView:
    found = tables.messages.find(org, id_)
    assert found is not None
    return MessageView._make(getattr(found, name) for name in MessageView._fields)


def test_each_status_has_its_type() -> None:
    assert set(TYPES) == set(STATES)
    assert set(TYPES.values()) | {"message.held"} == {
        type_ for type_ in EVENT_TYPES if type_.startswith("message.")
    }


def test_what_happens_is_recorded_with_the_message_as_it_is_then(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    out = tables.messages.insert(
        outbound(org.id, 'été "é" 你好', media_urls=("https://a/1", "https://a/2"), key="k1")
    )
    came = tables.messages.insert_inbound(inbound(org.id, sim="+1555", sim_slot=1, error="cut"))
    assert came is not None
    recorded = commit(tables)

    first, second = events(tables, org.id)
    assert first == Event(
        id=first.id, org=org.id, type="message.queued", at=NOW, message=view(tables, org.id, out)
    )
    assert second == Event(
        id=first.id + 1,
        org=org.id,
        type="message.received",
        at=NOW,
        message=view(tables, org.id, came),
    )
    assert recorded == [EventsRecorded(org.id, second.id)]
    assert tables.events.extent(org.id) == Extent(first=first.id - 1, last=second.id)


def test_of_an_org_that_does_not_listen_nothing_is_recorded(
    tables: Tables, org: Org, other: Org
) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert(outbound(other.id))
    tables.events.record(other.id, "phone.online", NOW, data={})
    assert commit(tables) == []
    assert events(tables, other.id) == events(tables, org.id) == []
    assert tables.events.is_listener(org.id)
    assert not tables.events.is_listener(other.id)


def test_what_was_changed_in_bulk_is_read_with_the_status_that_each_change_had(
    tables: Tables, org: Org
) -> None:
    tables.events.listen(org.id, NOW)
    phone = tables.phones.connect(org.id, "pixel", 1).id
    id_ = tables.messages.insert(outbound(org.id, phone=phone, status=SENDING))
    tables.phone_queue.store_sent_all([(id_, org.id, phone, 2)], 2000)
    sent = tables.messages.find(org.id, id_)
    assert sent is not None
    # In the same transaction: what is read at its end has been delivered by then.
    tables.messages.transition(sent, Cause.DELIVERED, delivered_at=3000)
    cancelled = tables.messages.insert(outbound(org.id, key="k1"))
    tables.messages.withdraw("k1", 10, error="its key was revoked")
    commit(tables)

    found = events(tables, org.id)
    assert [event.type for event in found] == [
        "message.sending",
        "message.sent",
        "message.delivered",
        "message.queued",
        "message.cancelled",
    ]
    as_sent, as_delivered, as_cancelled = found[1].message, found[2].message, found[4].message
    assert as_delivered == view(tables, org.id, id_)
    assert as_sent == as_delivered._replace(status="sent", delivered_at=None)
    assert as_cancelled == view(tables, org.id, cancelled)
    assert found[1].phone == phone


def test_a_message_that_waits_for_approval_is_held_then_queued(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert(outbound(org.id, approval="asked", held_until=FAR_AHEAD_MS))
    commit(tables)
    held = tables.messages.find(org.id, 1)
    assert held is not None
    tables.messages.reschedule(held, None, approval="given")
    # Leased at once: the event tells of it as it was when it was approved.
    tables.phone_queue.lease([1], phone=1, sim_slot=0, sim=None, now=2000)
    commit(tables)
    assert types(tables, org.id) == ["message.held", "message.queued", "message.sending"]
    approved = events(tables, org.id)[1].message
    assert approved is not None
    assert (approved.status, approved.approval, approved.held_until) == (QUEUED, "given", None)


def test_a_message_that_only_has_another_time_is_no_event(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert(outbound(org.id, held_until=5000))
    commit(tables)
    queued = tables.messages.find(org.id, 1)
    assert queued is not None
    tables.messages.reschedule(queued, None)
    tables.messages.set(1, error="tried in vain")
    assert commit(tables) == []


def test_an_mms_that_is_complete_is_received_again_with_its_parts(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    id_ = tables.messages.insert_inbound(inbound(org.id, "", error="announced"))
    assert id_ is not None
    commit(tables)
    found = tables.messages.find(org.id, id_)
    assert found is not None
    tables.media_parts.add(id_, 1, [Part(content_type="image/png", data=b"png")])
    tables.messages.complete(found, body="look", segments=1, parts=1, error=None)
    commit(tables)
    first, second = events(tables, org.id)
    assert first.type == second.type == "message.received"
    assert first.message is not None
    assert (first.message.body, first.message.parts, first.message.error) == ("", 0, "announced")
    assert second.message == view(tables, org.id, id_)
    assert second.message.parts == 1


def test_a_message_that_is_deleted_is_no_event(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    kept = tables.messages.insert(outbound(org.id))
    gone = tables.messages.insert(outbound(org.id, key="k1"))
    commit(tables)
    tables.messages.withdraw("k1", 10, error="withdrawn")
    tables.message_removal.erase([gone], lambda _: True)
    commit(tables)
    assert types(tables, org.id) == ["message.queued"] * 2
    assert [event.message.id for event in events(tables, org.id) if event.message] == [kept, gone]


def test_other_events_are_in_the_order_in_which_they_happened(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.events.record(org.id, "phone.online", 1, phone=7, data={"id": 7, "name": "é"})
    tables.messages.insert(outbound(org.id))
    tables.events.record(org.id, "alarm.raised", 3, data={"alarm": "phone_away"})
    commit(tables)
    queued, online, alarm = events(tables, org.id)
    assert online == Event(
        id=3, org=org.id, type="phone.online", at=1, phone=7, data={"id": 7, "name": "é"}
    )
    assert (queued.type, alarm.type) == ("message.queued", "alarm.raised")
    assert [one.subject for one in (online, queued, alarm)] == ["phone/7", "message/1", "alarm"]


def test_pages_ascend_and_never_have_another_orgs_events(
    tables: Tables, org: Org, other: Org
) -> None:
    for one in (org, other):
        tables.events.listen(one.id, NOW)
    for number in range(20):
        tables.messages.insert(outbound((org, other)[number % 2].id))
    commit(tables)
    assert [event.id for event in tables.events.page(org.id, 5, 4)] == [7, 9, 11, 13]
    assert [event.id for event in tables.events.newest(other.id, 3)] == [18, 20, 22]
    assert [event.id for event in tables.events.newest(other.id, 2, before=20)] == [16, 18]
    assert tables.events.page(org.id, 2**70, 10) == []
    for one in (org, other):
        assert {event.org for event in events(tables, one.id)} == {one.id}


def test_a_page_is_bounded_by_its_size_and_never_empty(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    for _ in range(4):
        tables.messages.insert(outbound(org.id, "x" * 1000))
    commit(tables)
    assert len(tables.events.page(org.id, 0, 10, most_bytes=1)) == 1
    assert [event.id for event in tables.events.page(org.id, 0, 10, most_bytes=1500)] == [2, 3]
    assert [event.id for event in tables.events.newest(org.id, 10, most_bytes=1500)] == [4, 5]


def test_bodies_stay_out_of_what_is_logged(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert(outbound(org.id, "secret"))
    tables.events.record(org.id, "alarm.raised", 1, data={"problem": "secret"})
    assert "secret" not in repr([fact for fact in tables.facts if not isinstance(fact, Changed)])
    commit(tables)
    assert "secret" not in repr(events(tables, org.id))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    body=TEXTS, address=TEXTS, key=TEXTS, urls=st.lists(TEXTS, max_size=3), at=st.integers(0, 2**53)
)
def test_every_text_is_read_back_as_it_was(
    body: str, address: str, key: str, urls: list[str], at: int
) -> None:
    tables = Tables(memory())
    org = tables.orgs.add("myorg", "hash", 1).id
    tables.events.listen(org, NOW)
    id_ = tables.messages.insert(
        outbound(org, body, address=address, key=key, media_urls=tuple(urls), expires_at=at)
    )
    commit(tables)
    # Once as the statement writes it that records nearly all, and once as others are written.
    bring(tables, id_, "sent", error=body)
    commit(tables)
    first, second, third = [event.message for event in events(tables, org)]
    assert third == view(tables, org, id_)
    assert first == third._replace(status="queued", error=None)
    assert second == first._replace(status="sending")


# -- who listens


def test_what_was_before_an_org_listened_may_be_missing(
    tables: Tables, org: Org, other: Org
) -> None:
    tables.events.listen(other.id, NOW)
    tables.messages.insert(outbound(other.id))
    commit(tables)
    assert tables.events.extent(org.id) == Extent(first=3, last=2)
    tables.events.listen(org.id, NOW)
    tables.events.listen(org.id, 2 * NOW)
    tables.messages.insert(outbound(org.id))
    commit(tables)
    assert tables.events.extent(org.id) == Extent(first=3, last=4)
    assert tables.events.listens_until(org.id) == 2 * NOW
    tables.events.listen(org.id)
    assert tables.events.listens_until(org.id) == 2 * NOW


def test_listening_lapses_and_begins_anew(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert(outbound(org.id))
    commit(tables)
    tables.events.lapse(NOW)
    assert tables.events.is_listener(org.id)
    tables.events.lapse(NOW + 1)
    assert not tables.events.is_listener(org.id)
    assert tables.events.listens_until(org.id) is None
    tables.messages.insert(outbound(org.id))
    assert commit(tables) == []
    (before,) = events(tables, org.id)
    tables.messages.insert(outbound(org.id))
    tables.events.listen(org.id, 2 * NOW)
    assert commit(tables) == [EventsRecorded(org.id, before.id + 2)]
    # Whoever read the event before learns that others may be missing, even with no id between.
    assert tables.events.extent(org.id) == Extent(first=before.id + 1, last=before.id + 2)


def test_an_org_with_a_webhook_listens_on(tables: Tables, org: Org) -> None:
    hook = add_webhook(tables, org.id)
    tables.events.lapse(NOW)
    assert tables.events.is_listener(org.id)
    tables.messages.insert(outbound(org.id))
    assert commit(tables) == [EventsRecorded(org.id, 2)]
    tables.webhooks.remove(org.id, hook)
    tables.events.lapse(NOW)
    assert tables.events.listening() == []


def add_webhook(tables: Tables, org: int) -> int:
    return tables.webhooks.add(
        org, url="https://example.com", events=("*",), secret="whsec_s", created_at=1
    ).id


async def test_an_operation_that_fails_leaves_neither_events_nor_a_listener(
    store: Database,
) -> None:
    org = (await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id

    def half(tx: Tables) -> None:
        tx.events.listen(org, NOW)
        tx.messages.insert(outbound(org))
        tx.messages.insert(outbound(999))

    with pytest.raises(ConstraintBroken):
        await store.write(half)
    await store.write(lambda tx: tx.messages.insert(outbound(org)))
    assert await store.read(lambda tx: (tx.events.is_listener(org), types(tx, org))) == (False, [])
    await store.write(lambda tx: tx.events.listen(org, NOW))
    with pytest.raises(ConstraintBroken):
        await store.write(half)
    await store.write(lambda tx: tx.messages.insert(outbound(org)))
    found = await store.read(lambda tx: events(tx, org))
    assert [event.message.id for event in found if event.message] == [2]


async def test_a_transaction_that_fails_leaves_no_events_and_no_id_is_skipped(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = (await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    await store.write(lambda tx: tx.events.listen(org, NOW))
    tables = store._writer._group_commit._tables
    good = tables.events.write

    def full(now: int) -> None:
        good(now)
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(tables.events, "write", full)
    with pytest.raises(StorageUnavailable):
        await store.write(lambda tx: tx.messages.insert(outbound(org)))
    with pytest.raises(StorageUnavailable):
        await store.write(lambda tx: tx.events.lapse(2 * NOW))
    monkeypatch.undo()
    await store.write(lambda tx: tx.messages.insert(outbound(org)))
    found = await store.read(lambda tx: events(tx, org))
    assert [(event.id, event.type) for event in found] == [(2, "message.queued")]


def test_who_listens_and_the_last_id_outlive_the_process(
    connection: sqlite3.Connection, tables: Tables, org: Org
) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert_all([outbound(org.id)] * 3)
    commit(tables)
    tables.events.erase([4, 3])
    commit(tables)
    again = Tables(connection)
    assert again.events.extent(org.id) == Extent(first=4, last=4)
    again.messages.insert(outbound(org.id))
    assert commit(again) == [EventsRecorded(org.id, 5)]


# -- what is deleted


def test_deleted_events_are_missing_of_their_orgs_alone(
    tables: Tables, org: Org, other: Org
) -> None:
    for one in (org, other):
        tables.events.listen(one.id, NOW)
    for number in range(6):
        tables.messages.insert(outbound((org, other)[number % 2].id))
    commit(tables)
    assert [one.id for one in tables.events.oldest(3, 2)] == [4, 5]
    assert tables.events.erase([3, 5, 99]) == 2
    assert tables.events.extent(org.id) == Extent(first=5, last=8)
    assert tables.events.extent(other.id) == Extent(first=2, last=8)
    assert [event.id for event in events(tables, org.id)] == [7]


def test_beyond_the_newest_ones_the_oldest_are_surplus(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert_all([outbound(org.id)] * 10)
    commit(tables)
    assert [one.id for one in tables.events.surplus(org.id, 7, 10)] == [2, 3, 4]
    assert [one.id for one in tables.events.surplus(org.id, 7, 2)] == [2, 3]
    assert tables.events.surplus(org.id, 10, 10) == []


def test_events_of_deleted_messages_are_found(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id, NOW)
    tables.messages.insert_all([outbound(org.id)] * 3)
    tables.events.record(org.id, "phone.online", 1, phone=1, data={})
    commit(tables)
    tables.message_removal.erase([2], lambda _: True)
    assert [one.id for one in tables.events.without_message(0, 99)] == [3]
    assert tables.events.without_message(3, 99) == tables.events.without_message(0, 2) == []


def test_nothing_is_left_of_a_removed_org(tables: Tables, org: Org, other: Org) -> None:
    for one in (org, other):
        tables.events.listen(one.id, NOW)
        hook = add_webhook(tables, one.id)
        tables.orgs._connection.executemany(
            "INSERT INTO deliveries (webhook, event, type, subject, created_at)"
            " VALUES (?, ?, 'message.queued', 'message/1', 1)",
            [(hook, n) for n in range(1200)],
        )
        tables.messages.insert_all([outbound(one.id)] * 600)
    commit(tables)
    tables.orgs.remove("myorg")
    # At once: nothing can be called, or recorded, for it any more.
    assert tables.events.listening() == [other.id]
    assert [one.org for one in tables.webhooks.active()] == [other.id]
    tables.events.listen(org.id, NOW)
    tables.events.record(org.id, "phone.offline", 1, data={})
    slices = 0
    while tables.orgs.removed:
        tables.clear_slice()
        slices += 1
        commit(tables)
    assert slices >= 4
    for table, rows in (("events", 600), ("deliveries", 1200), ("webhooks", 1), ("listeners", 1)):
        (count,) = tables.orgs._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert (table, count) == (table, rows)


# -- all histories

Step = tuple[str, int, Cause | None]

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.sampled_from(["store", "push", "receive", "hold"]), st.integers(0, 2), st.none()),
    st.tuples(
        st.sampled_from(["move", "move", "sent", "withdraw", "approve", "erase"]),
        st.integers(1, 4),
        st.sampled_from(list(Cause)),
    ),
)

TRANSACTIONS = st.lists(st.tuples(st.lists(STEPS, max_size=6), st.booleans()), max_size=8)


def take(tables: Tables, orgs: list[int], phone: int, step: Step) -> None:
    what, number, cause = step
    if what in {"store", "push", "hold"}:
        org = orgs[number]
        fields: dict[str, Callable[[], dict[str, Any]]] = {
            "store": lambda: {"key": "k1"},
            "push": lambda: {"status": SENDING, "phone": phone},
            "hold": lambda: {"approval": "asked", "held_until": FAR_AHEAD_MS},
        }
        tables.messages.insert(outbound(org, **fields[what]()))
        return
    if what == "receive":
        tables.messages.insert_inbound(inbound(orgs[number]))
        return
    found = next((one for org in orgs if (one := tables.messages.find(org, number))), None)
    if found is None:
        return
    if what == "move" and cause is not None and found.direction == "out":
        tables.messages.transition(found, cause)
    elif what == "sent":
        tables.phone_queue.store_sent_all([(found.id, found.org, phone, 1)], 5000)
    elif what == "withdraw":
        tables.messages.withdraw("k1", 1, error="withdrawn")
    elif what == "approve" and found.approval == "asked" and found.status == QUEUED:
        tables.messages.reschedule(found, None, approval="given")
    elif what == "erase":
        tables.message_removal.erase([found.id], lambda _: True)


@given(TRANSACTIONS)
def test_every_change_has_its_event_in_its_commit(
    transactions: list[tuple[list[Step], bool]],
) -> None:
    tables = Tables(memory())
    orgs = [tables.orgs.add(name, "hash", 1).id for name in ("one", "two", "deaf")]
    phone = tables.phones.connect(orgs[0], "pixel", 1).id
    for org in orgs[:2]:
        tables.events.listen(org, NOW)
    expected: list[tuple[int, str, int]] = []
    for steps, fails in transactions:
        tables.orgs._connection.execute("SAVEPOINT tx")
        for step in steps:
            take(tables, orgs, phone, step)
        facts = list(tables.facts)
        tables.complete(NOW)
        if fails:
            tables.orgs._connection.execute("ROLLBACK TO tx")
            tables.undone()
        else:
            tables.committed()
            expected += told(tables, facts, orgs[:2])
        tables.facts.clear()
        tables.orgs._connection.execute("RELEASE tx")
    found = sorted(
        (event for org in orgs for event in tables.events.page(org, 0, 1000)),
        key=lambda event: event.id,
    )
    assert [(one.org, one.type, one.message.id) for one in found if one.message] == expected
    for one in found:
        assert one.message is not None
        assert one.type in {f"message.{one.message.status}", "message.held"}
        assert (one.type == "message.held") == (
            one.message.approval == "asked" and one.message.status == QUEUED
        )


def told(tables: Tables, facts: list[Any], listening: list[int]) -> list[tuple[int, str, int]]:
    """Returns the events that facts must have, worked out from their states alone.

    Messages that have changed but once in the transaction come before the others.
    """
    facts = [
        fact
        for fact in facts
        if hasattr(fact, "id") and fact.org in listening and getattr(fact, "after", "") is not None
    ]
    counts = Counter(fact.id for fact in facts)
    once: list[tuple[int, str, int]] = []
    several: list[tuple[int, str, int]] = []
    for fact in facts:
        if not isinstance(fact, Changed):
            type_ = "message.queued"
        elif fact.after == QUEUED and getattr(fact.message, "approval", None) == "asked":
            type_ = "message.held"
        else:
            type_ = f"message.{fact.after}"
        # Those of an amended message are together with it.
        often = counts[fact.id] > 1
        is_known = often and isinstance(fact, Changed) and fact.message is not None
        if is_known or tables.messages.find(fact.org, fact.id) is not None:
            by_itself = isinstance(fact, Changed) and not often
            (once if by_itself else several).append((fact.org, type_, fact.id))
    return once + several


@pytest.mark.parametrize("status", OUTBOUND_STATES)
def test_every_way_to_a_status_is_recorded(tables: Tables, org: Org, status: str) -> None:
    tables.events.listen(org.id, NOW)
    id_ = tables.messages.insert(outbound(org.id))
    bring(tables, id_, status)
    commit(tables)
    last = events(tables, org.id)[-1]
    assert last.type == f"message.{status}"
    assert last.message == view(tables, org.id, id_)


@pytest.mark.parametrize("data", [{"a": {1}}, {"a": object()}], ids=["a set", "an object"])
async def test_data_that_is_no_json_undoes_its_own_operation_alone(
    store: Database, data: dict[str, Any]
) -> None:
    org = (await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    await store.write(lambda tx: tx.events.listen(org, NOW))
    with pytest.raises(TypeError):
        await store.write(lambda tx: tx.events.record(org, "alarm.raised", NOW, data=data))
    await store.write(
        lambda tx: tx.events.record(org, "alarm.raised", NOW, data={"a": "half \ud83d of one"})
    )
    (event,) = await store.read(lambda tx: tx.events.page(org, 0, 9))
    assert event.data == {"a": "half ? of one"}


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (events_store.AFTER, (1, 1, 1)),
        (events_store.NEWEST, (1, 1, 1)),
        (events_store.AGED, (1, 1)),
        (events_store.SURPLUS_FROM, (1, 1)),
        (events_store.SURPLUS, (1, 1, 1)),
        (events_store.WITHOUT_MESSAGE, (1, 1)),
        (events_store.ERASE, ("[]",)),
        (events_store.OF_ORG, (1, 1)),
        (event_rows.READ, ("[]",)),
        (event_rows.RECORD, (1, 1, "[]")),
    ],
)
def test_no_question_looks_through_all(
    connection: sqlite3.Connection, tables: Tables, sql: str, values: tuple[object, ...]
) -> None:
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in plan if step.startswith(("SCAN events", "SCAN messages"))]
    assert not [step for step in plan if "TEMP B-TREE" in step]
