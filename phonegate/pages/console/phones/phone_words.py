"""What the console says of a phone: its signs, and its health over a time as plots. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from phonegate.api.phones_types import PhoneState
from phonegate.domain.phone_course import Absence, Course, Period
from phonegate.model.phones import Health
from phonegate.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from phonegate.pages.console.figures.plots import Plot, Series, lines, moment_words

KIND_WORDS: Final[Mapping[str, str]] = {
    "link": "phonegate's own link",
    "smsgate": "SMS Gateway for Android",
}
"""By what a phone connects, in words."""

PERIOD_WORDS: Final[Mapping[Period, str]] = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}

LOW_BATTERY: Final = 20
"""Percent below which a phone that does not charge is looked at."""

MOST_ABSENCES: Final = 20
"""Times of absence that a page lists, the newest."""

_WEAKEST_DBM: Final = -100
"""Of no use, and 50 dBm more is as good as it gets: what phones show as bars, in percent."""


@attrs.frozen(kw_only=True)
class ShownAbsence:
    """A time of absence, as the page lists it."""

    begin: str
    end: str
    length: str


BAND: Final = 1_000
"""The width of the band of presence, in units of its drawing."""


@attrs.frozen(kw_only=True)
class Stretch:
    """A part of the band of presence."""

    x: float
    width: float
    online: bool
    words: str


def battery_words(phone: PhoneState) -> str | None:
    """Returns how full the battery is, and whether it charges."""
    charging = {True: "charging", False: "", None: ""}[phone.charging]
    if phone.battery is None:
        return charging or None
    return f"{phone.battery} %" + (f", {charging}" if charging else "")


def is_low(phone: PhoneState) -> bool:
    """Tells whether its battery will soon be empty."""
    return phone.battery is not None and phone.battery < LOW_BATTERY and not phone.charging


def signal_words(signal: int | None) -> str | None:
    """Returns how good the reception is, as the phone gives it."""
    if signal is None:
        return None
    if signal < 0:
        return f"{signal} dBm"
    return "1 bar" if signal == 1 else f"{signal} bars"


def share_words(share: float) -> str:
    """Returns a share in percent. What is not all of it is never said to be."""
    percent = min(round(100 * share, 1), 99.9) if share < 1 else 100
    return f"{percent:g} %"


def length_words(ms: int) -> str:
    """Returns a length of time, in one or two units."""
    if ms < MINUTE_MS:
        return "less than a minute"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min"
    if ms < DAY_MS:
        hours, rest = divmod(ms // MINUTE_MS, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(ms // HOUR_MS, 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


def absences(course: Course, *, zone: ZoneInfo) -> Sequence[ShownAbsence]:
    """Returns when the phone was away, the last time first."""
    return [_absence(one, course.end, zone) for one in course.absences[: -MOST_ABSENCES - 1 : -1]]


def band(course: Course, *, zone: ZoneInfo) -> Sequence[Stretch]:
    """Returns when the phone was connected and when not, as a band that is drawn."""
    length = course.end - course.begin
    at = course.known
    stretches = []
    for one in (*course.absences, Absence(begin=course.end, end=None)):
        end = course.end if one.end is None else one.end
        stretches += [(at, one.begin, True), (one.begin, end, False)]
        at = end
    return [
        Stretch(
            x=round(BAND * (begin - course.begin) / length, 1),
            width=round(BAND * (end - begin) / length, 1),
            online=online,
            words=f"{'Connected' if online else 'Away'} from {moment_words(begin, zone)} to "
            f"{moment_words(end, zone)}",
        )
        for begin, end, online in stretches
        if end > begin
    ]


def plots(course: Course, *, zone: ZoneInfo) -> Sequence[Plot]:
    """Returns the plots of a phone's health: battery and signal where it speaks of them."""
    said = [Health() if step.health is None else step.health for step in course.steps]
    batteries = [health.battery for health in said]
    signals = [health.signal for health in said]
    found = []
    if any(value is not None for value in batteries):
        battery = Series(name="Battery", values=batteries)
        found.append(_line("battery", "Battery", course, battery, zone, is_share=True))
    if any(value is not None for value in signals):
        weak = any(value is not None and value < 0 for value in signals)
        series = Series(
            name="Signal", values=[_quality(one) for one in signals] if weak else signals
        )
        title = "Signal, in percent of a good one" if weak else "Signal, in bars"
        found.append(_line("signal", title, course, series, zone, is_share=weak))
    return found


def _line(
    id_: str, title: str, course: Course, series: Series, zone: ZoneInfo, *, is_share: bool
) -> Plot:
    return lines(
        id_, title, [step.begin for step in course.steps], [series],
        zone=zone, begin=course.begin, end=course.end,
        unit="percent" if is_share else "count", top=100 if is_share else 4,
    )  # fmt: skip


def _quality(dbm: int | None) -> int | None:
    return None if dbm is None else min(100, max(0, 2 * (dbm - _WEAKEST_DBM)))


def _absence(one: Absence, now: int, zone: ZoneInfo) -> ShownAbsence:
    return ShownAbsence(
        begin=moment_words(one.begin, zone),
        end="now" if one.end is None else moment_words(one.end, zone),
        length=length_words((now if one.end is None else one.end) - one.begin),
    )
