"""Calls to addresses that a caller has given, each to an address that the guard has looked at.

Nothing is followed, no proxy is used, and no cookie or credential of the gateway goes along.
"""

import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import httpx
import trio

import phonegate
from phonegate import trust
from phonegate.http.outgoing_address import CallFailed, CallRefused, Guard
from phonegate.http.outgoing_guard import Address

CONNECT_S: Final = 5.0
"""Seconds to connect to one address, so that a name with several gets its turn at another."""

_FAILURES: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


@contextlib.asynccontextmanager
async def opened(guard: Guard, text: str) -> AsyncIterator[httpx.Response]:
    """Gets a URL, until the head of its answer. The caller's deadline bounds it all.

    The name is resolved once, and what was looked at is connected to. TLS still checks the name.

    Raises:
        CallRefused: It may not be called.
        CallFailed: It can't be reached now.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise CallRefused("is no http or https address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise CallRefused("is no http or https address")
    addresses = await guard.addresses(url.raw_host.decode("ascii"), _port(url))
    async with httpx.AsyncClient(
        verify=_trust() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_S),
        headers={
            "user-agent": f"phonegate/{phonegate.__version__}",
            "accept": "*/*",
            # A small compressed answer can be a huge one.
            "accept-encoding": "identity",
        },
    ) as client:
        answer = await _first_answer(client, url, addresses)
        try:
            yield answer
        except _FAILURES:
            raise CallFailed("broke off its answer") from None
        finally:
            with trio.move_on_after(CONNECT_S, shield=True):
                await answer.aclose()


async def _first_answer(
    client: httpx.AsyncClient, url: httpx.URL, addresses: Sequence[Address]
) -> httpx.Response:
    """Calls the addresses one after the other, until one takes the connection."""
    problem = "can't be connected to"
    for address in addresses:
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": url.netloc.decode("ascii")},
            # The certificate must be that of the name.
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if _distrusted(error):
                problem = "has a certificate that is not trusted"
        except _FAILURES:
            raise CallFailed("broke the connection off") from None
    raise CallFailed(problem)


def _distrusted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


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
    except _FAILURES:
        if whole:
            raise
    return bytes(body) if whole else None


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Shared: reading the certificates takes some 20 ms and 1 MB, each time.
    return trust.context()
