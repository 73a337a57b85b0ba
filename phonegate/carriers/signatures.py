"""Whether a carrier's callback comes from that carrier. Pure: the clock is an argument.

Sources: twilio.com/docs/usage/webhooks/webhooks-security, and the webhook signing page of
developers.telnyx.com.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, urlsplit

TOLERANCE_S = 300
"""How old, or how far ahead, a signed time may be: what Telnyx's own libraries allow."""
KEY_BYTES = 32
SIGNATURE_BYTES = 64

_SECONDS = re.compile(r"[0-9]{1,12}")


class CallbackError(Exception):
    """A call that is refused; nothing of it may be stored. The text is for an operator."""


class BadSignature(CallbackError):
    """It is not signed by the carrier, or not for this address, or too long ago."""


class SignatureUnsupported(Exception):
    """Telnyx's signatures can't be checked here: a package is missing, or the key is none."""


def check_twilio(
    auth_token: str,
    signature: str | None,
    *,
    url: str,
    fields: Iterable[tuple[str, str]] | None,
    body: bytes = b"",
) -> None:
    """Checks an `X-Twilio-Signature`.

    Args:
        auth_token: Of the account.
        signature: The header's value.
        url: The whole address that Twilio was given, query included.
        fields: The form's names and values; None where the body is no form, which the
            address must then hold the SHA-256 of (`bodySHA256`).
        body: As it came; looked at only where it is no form.

    Raises:
        BadSignature: It is not right.
    """
    if not signature:
        raise BadSignature("the X-Twilio-Signature header is missing")
    try:
        split = urlsplit(url)
        addresses = {url, _with_port(split), _without_port(split)}
    except ValueError:
        raise BadSignature("the address is no URL") from None
    signed = ""
    if fields is None:
        (promised, *_) = parse_qs(split.query).get("bodySHA256", [""])
        if not _same(hashlib.sha256(body).hexdigest(), promised.lower()):
            raise BadSignature("the body is not the one that was signed")
    else:
        signed = "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    # Twilio signs the address now with its port, now without. All are tried, in even time.
    right = [
        _same(_twilio_signature(auth_token, address + signed), signature) for address in addresses
    ]
    if not any(right):
        raise BadSignature(
            "the X-Twilio-Signature is wrong: check auth_token, and that public_url is the address "
            "that Twilio calls"
        )


def _twilio_signature(auth_token: str, signed: str) -> str:
    mac = hmac.digest(auth_token.encode(), signed.encode("utf-8", "surrogatepass"), "sha1")
    return base64.b64encode(mac).decode()


def _without_port(url: SplitResult) -> str:
    host, port = _host_and_port(url)
    return url._replace(netloc=host).geturl() if port else url.geturl()


def _with_port(url: SplitResult) -> str:
    host, port = _host_and_port(url)
    port = port or ("443" if url.scheme == "https" else "80")
    return url._replace(netloc=f"{host}:{port}").geturl()


def _host_and_port(url: SplitResult) -> tuple[str, str]:
    found = re.fullmatch(r"(.*?)(?::([0-9]*))?", url.netloc)
    return (found[1], found[2] or "") if found else (url.netloc, "")


def check_public_key(public_key: str) -> None:
    """Makes sure that Telnyx's signatures can be checked with this key.

    Raises:
        SignatureUnsupported: They can't; it says what to do.
    """
    _raw_key(public_key)
    try:
        import cryptography  # noqa: F401, PLC0415 (an extra: most gateways do without)
    except ImportError:
        raise SignatureUnsupported(
            "Checking Telnyx's signatures needs the package cryptography: "
            "install it (pip install cryptography), or leave out the assistant's public_key"
        ) from None


def check_telnyx(
    public_key: str, signature: str | None, timestamp: str | None, *, body: bytes, now: int
) -> None:
    """Checks the headers `telnyx-signature-ed25519` and `telnyx-timestamp`.

    Args:
        public_key: Of the organization, 32 bytes in base64.
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


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )
