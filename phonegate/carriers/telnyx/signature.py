"""Checks that a callback comes from Telnyx. Pure: the clock is an argument.

Source: the webhook signing page of developers.telnyx.com.
"""

import base64
import binascii
import re
from typing import Final

from phonegate.carriers.provider import BadSignature, SignatureUnsupported

TOLERANCE_S: Final = 300
"""How old, or how far ahead, a signed time may be, as in Telnyx's own libraries."""
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_SECONDS = re.compile(r"[0-9]{1,12}")


def check_public_key(public_key: str) -> None:
    """Makes sure that signatures can be checked with this key.

    Raises:
        SignatureUnsupported: They can't. Its text says what to do.
    """
    _raw_key(public_key)
    try:
        import cryptography  # noqa: F401, PLC0415 (an extra: most gateways do without)
    except ImportError:
        raise SignatureUnsupported(
            "Checking Telnyx's signatures needs the package cryptography: "
            "install it (pip install 'phonegate[telnyx]'; beside the zipapp: pip install "
            "cryptography), or leave out the assistant's public_key"
        ) from None


def check(
    public_key: str, signature: str | None, timestamp: str | None, *, body: bytes, now: int
) -> None:
    """Checks the headers `telnyx-signature-ed25519` and `telnyx-timestamp`.

    Args:
        public_key: The organization's key, 32 bytes in base64.
        signature: 64 bytes in base64.
        timestamp: Seconds since 1970.
        body: As it came.
        now: In ms.

    Raises:
        BadSignature: They are missing, wrong, or older than `TOLERANCE_S`.
        SignatureUnsupported: As `check_public_key`.
    """
    check_public_key(public_key)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (as above)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 (as above)
        Ed25519PublicKey,
    )

    if not signature or not timestamp:
        raise BadSignature("telnyx-signature-ed25519 or telnyx-timestamp is missing")
    if not _SECONDS.fullmatch(timestamp):
        raise BadSignature("telnyx-timestamp is no count of seconds")
    if abs(now // 1000 - int(timestamp)) > TOLERANCE_S:
        raise BadSignature(
            f"telnyx-timestamp is more than {TOLERANCE_S} s away: a repeat, or a wrong clock"
        )
    try:
        raw = base64.b64decode(signature)
    except (binascii.Error, ValueError):
        raise BadSignature("telnyx-signature-ed25519 is not base64") from None
    if len(raw) != SIGNATURE_BYTES:
        raise BadSignature(f"telnyx-signature-ed25519 has {len(raw)} bytes, not {SIGNATURE_BYTES}")
    try:
        Ed25519PublicKey.from_public_bytes(_raw_key(public_key)).verify(
            raw, f"{timestamp}|".encode() + body
        )
    except InvalidSignature:
        raise BadSignature("telnyx-signature-ed25519 is wrong: check public_key") from None


def _raw_key(public_key: str) -> bytes:
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise SignatureUnsupported(
            f"Telnyx's public key is {KEY_BYTES} bytes in base64, as the portal shows it"
        )
    return raw
