"""How much a recorder asks of the writer at a time, and in which order."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.inbox import Received
from phonegate.domain.phone_delivery import PhoneReports, Reporter
from phonegate.domain.plain_reports import PlainReports
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.facts import Changed
from phonegate.model.messages import PageQuery
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones import frames
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.recorder import MAX_BATCH, STEPS, Recorder
from phonegate.phones.report_order import record, record_one, runs
from phonegate.phones.state import Report, Step
from phonegate.phones.worker import Worker
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.store.conftest import memory, outbound


def idle(nursery: trio.Nursery) -> Recorder:
    """A recorder that records nothing by itself."""
    none = cast("Any", None)
    recorder = Recorder(
        none, none, none, say=none, identity=none, seen=none, on_end=none, timings=PhoneTimings()
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


class Writer:
    """Where a recorder's plain reports and others go."""

    def __init__(self) -> None:
        self.orders: list[tuple[PlainReports, Callable[[bool | None, Exception | None], None]]] = []
        self.written: list[list[Report]] = []
        self.is_full = False

    def report_plainly(
        self,
        reporter: Reporter,
        reports: PlainReports,
        done: Callable[[bool | None, Exception | None], None],
    ) -> None:
        if self.is_full:
            raise trio.WouldBlock
        self.orders.append((reports, done))


class Noted(Recorder):
    """A recorder whose steps are written down there."""

    async def _record(self, reports: Sequence[Report]) -> None:
        if reports:
            cast("Writer", self._delivery).written.append([*reports])


@attrs.define
class Place:
    """A recorder that writes down what it gets, and what it says of it."""

    recorder: Recorder
    writer: Writer
    ended: list[bool]

    async def settle(self) -> list[list[Report]]:
        await trio.testing.wait_all_tasks_blocked()
        return self.writer.written


@pytest.fixture
def place(nursery: trio.Nursery) -> Place:
    none, writer = cast("Any", None), Writer()
    ended: list[bool] = []
    state = cast("Any", SimpleNamespace(reporter=lambda: Reporter(org=1, phone=1), phone=1))

    async def seen(*_: object) -> None:
        pass

    recorder = Noted(
        state,
        cast("Any", writer),
        seen,  # type: ignore[arg-type]
        say=none,
        identity=none,
        seen=seen,
        on_end=lambda: ended.append(True),
        timings=PhoneTimings(drain_s=5),
    )

    recorder.worker = Worker(nursery, recorder.work)
    return Place(recorder, writer, ended)


SENT = PlainReports([7], [(1, None), (2, 3)])
AS_STEPS: list[Report] = [
    frames.Ack(id=7),
    _success(1),
    frames.SendResult(id=2, success=True, segments=3),
]


async def test_plain_reports_go_to_the_writer_at_once_and_what_follows_waits(place: Place) -> None:
    recorder, writer = place.recorder, place.writer
    assert recorder.takes_plainly
    recorder.put_plainly(SENT)
    recorder.put_plainly(PlainReports([], [(3, None)]))
    recorder.put(frames.Ping(), 5)
    assert not recorder.takes_plainly
    assert await place.settle() == []
    for _, done in writer.orders:
        done(True, None)
    assert await place.settle() == [[frames.Ping()]]
    assert recorder.takes_plainly


@pytest.mark.parametrize("error", [None, StorageUnavailable("full")])
async def test_what_was_not_awaited_is_recorded_as_steps_before_those_that_wait(
    place: Place, error: Exception | None
) -> None:
    place.recorder.put_plainly(SENT)
    place.recorder.put(frames.Ping(), 5)
    ((_, done),) = place.writer.orders
    done(None if error else False, error)
    assert await place.settle() == [[*AS_STEPS, frames.Ping()]]


async def test_where_the_writer_has_no_room_plain_reports_are_steps(place: Place) -> None:
    place.writer.is_full = True
    place.recorder.put_plainly(SENT)
    assert not place.recorder.takes_plainly
    assert await place.settle() == [AS_STEPS]


async def test_so_many_plain_reports_are_under_way(place: Place) -> None:
    while place.recorder.takes_plainly:
        place.recorder.put_plainly(PlainReports(range(1, 101), []))
    assert len(place.writer.orders) * 100 == 600
    assert place.recorder.has_room


async def test_the_end_waits_for_plain_reports(place: Place) -> None:
    place.recorder.put_plainly(SENT)
    place.recorder.finish()
    await place.settle()
    assert not place.ended
    place.writer.orders[0][1](False, None)
    assert await place.settle() == [AS_STEPS]
    assert place.ended


async def test_the_end_does_not_wait_for_ever(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    place.recorder.put_plainly(SENT)
    place.recorder.finish()
    await trio.sleep(6)
    assert place.ended
    with capture_logs() as logs:
        place.writer.orders[0][1](None, StorageUnavailable("full"))
    assert [(line["event"], line["count"]) for line in logs] == [("reports_lost", 3)]
