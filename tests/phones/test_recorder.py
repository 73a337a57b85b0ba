"""How much a recorder asks of the writer at a time, and in which order."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.inbox import Received
from phonegate.domain.phone_delivery import PhoneReports, Reporter
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.facts import Changed
from phonegate.model.messages import PageQuery
from phonegate.phones import frames
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.recorder import MAX_BATCH, STEPS, Recorder
from phonegate.phones.report_order import record, record_one, runs
from phonegate.phones.state import Report, Step
from phonegate.phones.worker import Worker
from phonegate.store.tables import Tables
from tests.store.conftest import memory, outbound


def idle(nursery: trio.Nursery) -> Recorder:
    """A recorder that records nothing by itself."""
    none = cast("Any", None)
    recorder = Recorder(
        none, none, none, say=none, identify=none, seen=none, on_end=none, timings=PhoneTimings()
    )
    recorder.worker = Worker(nursery, trio.sleep_forever)
    return recorder


@pytest.mark.parametrize(("texts", "expected"), [(1, MAX_BATCH), (10, 7), (500, 1)])
async def test_a_transaction_holds_few_texts_however_they_are_parted(
    texts: int, expected: int, nursery: trio.Nursery
) -> None:
    text = Received(address="+15553334444", body="x")
    step: Step = frames.Inbound(messages=(text,) * texts)
    recorder = idle(nursery)
    for _ in range(STEPS):
        recorder.put(step, 10)
    assert not recorder.has_room
    assert len(recorder._next_batch()) == expected
    assert recorder.has_room
    assert recorder._bytes == (STEPS - expected) * 10


def _success(message_id: int) -> frames.SendResult:
    return frames.SendResult(id=message_id, success=True)


def test_reports_are_written_in_runs_of_equals() -> None:
    delivered = frames.DeliveryReport(id=2, delivered=True)
    failed = frames.SendResult(id=5, success=False)
    reports: list[Report] = [
        frames.Ack(id=1),
        _success(1),
        frames.Ack(id=2),
        _success(2),
        delivered,
        failed,
    ]
    parted = [[report for _, report in run] for run in runs([*reports, frames.Ack(id=3)])]
    assert parted == [[frames.Ack(id=3)], [_success(1), _success(2)], [delivered], [failed]]


REPORT = st.one_of(
    st.builds(frames.Ack, id=st.integers(1, 3)),
    st.builds(frames.SendResult, id=st.integers(1, 3), success=st.booleans()),
    st.builds(
        frames.SendResult, id=st.integers(1, 3), success=st.just(False), uncertain=st.just(True)
    ),
    st.builds(frames.DeliveryReport, id=st.integers(1, 3), delivered=st.booleans()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(REPORT, max_size=12))
def test_runs_come_to_the_same_as_the_reports_one_by_one(reports: list[Report]) -> None:
    def outcome(write: Callable[[PhoneReports], object]) -> list[tuple[object, ...]]:
        connection = memory()
        tx = Tables(connection)
        org = tx.orgs.add("myorg", "hash", 1).id
        phone = tx.phones.connect(org, "a", 1, phone=None).id
        for _ in range(2):
            tx.messages.insert(outbound(org, status="sending", phone=phone))
        tx.messages.insert(outbound(org))
        write(PhoneReports(tx, Reporter(org=org, phone=phone), 5, RateLimits()))
        page = tx.messages.page(org, PageQuery())
        moved = sorted(str(f[:4]) for f in tx.facts if isinstance(f, Changed))
        connection.close()
        kept = [(m.id, m.status, m.sent_at, m.acked_at, m.error, m.segments) for m in page]
        return [*kept, *((move,) for move in moved)]

    at_once = outcome(lambda tx: record(tx, reports))
    one_by_one = outcome(lambda tx: [record_one(tx, r) for r in reports])
    assert at_once == one_by_one
