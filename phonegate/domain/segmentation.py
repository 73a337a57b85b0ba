"""The number of SMS that a text takes, in GSM 7-bit or UCS-2.

3GPP TS 23.038 gives the alphabets (section 6.2.1 the default one, 6.2.1.1 its extension table),
TS 23.040 section 9.2.3.24.1 the header of six octets that concatenated parts carry. National
language tables are left out: a phone uses them only where its country's settings say so.

The phone's own split may differ (newer Androids keep an emoji sequence together), and is what
counts. This is the gateway's estimate for pacing and for the `segments` of a message.
"""

import codecs

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


def count(text: str) -> int:
    """Returns into how many parts a phone cuts a text, never within an escape or surrogate pair.

    An empty text is one part. A surrogate without its other half counts as one unit.
    """
    codes = _gsm_codes(text)
    if codes is not None:
        if codes.isascii():
            size = len(codes)
            return 1 if size <= SINGLE_SEPTETS else -(-size // PART_SEPTETS)
        return _parts_of_septets(text.translate(_WITH_ESCAPES))
    units = text.encode("utf-16-be", "surrogatepass")
    size = len(units) // 2
    if size <= SINGLE_UNITS:
        return 1
    if size == len(text):
        return -(-size // PART_UNITS)
    return _parts_of_units(units)


def is_gsm(text: str) -> bool:
    """Tells whether GSM 7-bit can express a text."""
    return _gsm_codes(text) is not None


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


def _parts_of_septets(septets: str) -> int:
    if len(septets) <= SINGLE_SEPTETS:
        return 1
    parts = start = 0
    while start < len(septets):
        start += PART_SEPTETS
        if septets[start - 1 : start] == _ESCAPE:
            start -= 1
        parts += 1
    return parts


def _parts_of_units(units: bytes) -> int:
    size = len(units) // 2
    parts = start = 0
    while start < size:
        start += PART_UNITS
        if start < size and _is_high(units, start - 1) and _is_low(units, start):
            start -= 1
        parts += 1
    return parts


def _is_high(units: bytes, index: int) -> bool:
    return 0xD8 <= units[2 * index] <= 0xDB  # noqa: PLR2004 - the first half's range, RFC 2781


def _is_low(units: bytes, index: int) -> bool:
    return 0xDC <= units[2 * index] <= 0xDF  # noqa: PLR2004 - the second half's range, RFC 2781
