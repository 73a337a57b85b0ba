"""The gateway as the app sees it: its mobile API over HTTP, and the webhooks that it names."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self
from urllib.parse import urlsplit

import attrs
import httpx
import trio

from phonegate import trust
from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.answers import detail_of
from phonegate.phone.smsgate.app_errors import Refused, Unreachable, UnreadableAnswer
from phonegate.phone.smsgate.app_timings import AppTimings

API_PATH: Final = "/api/mobile/v1"
"""Added to an address that does not end with a mobile API's path already."""
_API_END: Final = "/mobile/v1"

MAX_ANSWER_BYTES: Final = 16 << 20
"""A list of a hundred MMS is smaller."""

_SUCCESS: Final = range(200, 300)

_IDLE_CONNECTIONS: Final = 64
"""That requests of all phones in a program share."""


def api_address(url: str) -> str:
    """Returns the address of the mobile API at a gateway, as its owner types it into the app.

    Raises:
        ValueError: The URL is malformed. The text is for a person.
    """
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is not a http:// or https:// URL")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("the URL is scheme, host, port and path alone")
    path = parts.path.rstrip("/")
    path = path if path.endswith(_API_END) else path + API_PATH
    return f"{scheme}://{parts.netloc}{path}"


def cleartext_refusal(url: str) -> str | None:
    """Returns why the app from the release page would refuse an address, or None if it would not.

    The double uses the address nevertheless.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname == "127.0.0.1":
        return None
    return (
        f"{parts.scheme}://{parts.netloc} is not encrypted. The published app would refuse that "
        "address: it takes https://, or http:// to 127.0.0.1 alone."
    )


@attrs.frozen
class Clients:
    """The HTTP clients of all phones in a program: one for requests, one for streams.

    Streams stay open, and each request would have to look past them for a free connection.
    """

    requests: httpx.AsyncClient
    streams: httpx.AsyncClient

    @classmethod
    def make(cls, context: ssl.SSLContext | None = None) -> Self:
        """Makes both. `context` checks certificates. Without it none is trusted."""
        checked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if context is None else context

        def client(idle: int) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                verify=checked,
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=idle),
            )

        return cls(client(_IDLE_CONNECTIONS), client(0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.move_on_after(1, shield=True):
            await self.requests.aclose()
            await self.streams.aclose()


class MobileApi:
    """The gateway, for one phone.

    Args:
        base: The address of its mobile API.
        user_agent: What the app calls itself.
        clients: Make the requests.
        timings: The deadlines.
        drop: Decides for each answer whether it gets lost on its way.
    """

    def __init__(
        self,
        base: str,
        *,
        user_agent: str,
        clients: Clients,
        timings: AppTimings,
        drop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.base = base
        self._agent = user_agent
        self._clients = clients
        self._timings = timings
        self._drop = drop

    async def ask(
        self,
        method: str,
        path: str,
        token: str,
        *,
        content: Mapping[str, Any] | Sequence[Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """Makes one request of the mobile API and returns the body of the answer.

        Raises:
            Refused: The status is not 2xx.
            Unreachable: There was no answer.
            UnreadableAnswer: The answer to a GET or POST is not declared as JSON.
        """
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        body = None if content is None else request_bodies.write(content)
        answer, answered = await self._request(method, self.base + path, body, headers, query=query)
        if answer.status_code not in _SUCCESS:
            raise Refused(answer.status_code, detail_of(answered))
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if method != "PATCH" and kind != "application/json":
            raise UnreadableAnswer(f"its type is {kind or 'not said'}, not application/json")
        return answered

    async def post_event(self, url: str, body: bytes, *, key: str, now_ms: int) -> None:
        """Posts a webhook event, signed.

        Raises:
            Refused: The status is not 2xx.
            Unreachable: There was no answer.
        """
        timestamp = str(now_ms // 1000)
        headers = {
            "X-Timestamp": timestamp,
            "X-Signature": request_bodies.signature(key, body, timestamp),
        }
        answer, answered = await self._request("POST", url, body, headers)
        if answer.status_code not in _SUCCESS:
            raise Refused(answer.status_code, detail_of(answered))

    async def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
    ) -> tuple[httpx.Response, bytes]:
        timings = self._timings
        typed = {} if body is None else {"Content-Type": "application/json"}
        try:
            with trio.fail_after(timings.request_s):
                async with self._clients.requests.stream(
                    method,
                    url,
                    content=body,
                    params=query,
                    headers={"User-Agent": self._agent, **headers, **typed},
                    timeout=httpx.Timeout(timings.socket_s, connect=timings.connect_s),
                ) as answer:
                    read = b""
                    async for chunk in answer.aiter_bytes():
                        read += chunk
                        if len(read) > MAX_ANSWER_BYTES:
                            raise Unreachable("its answer does not end")
        except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError, ssl.SSLError) as error:
            raise Unreachable(self._why(error)) from error
        if self._drop():
            raise Unreachable("the answer was lost")
        return answer, read

    @asynccontextmanager
    async def stream(self, token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Opens the stream of events. Inside, chunks of it come until it ends or breaks.

        Raises:
            Refused: The status is not 200.
            Unreachable: It can't be opened, or broke.
        """
        timings = self._timings
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "text/event-stream",
            "User-Agent": self._agent,
        }
        timeout = httpx.Timeout(timings.stream_silence_s, connect=timings.connect_s)
        try:
            async with self._clients.streams.stream(
                "GET", f"{self.base}/events", headers=headers, timeout=timeout
            ) as answer:
                kind = answer.headers.get("content-type", "").partition(";")[0].strip()
                if answer.status_code != 200:  # noqa: PLR2004 - the one status of a stream
                    raise Refused(answer.status_code)
                if kind != "text/event-stream":
                    raise Unreachable(f"the stream's type is {kind or 'not said'}")
                yield answer.aiter_raw()
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise Unreachable(self._why(error)) from error

    def _why(self, error: BaseException) -> str:
        distrusted = trust.distrust(error, self.base)
        if distrusted is not None:
            return distrusted.rstrip(".")
        if isinstance(error, httpx.TimeoutException | trio.TooSlowError):
            return "it took too long"
        return "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"
