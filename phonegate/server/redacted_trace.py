"""Describes exceptions for the log by their kind and line, never by their text. Pure.

The text of a parser's error quotes what it parsed, and a head or body holds secrets.
"""

import traceback
from pathlib import PurePath

MOST = 5
"""Exceptions of one group that are described. A group of more repeats itself."""


def redacted(error: BaseException) -> list[str]:
    """Describes each exception in `error`, a group or not, as `Kind (file.py:line)`."""
    return [_one(leaf) for leaf in _leaves(error)[:MOST]]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _one(error: BaseException) -> str:
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f" ({PurePath(frame.f_code.co_filename).name}:{line})"
    return type(error).__name__ + place
