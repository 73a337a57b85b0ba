"""HMAC-SHA1 (RFC 2104, RFC 3174) in two halves: what follows from the key, and the rest. Pure.

Twilio's clients check a callback by the token that they log in with. Here that is an API key or a
SecretKey, which is never stored. What has to be stored to sign later is less: the state of SHA-1
after the padded key, twice. By it anything can be signed as by the key, and nothing else be done:
it is no credential, and the key is not to be had from it but by guessing. `hashlib` gives no such
states, so that the compression of SHA-1 stands here in Python. It takes some 50 µs a block.
"""

import struct
from typing import Final

BLOCK: Final = 64
"""Bytes of a block of SHA-1."""

SIZE: Final = 20
"""Bytes of a state of SHA-1, and of its digest."""

STATE_SIZE: Final = 2 * SIZE
"""Bytes of what is stored: the state after the inner key, and that after the outer one."""

_Words = tuple[int, int, int, int, int]

_FIRST: Final[_Words] = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_ROUND: Final = struct.Struct(">16I")
_STATE: Final = struct.Struct(">5I")
_WORD: Final = 0xFFFFFFFF
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def state_of(key: bytes) -> bytes:
    """Returns what signs as the key does."""
    if len(key) > BLOCK:
        key = _digest(_FIRST, key, 0)
    padded = key.ljust(BLOCK, b"\0")
    inner = _compress(_FIRST, padded.translate(_INNER))
    outer = _compress(_FIRST, padded.translate(_OUTER))
    return _STATE.pack(*inner) + _STATE.pack(*outer)


def sign(state: bytes, message: bytes) -> bytes:
    """Returns the HMAC-SHA1 of a message.

    Args:
        state: As `state_of` returns it.
        message: What is signed.

    Raises:
        ValueError: The state has another size.
    """
    if len(state) != STATE_SIZE:
        raise ValueError(f"a state has {STATE_SIZE} bytes, and not {len(state)}")
    inner = _digest(_STATE.unpack(state[:SIZE]), message, BLOCK)
    return _digest(_STATE.unpack(state[SIZE:]), inner, BLOCK)


def _digest(words: _Words, message: bytes, before: int) -> bytes:
    """Returns the digest of a message that begins in this state, after so many bytes."""
    bits = 8 * (before + len(message))
    padding = b"\x80" + bytes((BLOCK - 9 - len(message)) % BLOCK) + bits.to_bytes(8, "big")
    padded = message + padding
    for at in range(0, len(padded), BLOCK):
        words = _compress(words, padded[at : at + BLOCK])
    return _STATE.pack(*words)


def _compress(words: _Words, block: bytes) -> _Words:
    """Takes one block up (RFC 3174, 6.1)."""
    w = list(_ROUND.unpack(block))
    for t in range(16, 80):
        x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]
        w.append((x << 1 | x >> 31) & _WORD)
    a, b, c, d, e = words
    for t, word in enumerate(w):
        if t < 20:  # noqa: PLR2004 - the rounds are the standard's
            f = (b & c) | (~b & d)
            k = 0x5A827999
        elif t < 40:  # noqa: PLR2004
            f, k = b ^ c ^ d, 0x6ED9EBA1
        elif t < 60:  # noqa: PLR2004
            f, k = (b & c) | (b & d) | (c & d), 0x8F1BBCDC
        else:
            f, k = b ^ c ^ d, 0xCA62C1D6
        turned = (a << 5 | a >> 27) & _WORD
        a, b, c, d, e = (
            (turned + f + e + word + k) & _WORD,
            a,
            (b << 30 | b >> 2) & _WORD,
            c,
            d,
        )
    first = zip(words, (a, b, c, d, e), strict=True)
    one, two, three, four, five = ((before + after) & _WORD for before, after in first)
    return one, two, three, four, five
