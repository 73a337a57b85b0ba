"""JSON values: counts those of a text, and reads some that are not quite JSON. Pure.

The time to read a text depends on the number of values more than on the number of bytes: a megabyte
of nested lists takes a hundred times as long as a megabyte of text. So values are counted first, in
a small part of that time.
"""

import json
from typing import Any, Final

MAX_DIGITS: Final = 30
"""An integer with more digits is beyond every field's limit, so it is not worth converting
(Python refuses 4,301 digits with an error that names no field)."""

_BEYOND: Final = int("9" * MAX_DIGITS)


def integer(digits: str) -> int:
    """Returns a JSON integer. One of more than `MAX_DIGITS` digits becomes the largest of those."""
    if len(digits) > MAX_DIGITS:
        return -_BEYOND if digits.startswith("-") else _BEYOND
    return int(digits)


def report_decoder(**options: Any) -> json.JSONDecoder:
    """Returns a decoder for reports of phones and carriers that are not quite JSON.

    NaN and Infinity are null, and a string may contain unescaped control characters, such as line
    ends. `options` are those of `json.JSONDecoder`.
    """
    return json.JSONDecoder(
        parse_int=integer, parse_constant=lambda _: None, strict=False, **options
    )


def has_more_values(text: str, most: int) -> bool:
    """Tells whether a text has more than `most` commas and opening brackets outside of its strings.

    In JSON one of these precedes each value but the first.
    """
    if _opened(text) <= most:
        return False
    outside = text.replace("\\\\", "").replace('\\"', "")
    if outside.count('"') > 4 * (most + 1):
        # More strings than so many values and their names can be. Removing them is what costs.
        return True
    return _opened("".join(outside.split('"')[::2])) > most


def _opened(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")
