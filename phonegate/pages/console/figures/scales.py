"""Scales of plots: ticks at round values, and words for what stands there. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

import attrs

from phonegate.quantities import duration, size

Unit = Literal["count", "seconds", "bytes", "percent"]
"""What the values of a plot are. Seconds and bytes are said in the unit that suits their size."""

_LENGTHS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * n for n in (1, 2, 5, 10, 15, 30)),
    *(3_600 * n for n in (1, 2, 3, 6, 12)),
    *(86_400 * n for n in (1, 2, 5, 10)),
)
"""Steps of a scale of durations, in seconds."""

_COUNTS: Final = ((10**9, "G"), (10**6, "M"), (1_000, "k"))

_QUARTERS: Final = (0, 25, 50, 75, 100)
"""The ticks of a scale of percents that comes near the whole."""

_ABBREVIATED: Final = 10_000
"""Counts from here on are said in thousands."""

_LEAST: Final = 1e-9
"""What is less counts as nothing."""

_TENTHS_BELOW: Final = 10
"""Durations of fewer seconds are said with a tenth."""

_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS: Final = (1, 2, 3, 5, 7, 14)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60)
_DAY_MS: Final = 86_400_000


# -- values


@attrs.frozen(kw_only=True)
class Scale:
    """Values from the bottom to the top of a plot, with ticks at round ones."""

    top: float
    ticks: tuple[float, ...]

    def height(self, value: float, size: float) -> float:
        """Returns how far above the bottom a value stands, where the whole scale is *size*."""
        return size * min(max(value / self.top, 0.0), 1.0)


def scale(highest: float, unit: Unit, *, most: int = 5) -> Scale:
    """Returns a scale from 0 to at least the highest value, with at most *most* steps.

    Steps are 1, 2 or 5 times a power of ten, of durations round ones of a clock. Counts have whole
    steps. Without anything to show it still has a height.
    """
    if not highest > _LEAST or math.isinf(highest):
        highest = 100 if unit == "percent" else 1
    if unit == "percent" and _QUARTERS[2] < highest <= _QUARTERS[-1]:
        return Scale(top=_QUARTERS[-1], ticks=_QUARTERS)
    step = _step(highest / most, unit)
    count = max(1, math.ceil(highest / step - 1e-9))
    return Scale(top=step * count, ticks=tuple(_rounded(step * i) for i in range(count + 1)))


def _step(least: float, unit: Unit) -> float:
    if unit == "seconds" and least > _LENGTHS[0] / 2:
        for length in _LENGTHS:
            if length >= least:
                return float(length)
        days = _step(least / 86_400, "count")
        return days * 86_400
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * by for by in (1, 2, 5, 10) if power * by >= least * (1 - 1e-9))
    return max(step, 1.0) if unit in {"count", "bytes"} else step


def _rounded(value: float) -> float:
    """Returns a value without the dust of binary fractions."""
    return float(f"{value:.12g}")


def in_words(value: float, unit: Unit) -> str:
    """Returns a value for people, short: 1.2k, 1 min 30 s, 3.4 GB, 83 %."""
    if unit == "percent":
        return f"{value:.3g} %"
    if unit == "seconds":
        if round(value, 1) < _TENTHS_BELOW:
            return f"{value:.1f}".removesuffix(".0") + " s"
        return duration(round(value))
    if unit == "bytes":
        return size(round(value))
    return f"{value:,.0f}" if value < _ABBREVIATED else _abbreviated(value)


def _abbreviated(value: float) -> str:
    for size_, name in _COUNTS:
        # What would be rounded up to a thousand is one of the next unit.
        if value >= size_ * 0.9995:
            return f"{float(f'{value / size_:.3g}'):.12g}{name}"
    return f"{value:,.0f}"


# -- times


@attrs.frozen(kw_only=True)
class TimeTick:
    """A moment on an axis of times, and the words below it."""

    at: int
    """In ms."""
    label: str


def time_ticks(start: int, end: int, zone: ZoneInfo, *, most: int) -> list[TimeTick]:
    """Returns moments from *start* to before *end* (ms) that are round on a clock of the zone.

    There are at most *most*. An hour that a change of the clock skips has none, and one that comes
    twice has one: the first. Midnights bear the day, the first moments of a year the year.
    """
    if end <= start or most < 1:
        return []
    for candidates in _rounds(start, end, zone, most):
        ticks = [at for at in candidates if start <= at < end]
        if len(ticks) <= most:
            return [TimeTick(at=at, label=_label(at, ticks, zone)) for at in ticks]
    return []


def _rounds(start: int, end: int, zone: ZoneInfo, most: int) -> Iterator[list[int]]:
    """Yields round moments around a span, with ever longer steps."""
    span = end - start
    first = datetime.fromtimestamp(start / 1000, zone).replace(tzinfo=None)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    for minutes in _MINUTES:
        if span <= (most + 2) * minutes * 60_000:
            # From midnight, as all of these divide a day. One of 25 hours adds two.
            count = (_DAY_MS + span + 7_200_000) // (minutes * 60_000) + 1
            wanted = (midnight + timedelta(minutes=minutes * i) for i in range(count))
            yield _moments(wanted, zone, whole_days=False)
    for days in _DAYS:
        if span <= (most + 2) * days * _DAY_MS:
            # The same days are ticks whatever the span begins with.
            begin = midnight.toordinal() // days * days
            count = span // (days * _DAY_MS) + 3
            begun = (datetime.fromordinal(begin + i * days) for i in range(count))
            yield _moments(begun, zone, whole_days=True)
    for months in _MONTHS:
        begin = (first.year * 12 + first.month - 1) // months * months
        numbers = range(begin, begin + span // (28 * _DAY_MS) + 2 * months, months)
        firsts = (midnight.replace(year=n // 12, month=n % 12 + 1, day=1) for n in numbers)
        yield _moments(firsts, zone, whole_days=True)


def _moments(wanted: Iterable[datetime], zone: ZoneInfo, *, whole_days: bool) -> list[int]:
    found: list[int] = []
    for naive in wanted:
        moment = round(naive.replace(tzinfo=zone).timestamp() * 1000)
        # In a gap of the clock the way there and back does not meet. A day begins all the same.
        back = datetime.fromtimestamp(moment / 1000, zone).replace(tzinfo=None)
        if (whole_days or back == naive) and (not found or moment > found[-1]):
            found.append(moment)
    return found


def _label(at: int, ticks: Sequence[int], zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(at / 1000, zone)
    step = min((b - a for a, b in pairwise(ticks)), default=_DAY_MS)
    day = f"{moment.day} {moment:%b}"
    if step < 23 * 3_600_000:
        return day if moment.hour == moment.minute == 0 else f"{moment:%H:%M}"
    if step < 27 * _DAY_MS:
        return f"{moment:%Y}" if moment.month == moment.day == 1 else day
    return f"{moment:%Y}" if moment.month == 1 else f"{moment:%b}"
