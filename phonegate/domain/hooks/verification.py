"""Whether a call of a hook comes from the program that its owner means. Pure: the clock is passed.

Standard Webhooks 1.0.0 signs id, time and body. ZITADEL signs time and body
(`ZITADEL-Signature: t=…,v1=…`). Grafana, authgear and GitHub put the hex HMAC-SHA256 of the body
into a header of a name of their own. Others send a password or a fixed header.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from phonegate.model.hooks import Verification, VerificationKind
from phonegate.model.refusals import BadInput, FieldProblem, Unauthorized

TOLERANCE_S: Final = 300
"""How far the time of a signature may be from ours, in both directions, as Standard Webhooks'
libraries and ZITADEL's have it."""

MAX_SECRET: Final = 500
"""Characters of a secret. Those of known programs have up to 100, and bearer tokens more."""

MAX_HEADER: Final = 64
"""Characters of a header's name."""

USUAL_HEADER: Final = "Authorization"

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""

_PRINTABLE: Final = re.compile(r"[ -~]+")

NOT_VERIFIED: Final = "The call is not from the program that this hook is for."

_NEEDS_HEADER: Final[frozenset[VerificationKind]] = frozenset({"hmac"})
_TAKES_HEADER: Final[frozenset[VerificationKind]] = frozenset({"hmac", "header"})


def require_verification(verification: Verification, prefix: str = "verification.") -> None:
    """Checks the form of a verification.

    Raises:
        BadInput: It names every wrong field, and no secret.
    """
    problems = [FieldProblem(prefix + field, text) for field, text in _problems(verification)]
    if problems:
        raise BadInput("; ".join(f"{one.field} {one.problem}" for one in problems) + ".", problems)


def verify(
    verification: Verification, headers: Mapping[str, str], body: bytes, now_ms: int
) -> None:
    """Checks that a call comes from its program.

    Args:
        verification: How that is shown.
        headers: By lower-case name.
        body: As it came.
        now_ms: The time.

    Raises:
        Unauthorized: It does not show that, or by a signature that is too old.
    """
    if not _KINDS[verification.kind](verification, headers, body, now_ms // 1000):
        raise Unauthorized(NOT_VERIFIED)


def _standard(one: Verification, headers: Mapping[str, str], body: bytes, now_s: int) -> bool:
    sent_at = headers.get("webhook-timestamp", "")
    if not _is_recent(sent_at, now_s):
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode("utf-8", "replace") + body
    key = _standard_key(one.secret)
    right = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    # GoTrue puts a comma between those of several secrets, beside the blank of the standard.
    given = (text.rstrip(",") for text in headers.get("webhook-signature", "").split())
    return any(_same(right, text) for text in given)


def _zitadel(one: Verification, headers: Mapping[str, str], body: bytes, now_s: int) -> bool:
    pairs = [
        part.strip().partition("=") for part in headers.get("zitadel-signature", "").split(",")
    ]
    sent_at = next((value for name, _, value in pairs if name == "t"), "")
    if not _is_recent(sent_at, now_s):
        return False
    right = hmac.digest(one.secret.encode(), f"{sent_at}.".encode() + body, "sha256").hex()
    return any(_same(right, value.lower()) for name, _, value in pairs if name == "v1")


def _hmac(one: Verification, headers: Mapping[str, str], body: bytes, now_s: int) -> bool:
    signed = body
    if one.timestamp_header is not None:
        sent_at = headers.get(one.timestamp_header.lower(), "")
        if not _is_recent(sent_at, now_s):
            return False
        signed = f"{sent_at}:".encode() + body
    right = hmac.digest(one.secret.encode(), signed, "sha256").hex()
    given = headers.get((one.header or "").lower(), "").strip().lower()
    return _same(right, given.removeprefix("sha256="))


def _basic(one: Verification, headers: Mapping[str, str], _: bytes, __: int) -> bool:
    scheme, _blank, given = headers.get("authorization", "").strip().partition(" ")
    right = base64.b64encode(one.secret.encode()).decode()
    return scheme.lower() == "basic" and _same(right, given.strip())


def _header(one: Verification, headers: Mapping[str, str], _: bytes, __: int) -> bool:
    return _same(one.secret, headers.get((one.header or USUAL_HEADER).lower(), "").strip())


_KINDS: Final[
    Mapping[VerificationKind, Callable[[Verification, Mapping[str, str], bytes, int], bool]]
] = {
    "standard": _standard,
    "zitadel": _zitadel,
    "hmac": _hmac,
    "basic": _basic,
    "header": _header,
}


def _problems(one: Verification) -> Iterator[tuple[str, str]]:
    if not 1 <= len(one.secret) <= MAX_SECRET or not _PRINTABLE.fullmatch(one.secret):
        yield "secret", f"must be 1 to {MAX_SECRET} printable ASCII characters"
    elif one.secret != one.secret.strip():
        yield "secret", "must not begin or end with a blank"
    elif one.kind == "standard" and not _is_standard_secret(one.secret):
        yield "secret", "must be the program's own: whsec_ or v1,whsec_ with base64 behind it"
    elif one.kind == "basic" and ":" not in one.secret:
        yield "secret", "must be a user and a password with a colon between them"
    for field, value in (("header", one.header), ("timestamp_header", one.timestamp_header)):
        if value is None:
            if field == "header" and one.kind in _NEEDS_HEADER:
                yield field, "is required: the name of the header that holds the signature"
        elif one.kind not in (_TAKES_HEADER if field == "header" else _NEEDS_HEADER):
            yield field, f"is of no use to the kind {one.kind}"
        elif len(value) > MAX_HEADER or not _HEADER.fullmatch(value):
            yield field, "must be the name of a header"


def _standard_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("v1,").removeprefix("whsec_"))


def _is_standard_secret(secret: str) -> bool:
    try:
        text = secret.removeprefix("v1,").removeprefix("whsec_")
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _is_recent(sent_at: str, now_s: int) -> bool:
    """Tells whether a time in seconds is one, and near."""
    if not (sent_at.isascii() and sent_at.isdecimal()) or len(sent_at) > len(str(now_s)) + 1:
        return False
    return abs(int(sent_at) - now_s) <= TOLERANCE_S


def _same(one: str, other: str) -> bool:
    """Compares texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))
