import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.rates import Buckets, Rate, Standing

rates = st.builds(Rate.of, st.integers(1, 50), st.integers(1, 10))
gaps = st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=60)


def test_a_rate_of_0_is_none() -> None:
    assert Rate.of(0) is None


def test_a_burst_is_one_at_least() -> None:
    assert Rate.of(0.001, 5) == Rate(0.001, 1.0)


@given(rates, gaps)
def test_it_gives_no_more_than_the_burst_and_what_flows_in(rate: Rate, pauses: list[float]) -> None:
    buckets: Buckets[str] = Buckets(rate)
    taken = [
        now for now in itertools.accumulate(pauses) for _ in range(7) if not buckets.take("x", now)
    ]
    for first, last in itertools.combinations_with_replacement(range(len(taken)), 2):
        span = taken[last] - taken[first]
        assert last - first + 1 <= rate.burst + span * rate.per_s + 1e-3


@given(rates, gaps)
def test_who_waits_as_long_as_told_gets_one_and_not_sooner(rate: Rate, pauses: list[float]) -> None:
    buckets: Buckets[str] = Buckets(rate)
    for now in itertools.accumulate(pauses):
        wait = buckets.take("x", now)
        if wait:
            assert buckets.wait("x", now) == pytest.approx(wait, abs=1e-5)
            assert buckets.take("x", now + wait * 0.9) > 0 or wait < 1e-4
            assert buckets.take("x", now + wait) == 0
            break


@given(rates)
def test_a_full_bucket_holds_its_whole_burst(rate: Rate) -> None:
    buckets: Buckets[str] = Buckets(rate)
    assert [buckets.take("x", 9.0) for _ in range(int(rate.burst))] == [0.0] * int(rate.burst)
    assert buckets.take("x", 9.0) > 0
    assert buckets.standing("x", 9.0).left == 0


@given(rates, st.integers(1, 500))
def test_debt_is_waited_off(rate: Rate, amount: int) -> None:
    buckets: Buckets[str] = Buckets(rate)
    wait = buckets.spend("x", 5.0, amount)
    assert wait == pytest.approx(max(0.0, (amount - rate.burst) / rate.per_s))
    assert buckets.spend("x", 5.0 + wait, 0) == pytest.approx(0.0, abs=1e-6)


def test_a_standing_tells_what_is_left() -> None:
    buckets: Buckets[str] = Buckets(Rate(2, 10))
    assert buckets.standing("x", 1.0) == Standing(left=10, full_in_s=0)
    for _ in range(3):
        buckets.take("x", 1.0)
    assert buckets.standing("x", 1.0) == Standing(left=7, full_in_s=2)


def test_memory_is_bounded_and_who_floods_is_not_forgotten() -> None:
    buckets: Buckets[int] = Buckets(Rate(1, 2), memory=10)
    for other in range(1, 100):
        buckets.take(0, 0.0)
        buckets.take(other, 0.0)
    assert len(buckets) == 10
    assert buckets.take(0, 0.0) > 0


def test_what_is_given_back_may_be_taken_again_and_no_more() -> None:
    buckets = Buckets[str](Rate(per_s=1.0, burst=5.0))
    buckets.give_back("a", 0.0, 3)
    assert buckets.spend("a", 0.0, 5) == 0
    buckets.give_back("a", 0.0, 2)
    assert buckets.standing("a", 0.0).left == 2
    buckets.give_back("a", 0.0, 100)
    assert buckets.standing("a", 0.0).left == 5


@given(rates, st.integers(1, 500), st.floats(0, 1e6))
def test_no_debt_is_longer_than_the_longest(rate: Rate, amount: int, back: float) -> None:
    buckets: Buckets[str] = Buckets(rate, longest_s=20.0)
    buckets.spend("x", 2e6, amount)
    # Even where the clock was set back since.
    now = 2e6 - back
    assert buckets.missing("x", now) <= 20.0
    assert buckets.wait("x", now + 20.0) == 0.0
    assert buckets.take("x", now + 20.0) == 0.0
