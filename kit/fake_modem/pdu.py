"""SMS as the PDUs that pass between a modem and its network (3GPP TS 23.040). Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet, by septet (3GPP TS 23.038, 6.2.1)."""
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
"""The letters that follow an escape (6.2.1.1)."""
ESCAPE = 0x1B
_FROM_EXTENSION = {septet: letter for letter, septet in EXTENSION.items()}

UCS2_PART = 67
UCS2_SINGLE = 70
GSM_PART = 153
GSM_SINGLE = 160
"""Units that fit into one SMS, alone or as a part of several."""


@attrs.frozen(kw_only=True)
class Submitted:
    """One SMS that a modem was given for the network. `reference` joins the parts of a text."""

    to: str
    text: str
    wants_report: bool
    reference: int | None = None
    part: int = 1
    parts: int = 1


def septets(text: str) -> list[int] | None:
    """Returns the septets of a text, or None where a letter is not of the alphabet."""
    found: list[int] = []
    for letter in text:
        if letter in EXTENSION:
            found += [ESCAPE, EXTENSION[letter]]
        elif letter != "\x1b" and letter in BASIC:
            found.append(BASIC.index(letter))
        else:
            return None
    return found


def text_of(codes: Sequence[int]) -> str:
    """Returns the text of septets."""
    letters, escaped = [], False
    for code in codes:
        if code == ESCAPE:
            escaped = True
            continue
        letters.append(_FROM_EXTENSION.get(code, " ") if escaped else BASIC[code])
        escaped = False
    return "".join(letters)


def pack(codes: Sequence[int], fill_bits: int = 0) -> bytes:
    """Packs septets into octets behind `fill_bits` of padding."""
    value, bits = 0, fill_bits
    for code in codes:
        value |= code << bits
        bits += 7
    return value.to_bytes(-(-bits // 8), "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> list[int]:
    """Returns `count` septets of packed octets."""
    value = int.from_bytes(octets, "little") >> fill_bits
    return [value >> 7 * place & 0x7F for place in range(count)]


def semi_octets(digits: str) -> bytes:
    """Returns decimal digits as semi-octets, swapped, filled with F (9.1.2.3)."""
    even = digits + "F" * (len(digits) % 2)
    return bytes.fromhex("".join(even[at + 1] + even[at] for at in range(0, len(even), 2)))


def digits_of(octets: bytes) -> str:
    """Returns the digits of semi-octets."""
    return "".join(pair[1] + pair[0] for pair in (f"{one:02X}" for one in octets)).rstrip("F")


def address(number: str) -> bytes:
    """Returns an address field (9.1.2.5): a number, or the name of a sender."""
    digits = number.removeprefix("+")
    if digits.isdigit():
        kind = 0x91 if number.startswith("+") else 0x81
        return bytes([len(digits), kind]) + semi_octets(digits)
    packed = pack(septets(number) or [])
    return bytes([len(packed) * 2, 0xD0]) + packed


def timestamp(moment: datetime) -> bytes:
    """Returns a moment to the second with the zone of UTC (9.2.3.11)."""
    return semi_octets(moment.astimezone(UTC).strftime("%y%m%d%H%M%S") + "00")


def split(text: str) -> list[str]:
    """Returns the parts of a text, one where it fits into one SMS. No letter is cut in two."""
    plain = septets(text) is not None
    whole, size = (GSM_SINGLE, GSM_PART) if plain else (UCS2_SINGLE, UCS2_PART)
    if units(text, plain=plain) <= whole:
        return [text]
    parts = [""]
    for letter in text:
        if units(parts[-1] + letter, plain=plain) > size:
            parts.append("")
        parts[-1] += letter
    return parts


def units(text: str, *, plain: bool) -> int:
    """Returns the septets of a text, or its 16-bit units where it is not `plain`."""
    return len(septets(text) or []) if plain else len(text.encode("utf-16-be")) // 2


def deliver(sender: str, text: str, moment: datetime, reference: int = 0) -> list[str]:
    """Returns the SMS-DELIVER of each part of a text, in hexadecimal, with an empty SMSC."""
    plain = septets(text) is not None
    parts = split(text)
    found = []
    for number, part in enumerate(parts, start=1):
        header = bytes([5, 0, 3, reference, len(parts), number]) if len(parts) > 1 else b""
        if plain:
            codes = septets(part) or []
            # The header takes 48 bits, so that one bit of padding leads to the next septet.
            content = header + pack(codes, 1 if header else 0)
            count = len(codes) + (7 if header else 0)
        else:
            content = header + part.encode("utf-16-be")
            count = len(content)
        octets = bytes([0, 0x44 if header else 0x04]) + address(sender)
        octets += bytes([0, 0x00 if plain else 0x08]) + timestamp(moment)
        found.append((octets + bytes([count]) + content).hex().upper())
    return found


def status_report(to: str, reference: int, moment: datetime, status: int = 0) -> str:
    """Returns an SMS-STATUS-REPORT in hexadecimal. A status of 0 means received (9.2.3.15)."""
    times = timestamp(moment) + timestamp(moment)
    return (bytes([0, 0x06, reference]) + address(to) + times + bytes([status])).hex().upper()


def length(pdu: str) -> int:
    """Returns the octets of a PDU without its SMSC, as AT commands count them."""
    octets = bytes.fromhex(pdu)
    return len(octets) - 1 - octets[0]


def submitted(pdu: str) -> Submitted:
    """Reads an SMS-SUBMIT.

    Raises:
        ValueError: It is something else.
        IndexError: It is cut off.
    """
    octets = bytes.fromhex(pdu)
    at = 1 + octets[0]
    first = octets[at]
    if first & 0x03 != 0x01:
        raise ValueError("not an SMS-SUBMIT")
    digits, kind = octets[at + 2], octets[at + 3]
    at += 4
    number = digits_of(octets[at : at + -(-digits // 2)])
    at += -(-digits // 2)
    coding = octets[at + 1]
    at += 2 + {0x00: 0, 0x10: 1}.get(first & 0x18, 7)
    count, data = octets[at], octets[at + 1 :]
    reference, part, parts, skipped = None, 1, 1, 0
    if first & 0x40:
        skipped = 1 + data[0]
        header = data[1:skipped]
        if header[0] == 0:
            reference, parts, part = header[2], header[3], header[4]
    if coding & 0x0C == 0x08:
        text = data[skipped:count].decode("utf-16-be")
    else:
        taken = -(-skipped * 8 // 7)
        text = text_of(unpack(data[skipped:], count - taken, taken * 7 - skipped * 8))
    return Submitted(
        to=("+" if kind & 0x70 == 0x10 else "") + number,
        text=text,
        wants_report=bool(first & 0x20),
        reference=reference,
        part=part,
        parts=parts,
    )
