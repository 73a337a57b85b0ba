"""Signatures of Standard Webhooks 1.0.0, which webhooks are called and checked with. Pure.

The specification is github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins
"""How a secret is shown. What follows is base64."""

ID_HEADER: Final = "webhook-id"
TIME_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

TOLERANCE_S: Final = 300
"""Seconds that a call may be older or newer than its receiver's clock, so that a call that was
overheard can't be repeated later. The specification's own libraries allow as many."""


def signature(secret: str, call_id: str, seconds: str, body: bytes) -> str:
    """Returns one signature of a call, with its version before it.

    Args:
        secret: As it is shown.
        call_id: Names what is delivered, the same at every attempt.
        seconds: The time of this attempt since 1970, as the header has it.
        body: What is sent, byte for byte.
    """
    signed = b".".join((call_id.encode(), seconds.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, 'sha256')).decode()}"


def signs(secret: str, call_id: str, seconds: str, body: bytes, signatures: str) -> bool:
    """Tells whether one of the signatures of a call was made with a secret.

    Args:
        secret: As it is shown.
        call_id: The header `webhook-id`.
        seconds: The header `webhook-timestamp`.
        body: What was received, byte for byte.
        signatures: The header `webhook-signature`: one or more with blanks between.
    """
    expected = signature(secret, call_id, seconds, body).encode()
    # All are compared, so that the time tells nothing of them.
    found = [one.encode(errors="replace") for one in signatures.split()]
    return any([hmac.compare_digest(expected, one) for one in found])  # noqa: C419 - all of them


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()
