"""What a snapshot makes of the counts of the parts."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.facts import Move
from phonegate.model.states import OUTBOUND_STATES, advance
from phonegate.model.states import Cause as Step
from phonegate.operations.snapshot import QueueSummary, Snapshot, counts

from .conftest import NOW


@given(st.lists(st.tuples(st.sampled_from(["queued", "sending"]), st.lists(st.sampled_from(Step)))))
def test_every_message_is_accepted_once_and_counted_where_it_came(
    lives: list[tuple[str, list[Step]]],
) -> None:
    flow: dict[Move, int] = {}
    reached = dict.fromkeys(OUTBOUND_STATES, 0)
    for first, steps in lives:
        status = first
        flow[None, first] = flow.get((None, first), 0) + 1
        reached[first] += 1
        for step in steps:
            following = advance(status, step)
            if following is not None:
                flow[status, following] = flow.get((status, following), 0) + 1
                reached[following] += 1
                status = following
    told = {str(name): count for name, count in counts(flow).items()}
    assert told["accepted"] == len(lives)
    assert told["pushed"] == reached["sending"]
    for status in OUTBOUND_STATES[2:]:
        assert told[status] == reached[status]


def test_what_came_twice_and_what_was_deleted_is_neither_received_nor_sent() -> None:
    told = counts({("received", "received"): 2, (None, "received"): 1, ("sent", None): 5})
    assert {name: count for name, count in told.items() if count} == {
        "received": 1,
        "duplicate": 2,
        "deleted": 5,
    }


def test_what_waits_is_told_by_what_it_waits_for(snapshot: Snapshot) -> None:
    assert snapshot.queues == {
        "phone": QueueSummary(3, NOW - 90_000),
        "turn": QueueSummary(5, NOW - 20_000),
        "carrier": QueueSummary(2, NOW - 5_000),
        "time": QueueSummary(7),
        "approval": QueueSummary(1),
        "result": QueueSummary(6),
    }
    assert snapshot.online == 3


def test_alarms_are_told_who_waits_for_what_is_away(snapshot: Snapshot) -> None:
    assert [(one.org, one.count, one.away) for one in snapshot.health.waiting] == [
        ("myorg", 3, True),
        ("other", 5, False),
        ("myorg", 2, False),
    ]
