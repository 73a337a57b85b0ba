"""Numbers, times and answers to yes or no, in whatever form a program reports them. Pure.

Each function returns None for what it can't read.
"""

import re
from datetime import datetime
from typing import Final

from phonegate.model.bounds import FIRST_SMS_MS, SECONDS_BELOW
from phonegate.model.times import MAX_TIME_MS

_EXACT: Final = 2**53
"""Up to here every whole number has a double of its own (RFC 8259, 6)."""

_WHOLE: Final = re.compile(r"([+-]?[0-9]{1,19})(\.0*)?")
_DECIMAL: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{0,9})?")
_YES: Final = frozenset({"true", "1", "yes"})
_NO: Final = frozenset({"false", "0", "no"})


def whole_number(value: object) -> int | None:
    """Reads a whole number: `5`, `5.0` and `"5"` are the same. `true` is none."""
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= _EXACT else None
    if type(value) is str and (found := _WHOLE.fullmatch(value.strip())):
        return int(found[1])
    return None


def rounded_number(value: object) -> int | None:
    """Reads a number as the nearest whole one, for what only decorates a report."""
    number = whole_number(value)
    if number is None and type(value) is float and abs(value) <= _EXACT:
        return round(value)
    return number


def truth(value: object) -> bool | None:
    """Reads a yes or no: `true`, `1`, `"yes"` and their opposites."""
    if type(value) is bool:
        return value
    word = str(whole_number(value)) if type(value) is not str else value.strip().lower()
    return True if word in _YES else False if word in _NO else None


def moment(value: object) -> int | None:
    """Reads a time, from seconds or ms since 1970 or from ISO 8601 with an offset, as ms."""
    if type(value) is str:
        text = value.strip()
        if not _DECIMAL.fullmatch(text):
            return _from_iso(text)
        number: float = float(text) if "." in text else int(text)
    elif type(value) is int or (type(value) is float and 0 < value <= _EXACT):
        number = value
    else:
        return None
    if FIRST_SMS_MS <= number * 1000 < SECONDS_BELOW * 1000:
        number *= 1000
    ms = round(number)
    return ms if 0 < ms <= MAX_TIME_MS else None


def _from_iso(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
        # Without an offset it may be any of 27 hours.
        ms = None if at.tzinfo is None else round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return ms if ms is not None and 0 < ms <= MAX_TIME_MS else None
