"""Calls to addresses that a caller has given, each to an address that the guard has looked at.

Nothing is followed, no proxy is used, and no cookie or credential of the gateway goes along.
"""

import contextlib
import errno
import functools
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpcore
import httpx
import trio

import phonegate
from phonegate import trust
from phonegate.http.guarded_connections import CONNECT_S, GuardedTransport
from phonegate.http.outgoing_address import CallFailed, CallRefused, Guard

HEADERS: Final = {
    "user-agent": f"phonegate/{phonegate.__version__}",
    # A small compressed answer can be a huge one.
    "accept-encoding": "identity",
}

FAILURES: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)

_UNCONNECTED: Final = {
    errno.ECONNREFUSED: "refused the connection: nothing listens at its address and port",
    errno.EHOSTUNREACH: "can't be reached: its host does not answer",
    errno.ENETUNREACH: "can't be reached: there is no way to its network",
    errno.ETIMEDOUT: "can't be reached: its host does not answer",
}
"""Why a connection was not made, by the error of the system."""


@contextlib.asynccontextmanager
async def opened(guard: Guard, text: str) -> AsyncIterator[httpx.Response]:
    """Gets a URL, until the head of its answer. The caller's deadline bounds it all.

    Raises:
        CallRefused: It may not be called.
        CallFailed: It can't be reached now.
    """
    url = web_address(text)
    async with httpx.AsyncClient(
        transport=GuardedTransport(guard, trust_of(url)),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_S),
        headers={**HEADERS, "accept": "*/*"},
    ) as client:
        try:
            answer = await client.send(client.build_request("GET", url), stream=True)
        except FAILURES as error:
            raise CallFailed(problem_of(error)) from None
        try:
            yield answer
        except FAILURES:
            raise CallFailed("broke off its answer") from None
        finally:
            with trio.move_on_after(CONNECT_S, shield=True):
                await answer.aclose()


def web_address(text: str) -> httpx.URL:
    """Reads a URL.

    Raises:
        CallRefused: It is none of http or https.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise CallRefused("is no http or https address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise CallRefused("is no http or https address")
    return url


def problem_of(error: BaseException) -> str:
    """Says why a request got no answer, in words that follow a name."""
    if isinstance(error, httpcore.ConnectTimeout):
        return f"did not take the connection within {CONNECT_S:g} seconds"
    if isinstance(error, httpcore.ConnectError):
        return _unconnected(error)
    if isinstance(error, httpcore.LocalProtocolError):
        return "has headers that can't be sent"
    if isinstance(error, httpcore.RemoteProtocolError) and "disconnected" not in str(error):
        return "answered something that is no HTTP"
    return "broke the connection off"


def _unconnected(error: BaseException) -> str:
    """Says why there is no connection. Of the causes' own texts, some name the address."""
    for cause in trust.causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {cause.verify_message.rstrip('.')}"
        if isinstance(cause, ssl.SSLError) and trust.speaks_no_tls(cause):
            return "speaks no TLS: its address may have to begin with http://"
        if isinstance(cause, OSError) and cause.errno in _UNCONNECTED:
            return _UNCONNECTED[cause.errno]
    return "can't be connected to"


async def read_while(answer: httpx.Response, take: Callable[[int], bool]) -> bytes | None:
    """Reads the body of an answer.

    Args:
        answer: The answer, of which nothing was read yet.
        take: Called with the size of each piece. It returns whether the piece may be kept.

    Returns:
        None where a piece was not kept, or the encoding was not asked for.
    """
    if answer.headers.get("content-encoding", "identity") != "identity":
        return None
    body = bytearray()
    whole = True
    try:
        async for piece in answer.aiter_raw():
            if whole and take(len(piece)):
                body += piece
                continue
            whole = False
            # Reading on from a closed response ends its nested generators in order. Leaving the
            # loop would leave them to the garbage collector.
            await answer.aclose()
    except FAILURES:
        if whole:
            raise
    return bytes(body) if whole else None


def trust_of(url: httpx.URL) -> ssl.SSLContext:
    """Returns whom a connection to a URL trusts. Without TLS the certificates are not read."""
    return _trust() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Shared: reading the certificates takes some 20 ms and 1 MB, each time.
    return trust.context()
