"""A time as a form of the browser has it: local, with the offset of its time zone beside. Pure."""

import re
from typing import Final

MOST_MINUTES: Final = 14 * 60
"""The widest offset of a time zone."""

_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
_OFFSET: Final = re.compile(r"-?\d{1,3}", re.ASCII)


def moment(local: str, offset: str) -> str | None:
    """Returns the time in the form that the API takes. None where there is none.

    Args:
        local: The value of a `datetime-local` field. What is no such value is returned as it is,
            for the API to refuse.
        offset: Minutes from the local time to UTC, as JavaScript's `getTimezoneOffset` gives them.
            Without a script there are none, and the time is in UTC.
    """
    text = local.strip()
    if not text:
        return None
    if not _LOCAL.fullmatch(text):
        return text
    minutes = int(offset) if _OFFSET.fullmatch(offset) else 0
    if abs(minutes) > MOST_MINUTES:
        minutes = 0
    sign = "-" if minutes > 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    seconds = "" if text.count(":") == 2 else ":00"  # noqa: PLR2004 - hours, minutes and seconds
    return f"{text}{seconds}{sign}{hours:02}:{rest:02}"
