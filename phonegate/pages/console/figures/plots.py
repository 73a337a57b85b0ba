"""Plots of values over time, as the shapes of a drawing. Pure; `console/parts/plot.html` writes it.

A plot is drawn twice, for a wide and for a narrow place, so that its words keep their size. Series
differ by pattern as well as by colour, and all values stand in a table behind it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Final, Literal
from zoneinfo import ZoneInfo

import attrs

from phonegate.pages.console.figures.scales import TimeTick, Unit, in_words, scale, time_ticks

Tone = Literal["mark", "ok", "warn", "bad", "soft"]

_WIDE: Final = (560, 210)
_NARROW: Final = (340, 190)
_ABOVE: Final = 12
"""Room above the highest line, for half of its label."""
_BELOW: Final = 26
_RIGHT: Final = 12
_LETTER: Final = 6.6
"""The width of a letter or digit of a label, on average."""
_LABEL_ROOM: Final = 64
"""The width that a label below the axis of times needs, with some air."""
_LEAST_HEIGHT: Final = 1.0
"""Of a bar that is not nothing, so that it is seen beside a very high one."""
_GAP: Final = 0.22
"""The part of a slot that its bar leaves free."""


@attrs.frozen(kw_only=True)
class Series:
    """Values of one kind, one at each time of a plot. At a None a line has a gap."""

    name: str
    values: Sequence[float | None]
    tone: Tone = "mark"

    @property
    def known(self) -> list[float]:
        """The values that there are."""
        return [value for value in self.values if value is not None]


@attrs.frozen
class Mark:
    """A tick of an axis: where it stands in the drawing, and what stands there."""

    at: float
    label: str


@attrs.frozen
class Bar:
    """A part of a stack of bars."""

    x: float
    y: float
    width: float
    height: float
    series: int


@attrs.frozen
class Line:
    """The line of a series, as the `d` of an SVG path. Lone values are dots."""

    path: str
    series: int


@attrs.frozen
class Column:
    """What can be pointed at: the place of one time, and its values in words."""

    x: float
    width: float
    words: str


@attrs.frozen(kw_only=True)
class Drawing:
    """The shapes of a plot at one size."""

    form: Literal["wide", "narrow"]
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    values: tuple[Mark, ...]
    times: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    limit: Mark | None

    @property
    def areas(self) -> list[Line]:
        """All bars of each series, as one path."""
        paths: dict[int, list[str]] = {}
        for bar in self.bars:
            path = f"M{bar.x:g} {bar.y:g}h{bar.width:g}v{bar.height:g}h-{bar.width:g}z"
            paths.setdefault(bar.series, []).append(path)
        return [Line("".join(paths[series]), series) for series in sorted(paths)]


@attrs.frozen(kw_only=True, slots=False)
class Plot:
    """Values over time, to be shown as bars that stand on each other or as lines."""

    id: str
    """Unique on its page."""
    kind: Literal["bars", "lines"]
    title: str
    unit: Unit
    zone: ZoneInfo
    times: tuple[int, ...]
    """Where each bar begins, or when each value of a line was taken (ms), ascending."""
    begin: int
    end: int
    series: tuple[Series, ...]
    labels: tuple[str, ...]
    """What each time is called in the table, and where one points at it."""
    limit: tuple[float, str] | None = None
    """A value that is drawn as a line across, and its name."""
    top: float | None = None
    """A value that the scale reaches at least."""
    gap_ms: int | None = None
    """A line ends where the next value is so much later."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be seen."""
        if self.kind == "lines":
            return not any(series.known for series in self.series)
        return not any(any(series.known) for series in self.series)

    @cached_property
    def drawings(self) -> tuple[Drawing, ...]:
        """The plot for a wide place and for a narrow one."""
        return _drawn(self, "wide", *_WIDE), _drawn(self, "narrow", *_NARROW)

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table behind it: what each time is called, and its values in words."""
        return [
            (label, [self.words(series.values[i]) for series in self.series])
            for i, label in enumerate(self.labels)
        ]

    @property
    def summary(self) -> str:
        """What there is to be seen, in some sentences."""
        if self.is_empty or not self.labels:
            return "There is nothing in this time."
        span = f"From {self.labels[0]} to {self.labels[-1]}"
        return f"{span}. " + " ".join(self._in_a_sentence(series) for series in self.series)

    def words(self, value: float | None) -> str:
        """Returns a value for people."""
        return "none" if value is None else in_words(value, self.unit)

    def _in_a_sentence(self, series: Series) -> str:
        known = series.known
        if not known:
            return f"{series.name}: no values."
        highest = max(known)
        when = self.labels[series.values.index(highest)]
        most = f"most at {when} with {self.words(highest)}"
        if self.kind == "bars":
            total = sum(known)
            return f"{series.name}: {self.words(total)} in all" + (f", {most}." if total else ".")
        return (
            f"{series.name}: least {self.words(min(known))}, {most}, last {self.words(known[-1])}."
        )


def bars(
    id: str,  # noqa: A002 - it becomes the attribute of that name
    title: str,
    times: Sequence[int],
    end: int,
    series: Sequence[Series],
    *,
    zone: ZoneInfo,
    unit: Unit = "count",
    labels: Sequence[str] | None = None,
    limit: tuple[float, str] | None = None,
) -> Plot:
    """Returns a plot of bars, one of the same width for each slot of time.

    Args:
        id: Unique on its page.
        title: What it shows.
        times: When each slot begins (ms), ascending.
        end: When the last one ends.
        series: Values of the slots. They stand on each other in this order.
        zone: The reader's time zone.
        unit: What the values are.
        labels: What each slot is called, instead of when it begins.
        limit: A value that is drawn as a line across, and its name.
    """
    return Plot(
        id=id,
        kind="bars",
        title=title,
        unit=unit,
        zone=zone,
        times=tuple(times),
        begin=times[0] if times else end,
        end=end,
        series=tuple(series),
        labels=tuple(labels or (moment_words(at, zone) for at in times)),
        limit=limit,
    )


def lines(
    id: str,  # noqa: A002 - it becomes the attribute of that name
    title: str,
    times: Sequence[int],
    series: Sequence[Series],
    *,
    zone: ZoneInfo,
    unit: Unit = "count",
    begin: int | None = None,
    end: int | None = None,
    labels: Sequence[str] | None = None,
    limit: tuple[float, str] | None = None,
    top: float | None = None,
    gap_ms: int | None = None,
) -> Plot:
    """Returns a plot of lines on an axis of times.

    Args:
        id: Unique on its page.
        title: What it shows.
        times: When each value was taken (ms), ascending.
        series: Values at these times. Where one is None its line has a gap.
        zone: The reader's time zone.
        unit: What the values are.
        begin: Where the axis begins, if not with the first value.
        end: Where it ends, if not with the last one.
        labels: What each time is called, instead of what a clock shows.
        limit: A value that is drawn as a line across, and its name.
        top: A value that the scale reaches at least.
        gap_ms: A line ends where the next value is so much later.
    """
    begin = begin if begin is not None else times[0] if times else 0
    end = end if end is not None else times[-1] if times else begin
    return Plot(
        id=id,
        kind="lines",
        title=title,
        unit=unit,
        zone=zone,
        times=tuple(times),
        begin=begin,
        end=max(end, begin + 1),
        series=tuple(series),
        labels=tuple(labels or (moment_words(at, zone) for at in times)),
        limit=limit,
        top=top,
        gap_ms=gap_ms,
    )


def moment_words(at: int, zone: ZoneInfo) -> str:
    """Returns a moment on a clock of the zone: Sun 29 Mar 2026, 14:00."""
    moment = datetime.fromtimestamp(at / 1000, zone)
    return f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M}"


def day_words(at: int, zone: ZoneInfo) -> str:
    """Returns the day of a moment in the zone: Sun 29 Mar 2026."""
    return moment_words(at, zone).partition(",")[0]


# -- drawing


def _drawn(plot: Plot, form: Literal["wide", "narrow"], width: int, height: int) -> Drawing:
    values = scale(_highest(plot), plot.unit, most=5 if form == "wide" else 4)
    words = [in_words(tick, plot.unit) for tick in values.ticks]
    left = round(12 + _LETTER * max(map(len, words)), 1)
    right, bottom = width - _RIGHT, height - _BELOW

    def y(value: float) -> float:
        return _short(bottom - values.height(value, bottom - _ABOVE))

    ticks = time_ticks(plot.begin, plot.end, plot.zone, most=int((right - left) / _LABEL_ROOM))
    is_bars = plot.kind == "bars"
    if is_bars:
        slot = (right - left) / max(1, len(plot.times))
        edges = [left + slot * i for i in range(len(plot.times) + 1)]
        marks = list(_marks_of_slots(plot.times, ticks, edges))
    else:
        by_ms = (right - left) / (plot.end - plot.begin)
        places = [left + by_ms * (at - plot.begin) for at in plot.times]
        edges = _edges(places, left, right)
        marks = [Mark(_short(left + by_ms * (t.at - plot.begin)), t.label) for t in ticks]
    return Drawing(
        form=form,
        width=width,
        height=height,
        left=left,
        right=right,
        top=_ABOVE,
        bottom=bottom,
        values=tuple(Mark(y(tick), word) for tick, word in zip(values.ticks, words, strict=True)),
        times=tuple(marks),
        bars=tuple(_stacks(plot.series, edges, y)) if is_bars else (),
        lines=() if is_bars else tuple(_lines(plot, places, y)),
        # A narrow place is a phone, where there is nothing to point with.
        columns=tuple(_columns(plot, edges)) if form == "wide" else (),
        limit=None if plot.limit is None else Mark(y(plot.limit[0]), plot.limit[1]),
    )


def _highest(plot: Plot) -> float:
    if plot.kind == "bars":
        stacks = zip(*(series.values for series in plot.series), strict=True)
        highest = max((sum(value or 0 for value in stack) for stack in stacks), default=0)
    else:
        highest = max((max(series.known, default=0) for series in plot.series), default=0)
    return max(highest, plot.top or 0, 0 if plot.limit is None else plot.limit[0])


def _marks_of_slots(
    times: Sequence[int], ticks: Sequence[TimeTick], edges: Sequence[float]
) -> Iterator[Mark]:
    """Yields the ticks at the beginnings of the slots in which they lie, one in each at most."""
    taken = -1
    for tick in ticks:
        slot = bisect_right(times, tick.at) - 1
        if slot > taken:
            taken = slot
            yield Mark(_short(edges[slot]), tick.label)


def _stacks(
    series: Sequence[Series], edges: Sequence[float], y: Callable[[float], float]
) -> Iterator[Bar]:
    for slot, (begin, end) in enumerate(pairwise(edges)):
        below = 0.0
        air = (end - begin) * _GAP / 2
        for number, one in enumerate(series):
            value = one.values[slot] or 0
            height = y(below) - y(below + value)
            if value > 0:
                yield Bar(
                    x=_short(begin + air),
                    y=y(below + value),
                    width=_short(end - begin - 2 * air),
                    height=max(_short(height), _LEAST_HEIGHT),
                    series=number,
                )
            below += value


def _lines(plot: Plot, places: Sequence[float], y: Callable[[float], float]) -> Iterator[Line]:
    for number, series in enumerate(plot.series):
        parts: list[str] = []
        before: int | None = None
        for at, place, value in zip(plot.times, places, series.values, strict=True):
            if value is None:
                before = None
                continue
            goes_on = before is not None and (plot.gap_ms is None or at - before <= plot.gap_ms)
            # The line of no length after each beginning is a dot, where nothing follows.
            step = f"L{_short(place)} {y(value)}" if goes_on else f"M{_short(place)} {y(value)}h0"
            parts.append(step)
            before = at
        if parts:
            yield Line("".join(parts), number)


def _edges(places: Sequence[float], left: float, right: float) -> list[float]:
    """Returns the bounds between places that are pointed at: half-way to the next ones."""
    if not places:
        return []
    return [left, *((a + b) / 2 for a, b in pairwise(places)), right]


def _columns(plot: Plot, edges: Sequence[float]) -> Iterator[Column]:
    for (label, values), (begin, end) in zip(plot.rows, pairwise(edges), strict=True):
        said = [f"{series.name} {value}" for series, value in zip(plot.series, values, strict=True)]
        yield Column(_short(begin), _short(end - begin), f"{label}: {', '.join(said)}")


def _short(value: float) -> float:
    return round(value, 1)
