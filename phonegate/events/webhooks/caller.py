"""Calls receivers, each at an address that the guard has looked at, and reads what they answer.

No redirect is followed, no proxy used and no cookie kept. Whatever a receiver does, a call ends by
its deadline, and no more of an answer is read than is needed.
"""

import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
import trio

from phonegate.events.webhooks.call import (
    CALL_TIMINGS,
    Call,
    CallTimings,
    Result,
)
from phonegate.http.guarded_connections import CONNECT_S, GuardedTransport
from phonegate.http.outgoing_address import CallFailed, CallRefused, Guard
from phonegate.http.outgoing_call import FAILURES, HEADERS, problem_of, trust_of
from phonegate.http.retry_after import retry_after_s
from phonegate.model.times import now_ms

IDLE_S: Final = 30.0
"""Seconds that an unused connection is kept: shorter than web servers keep theirs, so that a call
seldom meets a connection that is just being closed."""

CLOSE_S: Final = 1.0
"""Seconds that closing a connection may take."""

_OWN: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)
"""Headers that the connection itself needs, and an owner of a webhook can't set."""


class Caller:
    """Keeps the connections to receivers.

    Args:
        guard: Says which addresses may be called.
        connections: How many may be open at once: as many as there are calls, or more.
        timings: How long a call may take.
    """

    def __init__(
        self, guard: Guard, *, connections: int, timings: CallTimings = CALL_TIMINGS
    ) -> None:
        self._guard = guard
        self._connections = connections
        self._timings = timings
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._transports: list[GuardedTransport] = []

    async def aclose(self) -> None:
        """Closes all connections. Calls under way fail."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def sweep(self) -> None:
        """Closes connections that have not been used for a while."""
        for transport in self._transports:
            await transport.sweep()

    async def call(self, call: Call) -> Result:
        """Makes a call. It never fails: what went wrong is in the result."""
        attempt = _Attempt()
        with trio.move_on_after(self._timings.whole_s):
            await self._try(call, attempt)
            if attempt.is_stale:
                # The connection had been closed while it was idle. The call may have been
                # received all the same, and bears the same id.
                begun = attempt.begun, attempt.at
                attempt = _Attempt()
                attempt.begun, attempt.at = begun
                await self._try(call, attempt)
        if attempt.status is None and attempt.problem is None:
            attempt.problem = f"gave no answer within {self._timings.whole_s:g} seconds"
        return attempt.result(call.expected)

    async def _try(self, call: Call, attempt: "_Attempt") -> None:
        try:
            client = self._client(httpx.URL(call.url))
            async with client.stream(
                call.method,
                call.url,
                headers=[
                    (name.encode("ascii"), value.encode())
                    for name, value in call.headers
                    if name.lower() not in _OWN
                ],
                content=None if call.method == "GET" else call.body,
                extensions={"trace": attempt.watch},
            ) as answer:
                attempt.note(answer.status_code, answer.headers)
                patience_s = self._timings.whole_s if call.patient else self._timings.body_s
                with trio.move_on_after(patience_s):
                    await attempt.read(answer, call.read_bytes)
                # The rest is never read, so the connection is of no more use.
                with trio.move_on_after(CLOSE_S, shield=True):
                    await answer.aclose()
        except (CallRefused, CallFailed) as error:
            attempt.problem = error.reason
        except FAILURES as error:
            attempt.problem = problem_of(error)
        except (httpx.InvalidURL, ValueError):
            attempt.problem = "has an address or headers that can't be sent"

    def _client(self, url: httpx.URL) -> httpx.AsyncClient:
        # One a scheme: reading whom TLS trusts takes 20 ms, and many gateways call none by TLS.
        found = self._clients.get(url.scheme)
        if found is None:
            transport = GuardedTransport(
                self._guard,
                trust_of(url),
                connections=self._connections,
                idle_s=IDLE_S,
                most_open=2 * self._connections,
            )
            self._transports.append(transport)
            found = self._clients[url.scheme] = httpx.AsyncClient(
                transport=transport,
                trust_env=False,
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                timeout=httpx.Timeout(None, connect=CONNECT_S),
                headers={**HEADERS, "accept": "*/*"},
            )
        return found


class _Attempt:
    """What is known so far of one request."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self.begun = time.perf_counter()
        self.at = clock()
        self.status: int | None = None
        self.problem: str | None = None
        self._retry_after_s: float | None = None
        self._location = False
        self._body = bytearray()
        self._whole = False
        self._fresh = False

    async def watch(self, event: str, _: Mapping[str, Any]) -> None:
        """Takes note of what httpcore does."""
        self._fresh = self._fresh or event.startswith("connection.connect_tcp")

    @property
    def is_stale(self) -> bool:
        """Tells whether a connection that had been kept open broke before there was an answer."""
        return self.status is None and not self._fresh and self.problem == _BROKE_OFF

    def note(self, status: int, headers: httpx.Headers) -> None:
        """Notes the head of the answer."""
        self.status = status
        self._retry_after_s = retry_after_s(headers.get("retry-after"), self.at)

    async def read(self, answer: httpx.Response, most: int) -> None:
        """Reads the body, up to so many bytes."""
        try:
            async for piece in answer.aiter_raw():
                self._body += piece[: most - len(self._body)]
                if len(self._body) >= most:
                    # Reading on from a closed response ends its nested generators in order.
                    await answer.aclose()
            self._whole = len(self._body) < most
        except FAILURES:
            self._whole = False

    def result(self, expected: bytes) -> Result:
        """Returns what came of it: a success, if its answer begins with what is expected."""
        problem = self.problem if self.status is None else _refusal(self.status)
        if problem is None and not self._body.lstrip().startswith(expected):
            problem = f"did not acknowledge it: its answer does not begin {expected.decode()}"
        return Result(
            at=self.at,
            ms=round((time.perf_counter() - self.begun) * 1000),
            status=self.status,
            error=None if problem is None else f"The receiver {problem}.",
            answer=bytes(self._body),
            whole=self._whole,
            retry_after_s=self._retry_after_s,
        )


_BROKE_OFF: Final = "broke the connection off"


def _refusal(status: int) -> str | None:
    """Says why a status is no success."""
    if 200 <= status < 300:  # noqa: PLR2004 (RFC 9110 section 15.3)
        return None
    if 300 <= status < 400:  # noqa: PLR2004
        return f"answered HTTP {status}, a redirect, and none is followed: set the address it names"
    return f"answered HTTP {status}"
