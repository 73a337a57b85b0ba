"""Texts that come as coded bytes, as gateways of old take them: GSM 03.38, UCS-2 and others. Pure.

Such bytes stand percent-encoded in queries and forms, and in hexadecimal. A query is read with the
bytes that are no UTF-8 as halves of surrogate pairs (`surrogateescape`). `raw` gives them back.
"""

import re
from typing import Final

import attrs

from phonegate.domain.charsets import decoded
from phonegate.domain.segmentation import BASIC
from phonegate.typed_json.rules import Written

ESCAPE: Final = 0x1B
"""Precedes a code of the extension table (3GPP TS 23.038, 6.2.1)."""

_EXTENDED: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
"""The extension table (3GPP TS 23.038, 6.2.1.1)."""

_ALPHABET: Final = BASIC[:ESCAPE] + "\x1b" + BASIC[ESCAPE:]
"""The default alphabet by its codes."""

_ESCAPED: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that is no part of UTF-8."""


class NotText(ValueError):
    """Bytes are no text in the coding that they are said to have."""


@attrs.frozen
class Undecoded(Written):
    """A text that may hold bytes which are no UTF-8, as `surrogateescape` has them."""

    def read(self, value: object) -> str:
        """Returns it as it is: what it means depends on other parameters."""
        return str(value)


def raw(text: str) -> bytes:
    """Returns the bytes that a parameter was given as.

    Raises:
        NotText: It stands for no bytes, as half of a surrogate pair in JSON.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise NotText("holds half of a surrogate pair") from None


def utf8(text: str) -> str:
    """Returns a parameter that is meant to be UTF-8.

    Raises:
        NotText: It is not.
    """
    if _ESCAPED.search(text):
        raise NotText("is not UTF-8")
    return text


def gsm(data: bytes) -> str:
    """Reads codes of the GSM default alphabet and its extension table, one a byte.

    A code of the extension table that has no character is read as in the default alphabet, as
    TS 23.038 (6.2.1.1) has it.

    Raises:
        NotText: A byte is no code, or an escape precedes nothing.
    """
    found: list[str] = []
    escaped = False
    for code in data:
        if code >= len(_ALPHABET):
            raise NotText("is not in the GSM alphabet")
        if code == ESCAPE and not escaped:
            escaped = True
            continue
        found.append(_EXTENDED.get(code, _ALPHABET[code]) if escaped else _ALPHABET[code])
        escaped = False
    if escaped:
        raise NotText("ends within a character of the GSM alphabet")
    return "".join(found).replace("\x1b", " ")


def ucs2(data: bytes) -> str:
    """Reads UTF-16BE, as SMS and SMPP have it, or UTF-8 that was sent as if it were.

    RapidPro sends the UTF-8 of a text as Jasmin's `hex-content` with coding 8. UTF-8 with anything
    beyond ASCII in it is by its form hardly ever UTF-16: only some texts of Hangul syllables alone
    can be read as both, and count as UTF-8.

    Raises:
        NotText: It is neither.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if not text.isascii() and not _has_controls(text):
            return text
        if len(data) % 2:
            raise NotText("is not UTF-16BE")
    try:
        return data.decode("utf-16-be")
    except UnicodeDecodeError:
        raise NotText("is not UTF-16BE") from None


def _has_controls(text: str) -> bool:
    return any(char < " " and char not in "\t\n\r" for char in text)


def latin1(data: bytes) -> str:
    """Reads Latin-1, or UTF-8 that was sent as if it were.

    Latin-1 that is valid UTF-8 beyond ASCII would begin with an accent such as Ã or Â and go on
    with a sign that no word has.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def by_charset(data: bytes, charset: str) -> str:
    """Reads bytes in a charset that is named as MIME or Python names it.

    Raises:
        NotText: It is unknown, or the bytes are no text in it.
    """
    text = decoded(data, charset)
    if text is None:
        raise NotText(f"is not in the charset {_shown(charset)}")
    return text


def utf8_or(data: bytes, charset: str) -> str:
    """Reads bytes in a charset, or UTF-8 beyond ASCII that was sent as if it were.

    Raises:
        NotText: They are no text in it.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return by_charset(data, charset)
    return by_charset(data, charset) if text.isascii() else text


def _shown(charset: str) -> str:
    return charset if re.fullmatch(r"[A-Za-z0-9._-]{1,30}", charset) else "that is named"
