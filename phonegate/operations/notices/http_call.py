"""Calls addresses that the operator has named: no guard, and no redirect is followed."""

import functools
import os
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import trio

import phonegate
from phonegate import environment_proxies, trust
from phonegate.operations.notices.messenger import NotDelivered

if TYPE_CHECKING:
    import httpx

CONNECT_S: Final = 10.0
"""Seconds to connect to one address, so that a name with several gets its turn at another."""

ANSWER_BYTES: Final = 1_024
"""What is read of an answer: it is shown by `phonegate alarms test`, and nowhere else."""

SHOWN: Final = 200
"""Characters of an answer that are shown."""

_UNPRINTED: Final = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff]+")


async def call(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
) -> str:
    """Calls a URL. The caller's deadline bounds it.

    Returns:
        The status of the answer, and how its text begins.

    Raises:
        NotDelivered: It can't be reached, or does not answer with 2xx.
    """
    import httpx  # noqa: PLC0415 - few gateways need it, and loading it takes long

    try:
        with environment_proxies.explained():
            made = httpx.AsyncClient(
                verify=_trust() if url.startswith("https") else _NO_TLS,
                timeout=httpx.Timeout(None, connect=CONNECT_S),
                headers={"user-agent": f"phonegate/{phonegate.__version__}"},
            )
        async with (
            made as client,
            client.stream(method, url, headers=headers, content=content) as answer,
        ):
            said = f"HTTP {answer.status_code}"
            text = await _beginning(answer)
    except environment_proxies.UnusableProxy as error:
        raise NotDelivered(str(error)) from None
    except _failures() as error:
        raise NotDelivered(_why(error)) from None
    shown = f"{said}: {text}" if text else said
    if answer.is_success:
        return shown
    if answer.has_redirect_location:
        raise NotDelivered(f"{said}, a redirect, which is not followed: name the new address")
    raise NotDelivered(f"answered {said}", text)


async def _beginning(answer: "httpx.Response") -> str:
    """Reads how the text of an answer begins."""
    body = bytearray()
    try:
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) >= ANSWER_BYTES:
                # Reading on from a closed response ends its nested generators in order.
                await answer.aclose()
    except _failures():
        # The status is known, and counts.
        pass
    return _UNPRINTED.sub(" ", body[:ANSWER_BYTES].decode(errors="replace")).strip()[:SHOWN]


def _why(error: BaseException) -> str:
    """Returns why a call failed, without the error's text where that may quote the URL."""
    for cause in trust.causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError) and trust.speaks_no_tls(cause):
            return "it speaks no TLS: its address may have to begin with http://"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            # The text of Trio's own names the address.
            number = cause.errno or 0
            return f"can't be reached: {os.strerror(number) if number > 0 else cause.strerror}"
    if type(error).__name__ == "ConnectError":
        return "can't be reached"
    return f"the connection failed ({type(error).__name__})"


@functools.cache
def _failures() -> tuple[type[BaseException], ...]:
    """Returns what a call may fail with. Some of it comes from the layers below httpx."""
    import httpx  # noqa: PLC0415 - as in call

    return (
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.StreamError,
        OSError,
        trio.BrokenResourceError,
        trio.ClosedResourceError,
    )


_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Shared: reading the certificates takes some 20 ms and 1 MB, each time.
    return trust.context()
