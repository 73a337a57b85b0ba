"""Points in time, which are milliseconds since 1970-01-01 UTC, and their ISO 8601 form."""

import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which a date has no ISO 8601 form."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - as UTC; shown without its offset


def now_ms() -> int:
    """Returns the wall clock's time."""
    return time.time_ns() // 1_000_000


THOUSANDTHS: Final = tuple(f".{number:03}Z" for number in range(1000))
"""How the text of a time ends, by its milliseconds. To look them up is faster than to format."""


def iso(ms: int) -> str:
    """Returns a time in UTC with milliseconds, such as `2026-11-21T08:00:00.000Z`."""
    return f"{second(ms // 1000)}{THOUSANDTHS[ms % 1000]}"


def iso_seconds(ms: int) -> str:
    """Returns a time in UTC to the second that it is in, such as `2026-11-21T08:00:00Z`."""
    return f"{second(ms // 1000)}Z"


@lru_cache(maxsize=4096)  # readers ask for the newest messages again and again
def second(seconds: int) -> str:
    """Returns how the text of a time in UTC begins, from whole seconds since 1970."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()
