"""The alarm loop: what it tells the log, and what it remembers of the last minute."""

from typing import Any, cast

import pytest
import trio

from phonegate.config.settings import AlarmSettings
from phonegate.domain.alarms import CALM_S, Alarms, AlarmThresholds
from phonegate.model.messages import Backlog
from phonegate.model.storage_errors import StoreClosed
from phonegate.operations.alarm_loop import AlarmLoop
from phonegate.operations.collector import Collector
from phonegate.operations.lag import Lag
from phonegate.operations.status import status_document
from phonegate.store.data_file import Space
from tests.captured_logs import capture_logs

from .conftest import AWAY, NOW, make

FULL = Space(database=1, log=1, free=10, disk=100)
ROOMY = Space(database=1, log=1, free=90, disk=100)


def after(seconds: float) -> dict[str, Any]:
    """A moment after the basic snapshot's, by both of its clocks."""
    return {"at": NOW + int(seconds * 1000), "up_s": 3_600.0 + seconds}


def new_loop() -> AlarmLoop:
    return AlarmLoop(
        cast("Collector", None), Alarms(AlarmThresholds(disk_low_bytes=50, phone_away_s=60))
    )


def test_an_alarm_is_one_line_when_it_begins_and_one_when_it_is_over() -> None:
    alarm_loop = new_loop()
    with capture_logs() as lines:
        for second, space in (
            (0, FULL),
            (15, FULL),
            (30, ROOMY),
            (30 + CALM_S, ROOMY),
            (99, ROOMY),
        ):
            alarm_loop.take(make(**after(second), space=space, away=frozenset()))
    news = [(one["event"], one["alarm"]) for one in lines]
    assert news == [("alarm", "disk_low"), ("alarm_over", "disk_low")]
    assert [one["log_level"] for one in lines] == ["warning", "info"]
    assert lines[0]["free_bytes"] == 10


def test_a_line_names_the_org_whose_phone_is_away() -> None:
    alarm_loop = new_loop()
    with capture_logs() as lines:
        alarm_loop.take(make(space=ROOMY))
        alarm_loop.take(make(**after(61), space=ROOMY))
        assert alarm_loop.alarms == [("phone_away", "myorg")]
        for seconds in (62, 62 + CALM_S):
            alarm_loop.take(make(**after(seconds), space=ROOMY, away=frozenset()))
    assert [(one["event"], one.get("org"), one.get("about")) for one in lines] == [
        ("alarm", "myorg", None),
        ("alarm_over", None, "myorg"),
    ]
    assert (lines[0]["messages"], lines[0]["waited_s"]) == (3, 61)


def test_the_last_minute_is_what_has_happened_since_a_minute_ago() -> None:
    alarm_loop = new_loop()

    def snapshot(second: int, sent: int) -> Any:
        flow = {("sending", "sent"): sent}
        return make(**after(second), flow=flow, space=ROOMY, away=frozenset())

    seconds, counts = alarm_loop.lately(snapshot(0, 7))
    assert (seconds, counts["sent"]) == (3_600, 7)
    for second in range(0, 300, 15):
        alarm_loop.take(snapshot(second, second))
    for at, span in ((285, 60), (290, 50), (299, 59)):
        seconds, counts = alarm_loop.lately(snapshot(at, at))
        assert (seconds, counts["sent"]) == (span, span)


def test_requests_of_the_last_minute_are_those_since_a_minute_ago() -> None:
    alarm_loop = new_loop()
    route = ("POST", "/send/{org}")

    def snapshot(second: int) -> Any:
        answers = {(route, 200): 2 * second, (route, 401): second}
        return make(**after(second), requests=answers, space=ROOMY, away=frozenset())

    assert alarm_loop.requests_lately(snapshot(0)) == 0
    assert alarm_loop.requests_lately(snapshot(5)) == 15
    for second in range(0, 300, 15):
        alarm_loop.take(snapshot(second))
    told = status_document(snapshot(290), alarm_loop)
    assert told["requests"] == {"lately": 3 * 50, "total": 3 * 290}


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
def test_the_last_minute_is_one_whatever_the_clock_says(jump_ms: int) -> None:
    alarm_loop = new_loop()
    alarm_loop.take(make(**after(0), space=ROOMY, away=frozenset()))
    flow = {(None, "queued"): 10, ("queued", "sending"): 9}
    snapshot = make(at=NOW + jump_ms, up_s=3_630.0, flow=flow)
    seconds, counts = alarm_loop.lately(snapshot)
    assert (seconds, counts["pushed"], counts["accepted"]) == (30, 3, 0)
    assert status_document(snapshot, alarm_loop)["uptime_s"] == 3_630


async def test_lag_is_what_the_loop_was_late(autojump_clock: trio.testing.MockClock) -> None:
    lag = Lag()
    async with trio.open_nursery() as nursery:
        await nursery.start(lag.run)
        await trio.sleep(2.5)
        assert lag.worst_s == 0
        autojump_clock.jump(3.0)
        await trio.sleep(0.5)
        assert lag.worst_s == pytest.approx(2.5)
        await trio.sleep(61)
        assert lag.worst_s == 0
        nursery.cancel_scope.cancel()


async def test_a_look_that_fails_is_told_and_the_next_one_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Blind:
        looks = 0

        async def snapshot(self) -> Any:
            self.looks += 1
            if self.looks < 3:
                raise RuntimeError
            raise StoreClosed

    blind = Blind()
    alarm_loop = AlarmLoop(cast("Collector", blind), Alarms(AlarmThresholds()))
    with capture_logs() as lines:
        await alarm_loop.run()
    assert blind.looks == 3
    assert [one["event"] for one in lines] == ["look_failed"] * 2


async def test_a_phone_that_was_lost_is_reported_within_half_a_minute_and_so_is_its_return(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """With half a minute until a dead link is noticed, that is the minute which is promised."""
    reported: list[tuple[float, bool]] = []
    phone = {"is back": False}

    class Sight:
        async def snapshot(self) -> Any:
            now = trio.current_time()
            away = frozenset() if phone["is back"] else frozenset({AWAY})
            backlog = Backlog(queues=(AWAY,), timed=0, asked=0)
            return make(at=NOW + int(now * 1000), up_s=now, backlog=backlog, away=away)

    thresholds = AlarmThresholds(phone_away_s=AlarmSettings().phone_away_s)
    alarm_loop = AlarmLoop(
        cast("Collector", Sight()),
        Alarms(thresholds),
        lambda news: reported.append((trio.current_time(), news.begins)),
    )
    assert not alarm_loop.works
    with capture_logs():
        await nursery.start(alarm_loop.run)
        await trio.sleep(61)
        assert alarm_loop.works
        phone["is back"] = True
        await trio.sleep(61)
    (lost_at, lost), (back_at, back) = reported
    assert (lost, back) == (True, False)
    assert lost_at <= 30
    assert back_at - 61 <= 40
