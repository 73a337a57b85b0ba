from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.times import MAX_TIME_MS, iso, iso_seconds


@given(st.integers(0, MAX_TIME_MS))
def test_a_time_is_iso_8601_in_utc_with_milliseconds(ms: int) -> None:
    text = iso(ms)
    assert len(text) == len("2026-11-21T08:00:00.000Z")
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    assert (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000 == ms


@given(st.integers(0, MAX_TIME_MS))
def test_a_time_to_the_second_is_the_second_that_it_is_in(ms: int) -> None:
    assert iso_seconds(ms) == iso(ms)[:-5] + "Z"
