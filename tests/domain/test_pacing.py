from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.pacing import (
    CLOCK_JITTER_MS,
    MINUTE_MS,
    Bucket,
    PacingRate,
    PacingRates,
    eta_s,
    forecast,
    give_back,
    parse_limit,
    ready_at,
    take,
)

DEFAULT = PacingRate(24)
ANDROID_LIMIT = 30

# A rest between two tries in ms (mostly around the refill of a segment, 2.5 s), and a length.
TRIES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(2_400, 2_600), st.integers(0, 70_000)),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=150,
)
LONG_TRIES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(0, 30_000)),
        st.one_of(st.just(1), st.integers(1, ANDROID_LIMIT)),
    ),
    min_size=1,
    max_size=150,
)


def run(tries: list[tuple[int, int]], rate: PacingRate, bucket: Bucket) -> list[tuple[int, int]]:
    """Tries each message once at its time; what was taken, as (time, segments)."""
    now, taken = bucket.updated_ms, []
    for rest, segments in tries:
        now += rest
        after = take(bucket, rate, segments, now)
        if after is not None:
            bucket = after
            taken.append((now, segments))
    return taken


def greedy(lengths: list[int], rate: PacingRate, bucket: Bucket) -> list[tuple[int, int]]:
    """Sends each message at the first moment it may leave."""
    now, taken = bucket.updated_ms, []
    for segments in lengths:
        now = ready_at(bucket, rate, segments, now)
        after = take(bucket, rate, segments, now)
        assert after is not None
        bucket = after
        taken.append((now, segments))
    return taken


def busiest_minute(taken: list[tuple[int, int]]) -> int:
    """The most segments in any 60 s, both ends counted."""
    return max(
        (sum(s for t, s in taken if start <= t <= start + MINUTE_MS) for start, _ in taken),
        default=0,
    )


@settings(deadline=None)
@given(TRIES)
def test_no_minute_exceeds_what_android_allows(tries: list[tuple[int, int]]) -> None:
    taken = run(tries, DEFAULT, Bucket.full(DEFAULT, 0))
    assert busiest_minute(taken) <= ANDROID_LIMIT


@settings(deadline=None)
@given(LONG_TRIES)
def test_long_messages_keep_to_it_as_well(tries: list[tuple[int, int]]) -> None:
    taken = run(tries, DEFAULT, Bucket.full(DEFAULT, 0))
    assert busiest_minute(taken) <= ANDROID_LIMIT


@settings(deadline=None)
@given(st.lists(st.integers(1, ANDROID_LIMIT), min_size=1, max_size=60))
def test_sending_as_early_as_possible_keeps_to_it(lengths: list[int]) -> None:
    taken = greedy(lengths, DEFAULT, Bucket.full(DEFAULT, 0))
    assert busiest_minute(taken) <= ANDROID_LIMIT


def test_a_stream_of_messages_just_longer_than_half_the_minute() -> None:
    # A bucket with debt alone would let two of these go 50 s apart: 40 in a minute.
    assert busiest_minute(greedy([20] * 8, DEFAULT, Bucket.full(DEFAULT, 0))) <= ANDROID_LIMIT


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=20, max_size=60))
def test_the_rate_itself_is_reached(lengths: list[int]) -> None:
    taken = greedy(lengths, DEFAULT, Bucket.full(DEFAULT, 0))
    total = sum(lengths)
    # A message is out as soon as the refill covers it, to the millisecond.
    assert taken[-1][0] == max(0, -(-(total - 6) * MINUTE_MS // 24))


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 500), TRIES)
def test_a_message_of_any_length_leaves_in_the_end(
    per_minute: int, segments: int, tries: list[tuple[int, int]]
) -> None:
    rate = PacingRate(per_minute)
    bucket = Bucket.full(rate, 0)
    now = 0
    for rest, length in tries:
        now += rest
        bucket = take(bucket, rate, length, now) or bucket
    ready = ready_at(bucket, rate, segments, now)
    debt = max(0, rate.capacity * MINUTE_MS - bucket.level)
    assert ready - now <= max(-(-debt // per_minute), MINUTE_MS + 5_000)
    assert take(bucket, rate, segments, ready) is not None


@settings(deadline=None)
@given(TRIES, st.integers(1, 40))
def test_ready_at_is_the_first_moment(tries: list[tuple[int, int]], segments: int) -> None:
    bucket = Bucket.full(DEFAULT, 0)
    now = 0
    for rest, length in tries:
        now += rest
        bucket = take(bucket, DEFAULT, length, now) or bucket
    ready = ready_at(bucket, DEFAULT, segments, now)
    assert ready >= now
    assert ready == forecast(bucket, DEFAULT, 0, segments, now)
    assert take(bucket, DEFAULT, segments, ready) is not None
    if ready > now:
        assert take(bucket, DEFAULT, segments, ready - 1) is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), max_size=40), st.integers(1, 6), st.integers(0, 30))
def test_the_forecast_is_when_the_queue_has_left(
    queue: list[int], segments: int, spent: int
) -> None:
    bucket = Bucket.full(DEFAULT, 0)
    for _ in range(spent):
        bucket = take(bucket, DEFAULT, 1, bucket.updated_ms) or bucket
    left = greedy([*queue, segments], DEFAULT, bucket)
    assert forecast(bucket, DEFAULT, sum(queue), segments, 0) == left[-1][0]


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 30))
def test_the_forecast_of_long_messages_promises_nothing_too_late(
    queue: list[int], segments: int
) -> None:
    bucket = Bucket.full(DEFAULT, 0)
    left = greedy([*queue, segments], DEFAULT, bucket)
    assert forecast(bucket, DEFAULT, sum(queue), segments, 0) <= left[-1][0]


def test_the_eta_is_in_whole_seconds() -> None:
    bucket = Bucket.full(DEFAULT, 0)
    assert eta_s(bucket, DEFAULT, 0, 6, 0) == 0
    assert eta_s(bucket, DEFAULT, 6, 1, 0) == 3  # 2.5 s for one segment
    assert eta_s(bucket, DEFAULT, 30, 6, 0) == 75
    assert eta_s(bucket, PacingRate(0), 10_000, 6, 0) == 0


@settings(deadline=None)
@given(TRIES, st.integers(1, 6), st.integers(CLOCK_JITTER_MS + 1, 10**11))
def test_a_clock_set_back_stalls_nobody(
    tries: list[tuple[int, int]], segments: int, jump: int
) -> None:
    bucket = Bucket.full(DEFAULT, 10**12)
    now = bucket.updated_ms
    for rest, length in tries:
        now += rest
        bucket = take(bucket, DEFAULT, length, now) or bucket
    after = take(bucket, DEFAULT, segments, bucket.updated_ms - jump)
    assert after is not None
    assert after.updated_ms == bucket.updated_ms - jump


@settings(deadline=None)
@given(TRIES, st.integers(1, 6), st.integers(0, CLOCK_JITTER_MS))
def test_a_time_read_a_moment_ago_gives_nothing_away(
    tries: list[tuple[int, int]], segments: int, late: int
) -> None:
    bucket = Bucket.full(DEFAULT, 10**12)
    now = bucket.updated_ms
    for rest, length in tries:
        now += rest
        bucket = take(bucket, DEFAULT, length, now) or bucket
    now = bucket.updated_ms
    assert take(bucket, DEFAULT, segments, now - late) == take(bucket, DEFAULT, segments, now)
    assert ready_at(bucket, DEFAULT, segments, now - late) <= now + 15_000


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 60_000))
def test_giving_back_undoes_the_take(segments: int, later: int) -> None:
    full = Bucket.full(DEFAULT, 0)
    taken = take(full, DEFAULT, segments, 0)
    assert taken is not None
    back = give_back(taken, DEFAULT, segments, later)
    assert back.level == full.level
    assert back.recent == ()


@settings(deadline=None)
@given(TRIES, st.integers(1, 30))
def test_giving_back_leaves_what_others_took(tries: list[tuple[int, int]], segments: int) -> None:
    bucket = Bucket.full(DEFAULT, 0)
    now = 0
    for rest, length in tries:
        now += rest
        bucket = take(bucket, DEFAULT, length, now) or bucket
    now = ready_at(bucket, DEFAULT, segments, now)
    rested = take(bucket, DEFAULT, segments, now)
    assert rested is not None
    back = give_back(rested, DEFAULT, segments, now)
    assert back.level == rested.level + segments * MINUTE_MS
    left = sum(count for start, count in bucket.recent if start + 65_000 > now)
    assert sum(count for _, count in back.recent) == left


def test_no_limit() -> None:
    rate = PacingRate(0)
    bucket = Bucket.full(rate, 5)
    for _ in range(1_000):
        after = take(bucket, rate, 50, 5)
        assert after is not None
        bucket = after
    assert ready_at(bucket, rate, 50, 5) == 5
    assert forecast(bucket, rate, 9_999, 50, 5) == 5
    assert give_back(bucket, rate, 50, 5) == bucket


@pytest.mark.parametrize(
    ("per_minute", "capacity"), [(1, 1), (3, 1), (4, 1), (8, 2), (24, 6), (60, 15)]
)
def test_the_burst_is_a_quarter_of_the_rate(per_minute: int, capacity: int) -> None:
    assert PacingRate(per_minute).capacity == capacity


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        PacingRate(-1)


def test_memory_is_bounded_at_any_rate() -> None:
    rate = PacingRate(6_000)
    bucket = Bucket.full(rate, 0)
    sizes = []
    for now in accumulate([7] * 20_000):
        bucket = take(bucket, rate, 1, now) or bucket
        sizes.append(len(bucket.recent))
    assert max(sizes) <= 14


def test_a_sims_own_rate_goes_before_its_orgs_and_that_before_everybodys() -> None:
    rates = PacingRates.of_settings(24, ["club=10", "own=0"], ["+15551112222=3"])
    assert rates.of("club", "+15551112222") == PacingRate(3)
    assert rates.of("club", "+15550000000") == rates.of("club", None) == PacingRate(10)
    assert rates.of("own", None).unlimited
    assert rates.of("other", "+15550000000") == PacingRate(24)


@pytest.mark.parametrize("entry", ["", "club", "=3", "club=", "club=-1", "club=1.5", "club=x"])
def test_a_limit_is_a_name_and_a_number(entry: str) -> None:
    with pytest.raises(ValueError, match="no name=segments"):
        parse_limit(entry)
