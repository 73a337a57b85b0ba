"""Whole numbers of queries and forms, as people and scripts send them. Pure."""

from typing import Final

MOST_DIGITS: Final = 19
"""As many as the largest id has."""


def whole(text: str | None, most_digits: int = MOST_DIGITS) -> int | None:
    """Reads a number that is not negative. None where it is none, or has too many digits."""
    if text and text.isascii() and text.isdecimal() and len(text) <= most_digits:
        return int(text)
    return None
