"""The columns of a terminal that a text takes, and how to pad and break it to fit some.

A terminal gives two columns to a wide letter (CJK, most emojis), none to a mark on the letter
before it, and two to emojis that are joined into one picture.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

ZWJ: Final = "\u200d"
_VS16: Final = "\ufe0f"
"""Makes the letter before it a picture, which takes two columns."""

_PICTURES: Final = ((0x203C, 0x203C), (0x2049, 0x2049), (0x2190, 0x2BFF), (0x1F000, 0x1FAFF))
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_JAMO: Final = range(0x1160, 0x1200)
"""Vowels and finals of Hangul, which are drawn into the syllable that they follow."""

NARROWEST: Final = 6
"""A column of a table is never made narrower than this."""

GAP: Final = "  "


def letters(text: str) -> Iterator[tuple[str, int]]:
    """Yields each part of a text that is drawn as one letter, with the columns that it takes."""
    drawn, columns = "", 0
    for letter in text:
        if drawn and _belongs(drawn, letter):
            drawn += letter
            if letter == _VS16 and columns == 1:
                columns = 2
            continue
        if drawn:
            yield drawn, columns
        drawn, columns = letter, _columns(letter)
    if drawn:
        yield drawn, columns


def width(text: str) -> int:
    """Returns the columns that a text of one line takes."""
    return len(text) if text.isascii() else sum(columns for _, columns in letters(text))


def pad(text: str, columns: int) -> str:
    """Returns a text with spaces appended so that it takes so many columns."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Returns a text cut off so that it takes so many columns at most."""
    if width(text) <= columns:
        return text
    kept, taken = "", 0
    for drawn, size in letters(text):
        if taken + size > columns - 1:
            break
        kept += drawn
        taken += size
    return f"{kept}…"


def wrap(text: str, columns: int) -> list[str]:
    """Breaks a text into lines of so many columns at most, at spaces and commas if there are any.

    A letter that is wider than a line has a line of its own.
    """
    lines: list[str] = []
    line = ""
    for drawn, size in letters(text):
        while line and width(line) + size > columns:
            end = max(line.rfind(" "), line.rfind(",")) + 1 if drawn != " " else 0
            head, line = (line[:end], line[end:]) if end else (line, "")
            lines.append(head.rstrip(" "))
            if drawn == " ":
                break
        else:
            line += drawn
    return [*lines, line]


def fit(widths: Sequence[int], columns: int) -> list[int]:
    """Returns the widths of a table's columns, the widest made narrower until all fit a line."""
    fitted = list(widths)
    room = columns - len(GAP) * (len(fitted) - 1)
    while sum(fitted) > room and max(fitted) > NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _columns(letter: str) -> int:
    if _takes_none(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _takes_none(letter: str) -> bool:
    return unicodedata.category(letter) in {"Mn", "Me", "Cf"} or ord(letter) in _JAMO


def _belongs(drawn: str, letter: str) -> bool:
    """Tells whether a letter is drawn into the one before it."""
    if _takes_none(letter):
        return True
    if not _is_picture(drawn[0]):
        return False
    return ord(letter) in _SKIN_TONES or (drawn[-1] == ZWJ and _is_picture(letter))


def _is_picture(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _PICTURES)
