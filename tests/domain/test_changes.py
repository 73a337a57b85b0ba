"""Whatever happens to messages: the facts are what the state table allows and the rows show."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain import carrier_reports, delivery
from phonegate.domain.carrier import StatusReport
from phonegate.domain.carrier_timings import PollTimings
from phonegate.domain.delivery import Pick, Policy
from phonegate.model.facts import Amended, Changed, Fact, Rescheduled
from phonegate.model.messages import Message
from phonegate.model.orgs import Org
from phonegate.model.states import OUTBOUND_STATES, STATES, Cause, advance, allows
from phonegate.store.tables import Tables
from tests.store.conftest import inbound, memory, outbound

NOW = 1_000_000
POLLS = PollTimings()
IDS = st.integers(1, 6)
Operation = Callable[[Tables, int, int], object]
"""What happens, in an org, with a phone."""

_POLICY = Policy(result_timeout_ms=1, away_timeout_ms=1)


def on(id_: int, change: Callable[[Tables, Message], object]) -> Operation:
    """Something that happens to one outbound message, if it is there."""

    def go(tx: Tables, org: int, phone: int) -> None:
        message = tx.messages.find(org, id_)
        if message is not None and message.direction == "out":
            change(tx, message)

    return go


def _insert(fields: dict[str, Any]) -> Operation:
    # What waits for a phone that was given it before is a message of that phone.
    return lambda tx, org, phone: tx.messages.insert(
        outbound(org, created_at=NOW, phone=phone, **fields)
    )


def _settle(id_: int, *, success: bool, uncertain: bool, error: str | None) -> Operation:
    return lambda tx, org, phone: delivery.apply_result(
        tx,
        org,
        phone,
        id_,
        success=success,
        error=error,
        segments=None,
        uncertain=uncertain,
        now=NOW,
    )


def _report(id_: int, progress: Any) -> Operation:
    report = StatusReport(carrier_id="c", progress=progress)
    return on(id_, lambda tx, one: carrier_reports.progressed(tx, one, report, NOW))


INSERTS: st.SearchStrategy[Operation] = st.builds(
    _insert,
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["queued", "sending"]),
            "on_uncertain": st.sampled_from(["hold", "resend"]),
            "held_until": st.sampled_from([None, NOW]),
            "expires_at": st.sampled_from([None, NOW, NOW + 1]),
            "key": st.sampled_from([None, "k"]),
            "approval": st.sampled_from([None, "asked"]),
        }
    ),
)

OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    INSERTS,
    st.just(lambda tx, org, _: tx.messages.insert_inbound(inbound(org, fingerprint=b"same"))),
    st.lists(IDS, max_size=4).map(
        lambda ids: (
            lambda tx, _, phone: delivery.lease(
                tx, phone, [Pick(id=one, sim_slot=None, sim=None) for one in ids], NOW
            )
        )
    ),
    st.lists(st.tuples(IDS, st.none() | st.just(2)), max_size=4).map(
        lambda results: (
            lambda tx, org, phone: delivery.apply_sent_results(tx, org, phone, results, NOW)
        )
    ),
    st.builds(
        _settle,
        IDS,
        success=st.booleans(),
        uncertain=st.booleans(),
        error=st.sampled_from([None, delivery.CANCEL_ERROR]),
    ),
    st.tuples(IDS, st.booleans()).map(
        lambda of: (
            lambda tx, org, phone: delivery.confirm(
                tx, org, phone, of[0], delivered=of[1], date=None, now=NOW
            )
        )
    ),
    IDS.map(lambda id_: on(id_, delivery.recall)),
    IDS.map(lambda id_: on(id_, lambda tx, one: delivery.approve(tx, one, NOW))),
    IDS.map(lambda id_: on(id_, lambda tx, one: delivery.refuse(tx, one, NOW))),
    st.tuples(IDS, st.sampled_from(Cause)).map(
        lambda of: on(of[0], lambda tx, one: delivery.give_up(tx, one, of[1], "why", NOW))
    ),
    IDS.map(lambda id_: on(id_, lambda tx, one: carrier_reports.leased(tx, one, NOW, NOW + 9))),
    IDS.map(lambda id_: on(id_, lambda tx, one: carrier_reports.rejected(tx, one, "why"))),
    IDS.map(
        lambda id_: on(
            id_, lambda tx, one: carrier_reports.lost_track(tx, one, "why", NOW, NOW, polls=POLLS)
        )
    ),
    IDS.map(
        lambda id_: on(id_, lambda tx, one: carrier_reports.polled(tx, one, 1 << 40, polls=POLLS))
    ),
    st.builds(_report, IDS, st.sampled_from(["sent", "delivered", "failed", "accepted"])),
    st.just(lambda tx, *_: delivery.withdraw_of_key(tx, "k")),
    st.just(lambda tx, *_: tx.due_messages.release_held(NOW, 9)),
    st.just(lambda tx, *_: delivery.expire(tx, NOW, 9)),
    st.just(
        lambda tx, _, phone: delivery.abandon_silent(
            tx, online=[phone], now=NOW + 9, policy=_POLICY, limit=9
        )
    ),
    st.lists(IDS, max_size=2, unique=True).map(
        lambda ids: lambda tx, *_: tx.message_removal.erase(ids, lambda _: True)
    ),
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(INSERTS, min_size=2, max_size=6),
    st.lists(st.tuples(OPERATIONS, st.sampled_from([True, True, True, False])), max_size=25),
)
def test_committed_facts_replayed_are_what_the_rows_show(
    first: list[Operation], steps: list[tuple[Operation, bool]]
) -> None:
    connection = memory()
    tx = Tables(connection)
    org = tx.orgs.add("myorg", "hash", 1).id
    phone = tx.phones.connect(org, "a", 1, phone=None).id
    committed: list[Fact] = []
    for operation, kept in [*((insert, True) for insert in first), *steps]:
        connection.execute("BEGIN")
        operation(tx, org, phone)
        if kept:
            tx.complete(NOW)
            connection.execute("COMMIT")
            committed += tx.facts
            tx.facts.clear()
        else:
            connection.execute("ROLLBACK")
            tx.undone()
        assert tx.facts == []
    replayed: dict[int, str | None] = {}
    for fact in committed:
        if isinstance(fact, Changed):
            assert fact.org == org
            assert replayed.get(fact.id) == fact.before, "each begins where the last one ended"
            assert allows(fact.before, fact.after), fact[:4]
            replayed[fact.id] = fact.after
    rows = dict(connection.execute("SELECT id, status FROM messages"))
    assert {id_: status for id_, status in replayed.items() if status is not None} == rows
    counted = connection.execute("SELECT status, count(*) FROM messages GROUP BY status")
    assert tx.message_counts.by_status() == dict(counted)
    connection.close()


def test_the_state_table_allows_what_an_event_leads_to_and_nothing_else() -> None:
    led = {
        (before, after)
        for before in STATES
        for cause in Cause
        if (after := advance(before, cause)) is not None
    }
    for before in STATES:
        assert allows(before, None)
        for after in STATES:
            assert allows(before, after) == ((before, after) in led)
    assert {after for after in STATES if allows(None, after)} == {"queued", "sending", "received"}


@pytest.mark.parametrize("cause", Cause)
def test_one_cause_is_one_fact_or_nothing(cause: Cause) -> None:
    connection = memory()
    tx = Tables(connection)
    org = tx.orgs.add("myorg", "hash", 1).id
    for status in OUTBOUND_STATES:
        id_ = tx.messages.insert(outbound(org))
        connection.execute("UPDATE messages SET status = ? WHERE id = ?", (status, id_))
        before = tx.messages.find(org, id_)
        assert before is not None
        tx.facts.clear()
        moved = tx.messages.transition(before, cause, error="why")
        after = advance(status, cause)
        if after is None:
            assert (moved, tx.facts, tx.messages.find(org, id_)) == (None, [], before)
            continue
        assert moved == tx.messages.find(org, id_) != before
        (fact,) = tx.facts
        assert isinstance(fact, Changed)
        assert fact[:5] == (id_, org, status, after, moved)
    connection.close()


def test_a_message_that_has_moved_since_it_was_read_is_not_moved_again(
    tx: Tables, made: Org
) -> None:
    read = tx.messages.find(made.id, tx.messages.insert(outbound(made.id)))
    assert read is not None
    tx.messages.transition(read, Cause.PUSHED)
    tx.facts.clear()
    with pytest.raises(ValueError, match="something else"):
        tx.messages.transition(read, Cause.WITHDRAWN)
    assert tx.facts == []
    with pytest.raises(ValueError, match="may be set"):
        tx.messages.set(read.id, status="sent")
    with pytest.raises(ValueError, match="may be set"):
        tx.messages.set(read.id, held_until=None)


def test_another_time_to_leave_is_a_fact(tx: Tables, made: Org) -> None:
    held = tx.messages.find(made.id, tx.messages.insert(outbound(made.id, held_until=NOW)))
    assert held is not None
    tx.facts.clear()
    later = tx.messages.reschedule(held, NOW + 5, approval="given")
    assert later == tx.messages.find(made.id, held.id)
    assert tx.due_messages.release_held(NOW + 5, 9) == {made.id}
    assert tx.facts == [
        Rescheduled(made.id, NOW + 5),
        Amended(held.id, made.id, "message.queued"),
        Rescheduled(made.id, None),
    ]


@pytest.fixture
def tx() -> Tables:
    return Tables(memory())


@pytest.fixture
def made(tx: Tables) -> Org:
    return tx.orgs.add("myorg", "hash", 1)
