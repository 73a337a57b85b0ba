"""Checks that a callback comes from Twilio. Pure.

Source: twilio.com/docs/usage/webhooks/webhooks-security.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, urlsplit

from phonegate.carriers.provider import BadSignature
from phonegate.http.twilio_signature import sign


def check(
    auth_token: str,
    signature: str | None,
    *,
    url: str,
    fields: Iterable[tuple[str, str]] | None,
    body: bytes = b"",
) -> None:
    """Checks an `X-Twilio-Signature`.

    Args:
        auth_token: The account's secret.
        signature: The header's value.
        url: The whole address that Twilio was given, query included.
        fields: The form's names and values. None where the body is no form: then the address must
            hold its SHA-256 (`bodySHA256`).
        body: As it came. It counts only where it is no form.

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
    if fields is None:
        (promised, *_) = parse_qs(split.query).get("bodySHA256", [""])
        if not _same(hashlib.sha256(body).hexdigest(), promised.lower()):
            raise BadSignature("the body is not the one that was signed")
    listed = list(fields or ())
    # Twilio signs some addresses with their port, others without. All are tried, in even time.
    right = [_same(sign(auth_token, address, listed), signature) for address in addresses]
    if not any(right):
        raise BadSignature(
            "the X-Twilio-Signature is wrong: check auth_token, and that public_url is the address "
            "that Twilio calls"
        )


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


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )
