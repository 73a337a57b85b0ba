"""Whole small frames of a websocket, read and written without wsproto. Pure.

Nearly all that a phone and the gateway say to each other comes in such: final, short, and masked
where the phone sends it. wsproto, which is made for every frame there may be, takes twenty times
as long for one. What is none of them is left to it, to be read or refused.

RFC 6455, 5.2, says what the bytes mean.
"""

from typing import Final, NamedTuple

PLAIN_BYTES: Final = 1_024
"""The most of a frame that is read here: an SMS of four parts. What has come of one is kept until
it is whole and read anew then, which must cost little even if it comes byte by byte."""

_TEXT: Final = 0x81
_PING: Final = 0x89
_PONG: Final = 0x8A
"""First bytes of final frames."""
_FIRST: Final = (b"\x81", b"\x89", b"\x8a")
"""The same, the text's before the others."""

_MASKED: Final = 0x80
"""The bit of the second byte by which all that a client sends is masked."""

_ONE_BYTE: Final = 125
"""The largest size that the second byte tells by itself, and the largest of a control frame."""
_TWO_BYTES: Final = 126
"""What it has instead where the next two bytes tell the size."""
_MOST_IN_TWO: Final = 0xFFFF

_HEADS: Final = tuple(bytes((_TEXT, size)) for size in range(_ONE_BYTE + 1))


class Plain(NamedTuple):
    """What plain frames there are at the beginning of some bytes."""

    texts: list[str]
    ping: bytes | None
    """What the latest ping carries."""
    ponged: bool
    """There was a pong."""
    events: int
    """How many frames there were."""
    end: int
    """Where they end."""


def read(data: bytes, most: int = PLAIN_BYTES) -> Plain:
    """Reads the plain frames at the beginning of what a client sent, up to the first other one.

    That may be a plain one that is not all here (see `is_begun`). `most` bounds a frame's bytes.
    """
    texts: list[str] = []
    ping, ponged = None, False
    events = at = 0
    there = len(data)
    number = int.from_bytes
    while there - at >= 6:  # noqa: PLR2004 - two bytes and the mask
        first, size, begin = data[at], data[at + 1] - _MASKED, at + 6
        if size == _TWO_BYTES:
            size, begin = data[at + 2] << 8 | data[at + 3], at + 8
            if size <= _ONE_BYTE or first != _TEXT:
                break
        elif not 0 <= size <= _ONE_BYTE:
            break
        end = begin + size
        if size > most or end > there:
            break
        mask = data[begin - 4 : begin] * (size // 4 + 1)
        masked = number(data[begin:end], "little") ^ number(mask[:size], "little")
        payload = masked.to_bytes(size, "little")
        if first == _TEXT:
            try:
                texts.append(payload.decode())
            except UnicodeDecodeError:
                break
        elif first == _PING:
            ping = payload
        elif first == _PONG:
            ponged = True
        else:
            break
        at = end
        events += 1
    return Plain(texts, ping, ponged, events, at)


def is_begun(data: bytes, most: int = PLAIN_BYTES) -> bool:
    """Tells whether these bytes, which `read` left, may be the beginning of a plain frame."""
    if data[:1] not in _FIRST:
        return False
    size = data[1] - _MASKED if len(data) > 1 else 0
    if size != _TWO_BYTES:
        return 0 <= size <= min(_ONE_BYTE, most) and len(data) < 6 + size
    if data[:1] != _FIRST[0]:
        return False
    size = int.from_bytes(data[2:4])
    return len(data) < 4 or (_ONE_BYTE < size <= most and len(data) < 8 + size)  # noqa: PLR2004


def text(payload: bytes) -> bytes:
    """Returns the frame that brings a client a text, given in UTF-8."""
    size = len(payload)
    if size <= _ONE_BYTE:
        return _HEADS[size] + payload
    if size <= _MOST_IN_TWO:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def ping(payload: bytes) -> bytes:
    """Returns the ping that carries this to a client. It has at most 125 bytes."""
    return bytes((_PING, len(payload))) + payload


def pong(payload: bytes) -> bytes:
    """Returns the answer to a client's ping that carried this."""
    return bytes((_PONG, len(payload))) + payload
