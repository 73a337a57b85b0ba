"""Spans of figures: hours and days on the reader's clock, of whatever length they are."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.figure_spans import (
    DAYS_SHOWN,
    MAX_DAYS,
    MAX_HOURS,
    Slot,
    by_hours,
    by_weeks,
    days_between,
    last_days,
    last_hours,
)
from phonegate.model.times import HOUR_MS

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo")
BERLIN = ZoneInfo("Europe/Berlin")


@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    st.sampled_from(ZONES),
    st.integers(1, 60),
)
def test_slots_follow_each_other_and_every_hour_is_in_one(
    at: datetime, zone: str, count: int
) -> None:
    now = round(at.replace(tzinfo=UTC).timestamp() * 1000)
    for span in (last_hours(count, now, ZoneInfo(zone)), last_days(count, now, ZoneInfo(zone))):
        assert len(span.slots) == count
        assert span.begin <= now < span.end
        hours = [hour for slot in span.slots for hour in range(*slot.hours)]
        assert hours == list(range(hours[0], hours[0] + len(hours)))
        assert span.before.hours[1] == hours[0]
        assert span.before.hours[1] - span.before.hours[0] == len(hours)
        assert by_hours(span).step == ("hour" if len(hours) <= MAX_HOURS else "day")


def test_days_are_as_long_as_the_clock_makes_them() -> None:
    span = days_between(date(2026, 10, 26), date(2026, 10, 24), BERLIN)

    assert [(slot.end - slot.begin) // HOUR_MS for slot in span.slots] == [24, 25, 24]
    assert len(by_hours(span).slots) == 73


def test_an_hour_is_of_the_day_in_which_it_begins() -> None:
    (day,) = days_between(date(2026, 5, 1), date(2026, 5, 1), ZoneInfo("Asia/Kolkata")).slots

    first, end = day.hours  # the day is from 18:30 to 18:30 UTC
    assert datetime.fromtimestamp(first * 3600, UTC).hour == 19
    assert end - first == 24


@pytest.mark.parametrize("first", [date(1, 1, 1), date(2026, 1, 1)])
def test_too_long_a_time_is_its_newest_part(first: date) -> None:
    span = days_between(first, date(2029, 1, 1), BERLIN)

    assert len(span.slots) == MAX_DAYS
    assert datetime.fromtimestamp(span.slots[-1].begin / 1000, BERLIN).date() == date(2029, 1, 1)


def test_many_days_are_shown_by_the_week() -> None:
    few = days_between(date(2026, 1, 1), date(2026, 4, 10), BERLIN)
    many = days_between(date(2026, 1, 1), date(2026, 4, 11), BERLIN)
    weeks = by_weeks(many)

    assert len(few.slots) == DAYS_SHOWN
    assert by_weeks(few) == few
    assert (weeks.step, len(weeks.slots)) == ("week", 15)
    assert (weeks.begin, weeks.end, weeks.before) == (many.begin, many.end, many.before)
    assert weeks.slots[-1] == Slot(many.slots[98].begin, many.end)
