"""Times as the gateways of old take them: in the zone of the machine, or a part of a day. Pure.

None of those APIs names a zone. They mean that of the gateway, which an operator sets by `TZ`.
"""

import re
from datetime import datetime, time, timedelta
from typing import Final

from phonegate.model.times import MAX_TIME_MS

_SMPP: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([+R-])", re.ASCII)
_HOURS: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")

QUARTER: Final = timedelta(minutes=15)
"""The unit of a zone's distance from UTC in SMPP 3.4, 7.1.1."""


def local_ms(text: str, form: str) -> int | None:
    """Returns a local time of a form that `strptime` knows in ms. None where it is none."""
    try:
        found = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - of the machine's zone
        return _ms(found)
    except (ValueError, OverflowError, OSError):
        return None


def time_of_day(text: str) -> time | None:
    """Returns a time of day from `HH:MM` or `HH:MM:SS`. None where it is none."""
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def within_hours(ms: int, after: time | None, before: time | None) -> int:
    """Returns the first time from one on that is within some hours of a local day.

    Args:
        ms: The time, in ms.
        after: When the hours begin. None: at midnight.
        before: When they end. None: at midnight. Earlier than `after`: on the day after.
    """
    if after is None and before is None:
        return ms
    now = datetime.fromtimestamp(ms / 1000)  # noqa: DTZ006 - of the machine's zone
    begin = after or time.min
    end = before or time.max
    clock = now.time()
    if begin <= end:
        if begin <= clock <= end:
            return ms
        day = now.date() if clock < begin else now.date() + timedelta(days=1)
    else:
        if clock >= begin or clock <= end:
            return ms
        day = now.date()
    return _ms(datetime.combine(day, begin))


def smpp_ms(text: str, now_ms: int) -> int | None:
    """Returns a time of SMPP 3.4 (7.1.1) in ms. None where it is none.

    Args:
        text: `YYMMDDhhmmsstnnp`, absolute with a distance from UTC, or relative (`R`).
        now_ms: What a relative time counts from.
    """
    found = _SMPP.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, tenth, quarters = (int(n) for n in found.groups()[:8])
    try:
        if found[9] == "R":
            # A year and a month have no fixed length: SMPP leaves it open, and 365 and 30 days do.
            span = timedelta(
                days=365 * year + 30 * month + day, hours=hour, minutes=minute, seconds=second
            )
            return now_ms + round(span / timedelta(milliseconds=1))
        written = datetime.fromisoformat(
            f"20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{tenth}00+00:00"
        )
    except (ValueError, OverflowError):
        return None
    distance = quarters * QUARTER
    utc = written - distance if found[9] == "+" else written + distance
    return min(round(utc.timestamp() * 1000), MAX_TIME_MS)


def local_text(ms: int) -> str:
    """Returns a time as those APIs show it: `YYYY-MM-DD HH:MM:SS` in the machine's zone."""
    return datetime.fromtimestamp(ms // 1000).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - its


def _ms(naive: datetime) -> int:
    return round(naive.timestamp() * 1000)
