"""The course of a phone's health over a time, in equal steps, from what is kept of it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import attrs

from phonegate.model.phone_history import Presence, Reading
from phonegate.model.phones import Health
from phonegate.model.times import HOUR_MS, MINUTE_MS

Period = Literal["24h", "7d", "30d"]

PERIODS: Final[dict[Period, tuple[int, int]]] = {
    "24h": (24 * HOUR_MS, 15 * MINUTE_MS),
    "7d": (7 * 24 * HOUR_MS, HOUR_MS),
    "30d": (30 * 24 * HOUR_MS, 4 * HOUR_MS),
}
"""The times that are shown, each with its step (ms): some hundred and fifty steps are as many as a
narrow plot has room for."""


@attrs.frozen(kw_only=True)
class Step:
    """A part of the time."""

    begin: int
    end: int
    online: float | None
    """Which share of it the phone was connected. None where that is not known."""
    health: Health | None
    """How the phone said last in it that it is. None where it was away, or had said nothing."""


@attrs.frozen(kw_only=True)
class Absence:
    """A time during which a phone was not connected. `end` is None while that lasts."""

    begin: int
    end: int | None


@attrs.frozen(kw_only=True)
class Course:
    """The health of a phone over a time."""

    begin: int
    end: int
    known: int
    """From here on it is known when the phone was connected."""
    steps: Sequence[Step]
    online: float | None
    """Which share of the known time it was connected. None where nothing is known."""
    absences: Sequence[Absence]
    """Oldest first."""


def course(
    presences: Iterable[Presence],
    readings: Iterable[Reading],
    *,
    known_since: int | None,
    end: int,
    period: Period,
) -> Course:
    """Puts together what is kept of a phone.

    Args:
        presences: When it was connected, in any order, overlapping or not.
        readings: How it said that it was, in any order, also the last one before that time.
        known_since: Since when it is known whether it was connected. None: that is not known.
        end: The end of the time, which is now.
        period: How long it is.
    """
    length, step = PERIODS[period]
    begin = end - length
    spans = merged(presences, begin, end)
    known = end if known_since is None else min(max(begin, known_since), end)
    said = sorted(readings, key=lambda reading: reading.at)
    steps = []
    at = latest = first = 0
    for low in range(begin, end, step):
        high = min(low + step, end)
        # What was said just now, or before the clock was put back, is of the last step.
        while latest < len(said) and (said[latest].at < high or high == end):
            latest += 1
        while first < len(spans) and spans[first][1] <= low:
            first += 1
        connected = 0
        at = first
        while at < len(spans) and spans[at][0] < high:
            connected += min(high, spans[at][1]) - max(low, spans[at][0])
            at += 1
        heard = said[latest - 1] if latest else None
        is_fresh = heard is not None and heard.at >= low
        steps.append(
            Step(
                begin=low,
                end=high,
                online=None if high <= known else connected / (high - max(low, known)),
                health=heard.health if heard and (connected or is_fresh) else None,
            )
        )
    total = sum(last - start for start, last in spans)
    return Course(
        begin=begin,
        end=end,
        known=known,
        steps=steps,
        online=None if known >= end else total / (end - known),
        absences=_between(spans, known, end),
    )


def merged(presences: Iterable[Presence], begin: int, end: int) -> list[tuple[int, int]]:
    """Returns the times of presences between two times, in order, none touching another."""
    spans: list[tuple[int, int]] = []
    cut = sorted(
        (max(begin, one.came_at), end if one.went_at is None else min(end, one.went_at))
        for one in presences
    )
    for low, high in cut:
        if high <= low:
            continue
        if spans and low <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], high))
        else:
            spans.append((low, high))
    return spans


def _between(spans: Sequence[tuple[int, int]], known: int, end: int) -> list[Absence]:
    """Returns the times between those at which a phone was connected."""
    absences = []
    at = known
    for low, high in spans:
        if low > at:
            absences.append(Absence(begin=at, end=low))
        at = max(at, high)
    if at < end:
        absences.append(Absence(begin=at, end=None))
    return absences
