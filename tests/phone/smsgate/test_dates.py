import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.smsgate.dates import read_date, write_date

MIDNIGHT = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00.000Z", 0),
        ("2026-01-01T00:00:00.120Z", 120),
        ("2026-01-01T01:00:00.000+01:00", 0),
        ("2025-12-31T18:30:00.005-05:30", 5),
        # The app's formatter takes the fraction for a number of milliseconds.
        ("2026-01-01T00:00:00.123456Z", 123_456),
        ("2026-01-01T00:00:00.5Z", 5),
    ],
)
def test_dates_are_read_as_the_app_does(text: str, ms: int) -> None:
    assert read_date(text) - MIDNIGHT == ms


@pytest.mark.parametrize(
    "text",
    ["2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "soon", "", "2026-13-01T00:00:00Z", "1767225"],
)
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_date(text)


@given(st.integers(0, 4_000_000_000_000), st.integers(-720, 720))
def test_what_the_app_writes_it_reads(ms: int, offset: int) -> None:
    assert read_date(write_date(ms, offset)) == ms
