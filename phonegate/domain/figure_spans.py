"""The spans of time that figures are shown for: hours and days on a clock of the reader. Pure.

What happens is counted by hours of UTC. Such an hour is of the day in which it begins, which
matters where a zone is a half hour apart from UTC.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import attrs

from phonegate.model.times import HOUR_MS

Step = Literal["hour", "day", "week"]

MAX_HOURS: Final = 8 * 24
"""Most hours that are shown each by itself: more bars could not be distinguished."""

DAYS_SHOWN: Final = 100
"""Most days that are shown each by itself."""

MAX_DAYS: Final = 400

_WEEK: Final = 7

_FIRST_DAY: Final = date(2000, 1, 1)
_LAST_DAY: Final = date(2200, 1, 1)
"""Beyond these, clocks and zones are not asked."""


@attrs.frozen
class Slot:
    """An hour or a day. `begin` is in it and `end` is not (ms)."""

    begin: int
    end: int

    @property
    def hours(self) -> tuple[int, int]:
        """The hours since 1970 that begin in it, the second excluded."""
        return -(-self.begin // HOUR_MS), -(-self.end // HOUR_MS)


@attrs.frozen(kw_only=True)
class Span:
    """Successive hours or days."""

    step: Step
    zone: ZoneInfo
    slots: tuple[Slot, ...]

    @property
    def begin(self) -> int:
        """When it begins (ms)."""
        return self.slots[0].begin

    @property
    def end(self) -> int:
        """When it ends (ms)."""
        return self.slots[-1].end

    @property
    def before(self) -> Slot:
        """The time of the same length before it."""
        first, last = _hours_of(self.slots)
        return Slot((2 * first - last) * HOUR_MS, first * HOUR_MS)


def last_hours(count: int, now: int, zone: ZoneInfo) -> Span:
    """Returns the hour in which *now* (ms) lies, and those before it."""
    last = now // HOUR_MS
    return _by_hour(last - count + 1, last + 1, zone)


def last_days(count: int, now: int, zone: ZoneInfo) -> Span:
    """Returns the day in which *now* (ms) lies, and those before it."""
    today = datetime.fromtimestamp(now / 1000, zone).date()
    return _by_day(today - timedelta(days=count - 1), today, zone)


def days_between(first: date, last: date, zone: ZoneInfo) -> Span:
    """Returns days in either order, the newest ones where there are too many."""
    first, last = (
        min(max(day, _FIRST_DAY), _LAST_DAY) for day in (min(first, last), max(first, last))
    )
    return _by_day(max(first, last - timedelta(days=MAX_DAYS - 1)), last, zone)


def by_hours(span: Span) -> Span:
    """Returns the same time by hours, or as it is where these would be too many."""
    first, last = _hours_of(span.slots)
    return span if last - first > MAX_HOURS else _by_hour(first, last, span.zone)


def by_weeks(span: Span) -> Span:
    """Returns the same days by sevens from the first, or as they are where there are few."""
    if span.step != "day" or len(span.slots) <= DAYS_SHOWN:
        return span
    weeks = (span.slots[at : at + _WEEK] for at in range(0, len(span.slots), _WEEK))
    slots = tuple(Slot(week[0].begin, week[-1].end) for week in weeks)
    return Span(step="week", zone=span.zone, slots=slots)


def _by_hour(first: int, end: int, zone: ZoneInfo) -> Span:
    slots = (Slot(hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in range(first, end))
    return Span(step="hour", zone=zone, slots=tuple(slots))


def _by_day(first: date, last: date, zone: ZoneInfo) -> Span:
    days = (first + timedelta(days=n) for n in range((last - first).days + 2))
    edges = [_midnight(day, zone) for day in days]
    slots = map(Slot, edges, edges[1:])
    return Span(step="day", zone=zone, slots=tuple(slots))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def _hours_of(slots: Sequence[Slot]) -> tuple[int, int]:
    return slots[0].hours[0], slots[-1].hours[1]
