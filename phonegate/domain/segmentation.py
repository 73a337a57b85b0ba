"""The number of SMS that a text takes, and where it is cut: GSM 7-bit and UCS-2.

3GPP TS 23.038 gives the alphabets (section 6.2.1 the default one, 6.2.1.1 its extension table),
TS 23.040 section 9.2.3.24.1 the header of six octets that concatenated parts carry. National
language tables are left out: a phone uses them only where its country's settings say so.

The phone's own split may differ (newer Androids keep an emoji sequence together), and is what
counts. This is the gateway's estimate for pacing and for the `segments` of a message.
"""

import codecs
from collections.abc import Iterator
from typing import Literal

import attrs

Encoding = Literal["gsm7", "ucs2"]

SINGLE_SEPTETS = 160
"""Septets of a text that fits one SMS: 140 octets hold 160 of them."""
PART_SEPTETS = 153
"""Septets of a part: the six octets of the header take seven of the 160."""
SINGLE_UNITS = 70
"""UTF-16 code units of a text that fits one SMS: 140 octets, two each."""
PART_UNITS = 67
"""UTF-16 code units of a part: 134 octets are left beside the header."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet in the order of its codes, without the escape (0x1B): one septet each."""
EXTENDED = "\f^{}\\[~]|€"
"""The extension table: an escape and a code, two septets each."""

_ESCAPE = "\x1b"
_WITH_ESCAPES = str.maketrans({char: _ESCAPE + char for char in EXTENDED})

# A charmap is the fastest membership test in the standard library: 160 characters take half
# a microsecond. Its codes are not those of SMS: extension characters get those from 0x80 on, so
# that a test of the bytes shows whether there is any. NUL must come first for the C fast path
# to be taken, and so is refused separately.
_UNUSED = "\ufffe"
_CHARMAP = codecs.charmap_build(("\0" + BASIC).ljust(0x80, _UNUSED) + EXTENDED.ljust(0x80, _UNUSED))


@attrs.frozen
class Segmentation:
    """A text cut into SMS. `parts` joined give the text again."""

    encoding: Encoding
    parts: tuple[str, ...] = attrs.field(repr=False)


def segment(text: str) -> Segmentation:
    """Cuts a text into the parts that a phone sends, never within an escape or surrogate pair.

    An empty text is one empty part. A surrogate without its other half counts as one unit.
    """
    if _gsm_codes(text) is not None:
        septets = text.translate(_WITH_ESCAPES)
        gsm = tuple(septets[a:b].replace(_ESCAPE, "") for a, b in _cut_septets(septets))
        return Segmentation("gsm7", gsm)
    units = text.encode("utf-16-be", "surrogatepass")
    ucs = tuple(
        units[2 * a : 2 * b].decode("utf-16-be", "surrogatepass") for a, b in _cut_units(units)
    )
    return Segmentation("ucs2", ucs)


def count(text: str) -> int:
    """Returns how many parts `segment` would give, without making them."""
    codes = _gsm_codes(text)
    if codes is not None:
        if codes.isascii():
            size = len(codes)
            return 1 if size <= SINGLE_SEPTETS else -(-size // PART_SEPTETS)
        return sum(1 for _ in _cut_septets(text.translate(_WITH_ESCAPES)))
    units = text.encode("utf-16-be", "surrogatepass")
    size = len(units) // 2
    if size <= SINGLE_UNITS:
        return 1
    if size == len(text):
        return -(-size // PART_UNITS)
    return sum(1 for _ in _cut_units(units))


def _gsm_codes(text: str) -> bytes | None:
    """Returns a byte for each character, from 0x80 on for those of the extension table.

    Returns None if GSM 7-bit can't express the text.
    """
    if "\0" in text:
        return None
    try:
        return codecs.charmap_encode(text, "strict", _CHARMAP)[0]
    except UnicodeEncodeError:
        return None


def _cut_septets(septets: str) -> Iterator[tuple[int, int]]:
    if len(septets) <= SINGLE_SEPTETS:
        yield 0, len(septets)
        return
    start = 0
    while start < len(septets):
        end = min(start + PART_SEPTETS, len(septets))
        if septets[end - 1] == _ESCAPE:
            end -= 1
        yield start, end
        start = end


def _cut_units(units: bytes) -> Iterator[tuple[int, int]]:
    size = len(units) // 2
    if size <= SINGLE_UNITS:
        yield 0, size
        return
    start = 0
    while start < size:
        end = min(start + PART_UNITS, size)
        if end < size and _is_high(units, end - 1) and _is_low(units, end):
            end -= 1
        yield start, end
        start = end


def _is_high(units: bytes, index: int) -> bool:
    return 0xD8 <= units[2 * index] <= 0xDB  # noqa: PLR2004 - the first half's range, RFC 2781


def _is_low(units: bytes, index: int) -> bool:
    return 0xDC <= units[2 * index] <= 0xDF  # noqa: PLR2004 - the second half's range, RFC 2781
