"""A local time of a form becomes one with its offset."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.pages.console.local_moment import moment


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - local
    st.integers(-14 * 60, 12 * 60),
)
def test_it_is_the_moment_that_the_browser_meant(local: datetime, offset: int) -> None:
    local = local.replace(second=0, microsecond=0)
    text = moment(local.strftime("%Y-%m-%dT%H:%M"), str(offset))
    assert text is not None
    meant = local.replace(tzinfo=timezone(timedelta(minutes=-offset)))
    assert datetime.fromisoformat(text) == meant


@pytest.mark.parametrize(
    ("local", "offset", "made"),
    [
        ("", "-60", None),
        ("2026-12-24T18:00", "", "2026-12-24T18:00:00+00:00"),
        ("2026-12-24T18:00:30", "300", "2026-12-24T18:00:30-05:00"),
        ("2026-12-24T18:00", "99999", "2026-12-24T18:00:00+00:00"),
        ("tomorrow", "-60", "tomorrow"),
    ],
)
def test_odd_fields(local: str, offset: str, made: str | None) -> None:
    assert moment(local, offset) == made
