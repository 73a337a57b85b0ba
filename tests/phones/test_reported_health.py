"""When the health of a phone is written down."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.phones import Health
from phonegate.phones.frames import Status
from phonegate.phones.reported_health import ReportedHealth

INTERVAL_S = 300.0


def test_news_is_written_down_at_times_and_what_is_left_at_the_end() -> None:
    health = ReportedHealth(INTERVAL_S, 0)
    assert health.due(1) is None
    assert health.rest() is health.latest is None
    health.heed(Status(battery=5))
    assert health.due(20) == Status(battery=5)
    # The same again is no news, and news waits its time.
    health.heed(Status(battery=5))
    assert health.due(20 + 2 * INTERVAL_S) is None
    health.heed(Status(battery=6))
    assert health.due(20 + 2 * INTERVAL_S) == Status(battery=6)
    health.heed(Status(battery=7, network="wifi"))
    assert health.due(20 + 3 * INTERVAL_S - 1) is None
    assert health.rest() == health.latest == Health(battery=7, network="wifi")
    assert health.rest() is None
    assert health.due(20 + 9 * INTERVAL_S) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 200))))
def test_nothing_is_written_twice_and_nothing_is_lost(said: list[tuple[int, float]]) -> None:
    health, now, written = ReportedHealth(INTERVAL_S, 0), 0.0, list[tuple[float, Health]]()
    for battery, pause in said:
        health.heed(Status(battery=battery))
        now += pause
        if (news := health.due(now)) is not None:
            written.append((now, news.health))
    if (rest := health.rest()) is not None:
        written.append((now + INTERVAL_S, rest))
    assert [one for _, one in written][-1:] == [Health(battery=one) for one, _ in said[-1:]]
    for (before, _), (after, _) in pairwise(written):
        assert after - before >= INTERVAL_S
