from hypothesis import given
from hypothesis import strategies as st

from phonegate.events.webhooks import schedule
from phonegate.events.webhooks.schedule import LEAST_ATTEMPTS, Failure, Sequel, after, delay_s
from phonegate.http.retry_after import LONGEST_PAUSE_S
from phonegate.store.deliveries import LONGEST_WAIT_MS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def failed(**fields: float | None) -> Failure:
    usual: dict[str, float | None] = {
        "now": 0,
        "created_at": 0,
        "attempts": 1,
        "failing_since": None,
        "status": 500,
    }
    return Failure(**usual | fields)  # type: ignore[arg-type]


def test_the_delays_are_those_of_the_contract() -> None:
    assert [delay_s(n, 0.5) for n in range(1, 9)] == [5, 30, 120, 600, 1800, 3600, 10800, 10800]


def test_a_dead_receiver_is_tried_for_three_days_and_then_disabled() -> None:
    now, since, calls = 2_000, None, 0
    while True:
        calls += 1
        sequel = after(failed(now=now, attempts=calls, failing_since=since), luck=0.5)
        since = 2_000 if since is None else since
        if sequel.next_at is None:
            break
        assert sequel.disable is None
        now = sequel.next_at
    assert now == 3 * DAY_MS
    assert calls == 31
    assert sequel.disable is not None


def test_a_message_that_is_never_taken_does_not_disable_what_works() -> None:
    late = failed(now=3 * DAY_MS, attempts=30, failing_since=3 * DAY_MS - 60_000 - 1)
    assert after(late, luck=0.5) == Sequel(next_at=None, disable=None)


def test_a_clock_that_was_wrong_at_the_start_gives_nothing_up() -> None:
    # Five days pass within seconds when the time is learnt from the network.
    for attempts in range(1, LEAST_ATTEMPTS):
        jumped = failed(now=5 * DAY_MS, attempts=attempts, failing_since=0)
        sequel = after(jumped, luck=0.5)
        assert sequel.disable is None
        assert sequel.next_at is not None
        assert sequel.next_at > 5 * DAY_MS
    last = after(failed(now=5 * DAY_MS, attempts=LEAST_ATTEMPTS, failing_since=0), luck=0.5)
    assert last.next_at is None
    assert last.disable is not None


def test_a_receiver_that_puts_calls_off_is_given_up_after_fewer() -> None:
    late = failed(now=3 * DAY_MS, attempts=4, failing_since=0, retry_after_s=86_400.0)
    assert after(late, luck=0.5).next_at is None


def test_no_try_is_planned_farther_ahead_than_the_store_believes() -> None:
    for asked_s in (None, LONGEST_PAUSE_S):
        for attempts in range(1, 40):
            assert delay_s(attempts, 1.0, asked_s) * 1000 < LONGEST_WAIT_MS


def test_gone_disables_at_once() -> None:
    sequel = after(failed(status=410, retry_after_s=5.0), luck=0.5)
    assert sequel.next_at is None
    assert sequel.disable is not None


def test_retry_after_is_obeyed() -> None:
    assert after(failed(retry_after_s=90.0), luck=0.0).next_at == 90_000
    assert after(failed(retry_after_s=2.0, attempts=7), luck=0.0).next_at == 2_000
    assert after(failed(retry_after_s=0.0), luck=0.0).next_at == 1_000
    # One that always asks to be called at once would be called a quarter of a million times.
    assert after(failed(retry_after_s=0.0, attempts=21), luck=0.5).next_at == 3 * HOUR_MS


@given(
    st.integers(1, 100),
    st.floats(0, 1),
    st.none() | st.floats(0, 86_400),
)
def test_a_delay_is_never_short_nor_endless(
    attempts: int, luck: float, asked: float | None
) -> None:
    delay = delay_s(attempts, luck, asked)
    assert schedule.SHORTEST_PAUSE_S <= delay <= 86_400 * 1.1
    if asked is not None:
        assert delay >= asked
