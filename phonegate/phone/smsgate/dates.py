"""Dates as the app reads and writes them. Pure.

The app's formatter has the pattern `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`, in which `SSS` is a *number of
milliseconds* of any length. So `.123456` is 123,456 ms, which is more than two minutes. What does
not match is tried once more as ISO 8601 without a fraction.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - as UTC
_MINUTES_IN_HOUR: Final = 60


def read_date(text: str) -> int:
    """Returns the time that the app makes of a date, in ms since 1970, UTC.

    Raises:
        ValueError: The app can't read it.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not a date that the app can read")
    *fields, fraction, zone = found.groups()
    moment = datetime(*map(int, fields))  # type: ignore[arg-type]  # noqa: DTZ001 - as UTC
    seconds = (moment - _EPOCH) // timedelta(seconds=1) - 60 * _offset_min(zone)
    return seconds * 1000 + int(fraction or 0)


def write_date(ms: int, offset_min: int = 0) -> str:
    """Returns a time as the app writes it, in the zone that its phone is in."""
    zone = timezone(timedelta(minutes=offset_min))
    seconds, rest = divmod(ms, 1000)
    shown = datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{shown}.{rest:03}{_zone_name(offset_min)}"


def _offset_min(zone: str) -> int:
    if zone == "Z":
        return 0
    hours, minutes = zone[1:].split(":")
    size = _MINUTES_IN_HOUR * int(hours) + int(minutes)
    return -size if zone[0] == "-" else size


def _zone_name(offset_min: int) -> str:
    if offset_min == 0:
        return "Z"
    hours, minutes = divmod(abs(offset_min), _MINUTES_IN_HOUR)
    return f"{'-' if offset_min < 0 else '+'}{hours:02}:{minutes:02}"
