"""Times in the zone of the machine."""

import time as clock
from collections.abc import Iterator
from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects import local_times

HOUR = 3_600_000
NOW = 1_800_000_000_000
"""2027-01-15 08:00 UTC, which is 09:00 in Berlin."""


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


def test_a_time_is_local() -> None:
    assert local_times.local_ms("202701150900", "%Y%m%d%H%M") == NOW
    assert local_times.local_ms("2027-01-15 09:00:00", "%Y-%m-%d %H:%M:%S") == NOW
    assert local_times.local_text(NOW) == "2027-01-15 09:00:00"


@pytest.mark.parametrize("text", ["", "YYYYmmDDHHMM", "202713150900", "2027", "x" * 1000])
def test_what_is_no_time(text: str) -> None:
    assert local_times.local_ms(text, "%Y%m%d%H%M") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("08:30", time(8, 30)),
        ("8:30:15", time(8, 30, 15)),
        ("24:00", None),
        ("HH:MM:SS", None),
        ("", None),
        ("٠٨:٣٠", None),
    ],
)
def test_a_time_of_day(text: str, found: time | None) -> None:
    assert local_times.time_of_day(text) == found


@pytest.mark.parametrize(
    ("after", "before", "hours"),
    [
        (None, None, 0),
        ("08:00", "20:00", 0),
        ("10:00", None, 1),
        ("08:00", None, 0),
        (None, "08:00", 15),
        ("10:00", "11:00", 1),
        ("07:00", "08:00", 22),
        ("22:00", "06:00", 13),
        ("22:00", "09:00", 0),
    ],
)
def test_hours_of_a_day(after: str | None, before: str | None, hours: int) -> None:
    begin, end = (None if one is None else local_times.time_of_day(one) for one in (after, before))
    assert local_times.within_hours(NOW, begin, end) == NOW + hours * HOUR


@given(
    st.integers(0, 4_000_000_000).map(lambda s: s * 1000),
    st.none() | st.times(),
    st.none() | st.times(),
)
def test_hours_never_lie_before(ms: int, after: time | None, before: time | None) -> None:
    # The clock goes back an hour in autumn, and then an hour has two times.
    assert ms - HOUR <= local_times.within_hours(ms, after, before) <= ms + 26 * HOUR


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("270115080000000+", NOW),
        ("270115090000004+", NOW),
        ("270115070000004-", NOW),
        ("270115080000500+", NOW + 500),
        ("000000010000000R", NOW + HOUR),
        ("000002000000000R", NOW + 48 * HOUR),
        ("271315080000000+", None),
        ("270115080000000", None),
        ("", None),
    ],
)
def test_times_of_smpp(text: str, found: int | None) -> None:
    assert local_times.smpp_ms(text, NOW) == found


@given(st.from_regex(r"\A[0-9]{15}[+R-]\Z"))
def test_times_of_smpp_are_found_or_not(text: str) -> None:
    found = local_times.smpp_ms(text, NOW)
    assert found is None or found > datetime(1999, 1, 1, tzinfo=UTC).timestamp() * 1000
