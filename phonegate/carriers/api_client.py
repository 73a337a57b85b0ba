"""The connections of one account to its carrier's API, and what is certain when they fail.

A request that failed may be repeated only if nothing of it had left. httpcore reports that through
its `trace` extension, so it need not be guessed from the kind of failure.
"""

import functools
import ssl
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import attrs
import httpx
import trio

import phonegate
from phonegate.domain.carrier import NotTaken, OutcomeUnknown
from phonegate.http.retry_after import retry_after_s
from phonegate.model.times import now_ms

CONNECT_S = 10.0
"""Seconds to connect. An address of the carrier that does not answer must not use up the deadline
of a message that another of its addresses could take."""
IDLE_S = 30.0
"""Seconds to keep an unused connection: shorter than load balancers keep theirs (60 s and more), so
that a request seldom meets a connection that is just being closed."""
MAX_CONNECTIONS = 8
"""For each account: carriers take 1 to 100 messages a second for one account and answer in about
a tenth of a second."""

_MOVED = frozenset({301, 302, 307, 308})
_BUSY = frozenset({429, 503})
_REQUEST_TIMEOUT = 408

# httpx's own, and what the layers below it let through when their connection is closed.
_FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Shared: reading the certificates takes some 20 ms and 1 MB, each time.
    return httpx.create_ssl_context()


def open_client() -> httpx.AsyncClient:
    """Makes the HTTP client of one account. It follows no redirect and keeps no cookie."""
    return httpx.AsyncClient(
        verify=_trust(),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS,
            keepalive_expiry=IDLE_S,
        ),
        headers={
            "user-agent": f"phonegate/{phonegate.__version__}",
            "accept": "application/json",
            # A small compressed answer can be a huge one; these are a few kilobytes anyway.
            "accept-encoding": "identity",
        },
    )


@attrs.frozen(kw_only=True)
class Response:
    """What the carrier answered."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    """None where it broke off, took too long, was too large, or in an encoding not asked for."""

    @property
    def ok(self) -> bool:
        """Tells whether the carrier did what it was asked to."""
        return 200 <= self.status < 300  # noqa: PLR2004 (RFC 9110 section 15.3)

    @property
    def refused(self) -> bool:
        """Tells whether the carrier says that the request is wrong."""
        return 400 <= self.status < 500  # noqa: PLR2004 (RFC 9110 section 15.5)


class ApiClient:
    """A client of one carrier's API, over connections that are kept open.

    Args:
        base_url: Where the API's paths begin, such as `https://api.twilio.com`.
        client: Makes the HTTP client, which `aclose` closes.
        now_ms: The clock that dates in answers are compared with.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client: Callable[[], httpx.AsyncClient] = open_client,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._host = httpx.URL(self._base_url).host
        self._client = client()
        self._now_ms = now_ms
        self._closed = False
        self._asking: set[trio.CancelScope] = set()

    async def aclose(self) -> None:
        """Closes all connections. Requests under way fail."""
        self._closed = True
        # Requests that wait for a connection would open new ones.
        for scope in self._asking:
            scope.cancel()
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        until: float,
        most_bytes: int,
    ) -> Response:
        """Sends one request and reads its answer, up to `most_bytes` of body.

        Args:
            method: The HTTP method.
            path: Encoded, with the query.
            headers: Added to the client's own.
            content: The request's body.
            until: The deadline, in trio's time.
            most_bytes: An answer with a larger body has a `body` of None.

        Raises:
            NotTaken: Nothing of the request left this machine.
            OutcomeUnknown: Some of the request left, and no status came back.
        """
        if self._closed:
            raise NotTaken(f"the connections to {self._host} are closed")
        left = False

        async def watch(event: str, _: Mapping[str, Any]) -> None:
            nonlocal left
            left = left or not event.startswith("connection.")

        patience_s = max(0.0, until - trio.current_time())
        problem = "no answer in time"
        response: httpx.Response | None = None
        body: bytes | None = None
        with trio.CancelScope(deadline=until) as scope:
            self._asking.add(scope)
            try:
                request = self._client.build_request(
                    method,
                    self._base_url + path,
                    headers=dict(headers),
                    content=content,
                    # Reading, writing and waiting for a free connection end with the scope. TCP
                    # and TLS get a half each: httpcore forgets a socket whose handshake was
                    # cancelled, and closes one whose handshake was too slow.
                    timeout=httpx.Timeout(None, connect=min(CONNECT_S, patience_s / 2)),
                    extensions={"trace": watch},
                )
                response = await self._client.send(request, stream=True)
                body = await _read(response, most_bytes)
            except _FAILURES as error:
                # Not the error's text, which may quote the headers of a request that was formed.
                problem = type(error).__name__
                if not left and isinstance(error, httpx.ConnectError) and str(error):
                    problem = f"{problem}, {error}"
            finally:
                self._asking.discard(scope)
        if self._closed and scope.cancelled_caught:
            problem = "the connections were closed"
        if response is not None:
            # With the status known, whatever broke afterwards costs only the body.
            return Response(status=response.status_code, headers=response.headers, body=body)
        if left:
            raise OutcomeUnknown(f"the request to {self._host} left, then: {problem}")
        raise NotTaken(f"no connection to {self._host}: {problem}")

    def demand_verdict(self, answer: Response, *, pause_header: str = "retry-after") -> None:
        """Makes sure that an answer says yes or no for good.

        Args:
            answer: What `ask` gave.
            pause_header: A header with the seconds to wait, used where Retry-After is missing.

        Raises:
            NotTaken: The carrier asks to come again later, or redirects to another address.
            OutcomeUnknown: The carrier failed, or its answer has no meaning here.
        """
        said = f"{self._host} answered HTTP {answer.status}"
        if answer.status in _BUSY:
            pause = retry_after_s(answer.headers.get("retry-after"), self._now_ms())
            if pause is None:
                pause = retry_after_s(answer.headers.get(pause_header), self._now_ms())
            raise NotTaken(f"{said}: too much at once, or closed for now", pause)
        if answer.status in _MOVED:
            raise NotTaken(f"{said}, a redirect: check the carrier's address in the configuration")
        if answer.status == _REQUEST_TIMEOUT or not (answer.ok or answer.refused):
            raise OutcomeUnknown(said)


async def _read(response: httpx.Response, most_bytes: int) -> bytes | None:
    try:
        if response.headers.get("content-encoding", "identity") != "identity":
            return None
        body = bytearray()
        whole = True
        async for part in response.aiter_raw():
            body += part
            if len(body) > most_bytes:
                whole = False
                # Reading on from a closed response ends its nested generators in order. Leaving
                # the loop would leave them to the garbage collector.
                await response.aclose()
                body.clear()
        return bytes(body) if whole else None
    finally:
        await response.aclose()
