"""JSON values: how many a text has, and how those are read that JSON does not know. Pure.

What reading costs is the number of values, more than the number of bytes: a megabyte of nested
lists takes a hundred times as long as a megabyte of text. So they are counted first, in a small
part of that time.
"""

import json
from typing import Any, Final

MAX_DIGITS: Final = 30
"""An integer with more digits is beyond every field's limit, so it is not worth converting
(Python refuses 4,301 digits with an error that names no field)."""

_BEYOND: Final = int("9" * MAX_DIGITS)


def integer(digits: str) -> int:
    """A JSON integer. One of more than `MAX_DIGITS` digits is as good as the largest of so many."""
    if len(digits) > MAX_DIGITS:
        return -_BEYOND if digits.startswith("-") else _BEYOND
    return int(digits)


def report_decoder(**options: Any) -> json.JSONDecoder:
    """Reads what programs write that report what happened, though it is not quite JSON.

    NaN and Infinity are null, and a text may hold line ends and other control characters as they
    are. `options` are those of `json.JSONDecoder`.
    """
    return json.JSONDecoder(
        parse_int=integer, parse_constant=lambda _: None, strict=False, **options
    )


def has_more_values(text: str, most: int) -> bool:
    """Tells whether a text has more than `most` commas and opening brackets outside of its strings.

    In JSON each value but the first has one of its own before it.
    """
    if _opened(text) <= most:
        return False
    outside = text.replace("\\\\", "").replace('\\"', "")
    if outside.count('"') > 4 * (most + 1):
        # More strings than so many values and their names. To take them apart is what costs.
        return True
    return _opened("".join(outside.split('"')[::2])) > most


def _opened(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")
