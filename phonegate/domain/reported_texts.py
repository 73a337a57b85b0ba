"""Texts and names, in whatever form a program reports them, as they are stored and shown. Pure."""

import hashlib
import re
import unicodedata
from typing import Final

from phonegate.domain.reported_numbers import whole_number
from phonegate.model.bounds import MAX_DEVICE_ID, MAX_LABEL
from phonegate.model.numbers import SENDER_LIMIT
from phonegate.typed_json.rules import NEVER_STORED

MAX_BITS: Final = 4_096
"""Of an integer that is written out, some 1,200 digits: Python refuses 4,301."""

MEDIUM: Final = re.compile(r"^[^\s\u0000-\u001f\u007f-\u009f]+$")
"""Where media are: an address without blanks."""

_DIGEST_CHARS: Final = 32
"""Of a digest that stands for the rest of a long name: 128 bits, as a UUID has."""

# They show nothing and come along when a number is copied: marks of direction and of order, the
# soft hyphen, spaces of no width. The joiners U+200C and U+200D are part of words and emojis.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_BLANK: Final = frozenset({"Cc", "Zl", "Zp", "Zs"})
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def written(value: object) -> str | None:
    """Reads a text, or a number or a yes or no as a program writes it.

    Returns:
        The text, or None for a list, an object, null, or a number of too many digits.
    """
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    whole = whole_number(value)
    if whole is not None:
        return str(whole) if whole.bit_length() <= MAX_BITS else None
    return repr(value) if type(value) is float else None


def storable(text: str) -> str:
    """Replaces NUL and halves of surrogate pairs, which no database or UTF-8 takes."""
    if text.isascii() and "\0" not in text:
        return text
    return NEVER_STORED.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """Makes a text one line for people, without control characters and invisible marks."""
    if not text.isprintable():
        text = _INVISIBLE.sub("", storable(text.replace("\0", " ")))
        spaced = (" " if unicodedata.category(char) in _BLANK else char for char in text)
        text = " ".join("".join(spaced).split())
    return text.strip()


def label(text: str) -> str | None:
    """Makes a text a name for people, of one line. Returns None where nothing is left of it."""
    return one_line(text)[:MAX_LABEL].strip() or None


def sender(text: str) -> str:
    """Makes a text a sender, of one line. Returns "" where nothing is left of it."""
    return one_line(text)[:SENDER_LIMIT].strip()


def is_device_id(text: str) -> bool:
    """Tells whether this may name a device: 1 to 128 characters of one line, not only spaces."""
    return len(text) <= MAX_DEVICE_ID and _is_name(text)


def device_id(text: str) -> str:
    """Makes a text the name of a device. The rest of a longer one becomes a digest.

    Two phones that were taken for one would lose what both have received, so the same long name
    always gives the same, and another gives another.
    """
    line = text if _is_name(text) else one_line(text)
    if len(line) <= MAX_DEVICE_ID:
        return line
    digest = hashlib.sha256(line.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{line[: MAX_DEVICE_ID - 1 - _DIGEST_CHARS]}~{digest}"


def _is_name(text: str) -> bool:
    if not text or text.isspace():
        return False
    return text.isprintable() or not any(
        unicodedata.category(char) in _NOT_IN_A_LINE for char in text
    )
