"""The console as programs use it: signed in over HTTP, with its live stream."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

import attrs
import httpx

from kit.load import http
from kit.load.loops import Wrong

OPENING_S = 30.0

_FORM = re.compile(rb'name="csrf" value="([^"]+)"')
_CSRF = re.compile(rb'data-csrf="([^"]+)"')
_EVENT = re.compile(rb"(?:^|\n)(?:id: (\d+)\n)?data: (\{.*)\n")

OnEvent = Callable[[int | None, Mapping[str, Any], float], None]
"""Takes an event's id, which a read mark has none of, what it says, and when it came."""


@attrs.frozen
class Session:
    """A person who is signed in."""

    cookie: str = attrs.field(repr=False)
    csrf: str = attrs.field(repr=False)

    def get(self, path: str) -> bytes:
        """Returns the request for a page below the console."""
        return http.encode("GET", f"/console{path}", headers={"Cookie": self.cookie})

    def post(self, path: str, form: Mapping[str, object]) -> bytes:
        """Returns the request of a script that sends a form."""
        headers = {"Cookie": self.cookie, "X-CSRF": self.csrf, "X-Console": "script"}
        request = http.encode("POST", f"/console{path}", urlencode(form).encode(), headers=headers)
        return request.replace(b"application/json", b"application/x-www-form-urlencoded", 1)


async def sign_in(url: str, org: str, secret: str) -> Session:
    """Signs in to an org.

    Raises:
        Wrong: It was refused.
    """
    async with httpx.AsyncClient(base_url=url, timeout=OPENING_S) as client:
        page = await client.get("/console/sign-in")
        form = {"org": org, "secret": secret, "csrf": _found(_FORM, page)}
        answer = await client.post("/console/sign-in", data=form, headers={"Origin": url})
        if answer.status_code != 303:
            raise Wrong(f"/console/sign-in: {answer.status_code} {answer.text[:300]!r}")
        page = await client.get("/console/sessions")
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return Session(cookie, _found(_CSRF, page))


def _found(pattern: re.Pattern[bytes], page: httpx.Response) -> str:
    found = pattern.search(page.content)
    if found is None:
        raise Wrong(f"{page.url.path}: {page.status_code}, without a form")
    return found[1].decode()


class LiveWire(asyncio.Protocol):
    """The live stream of one console that is open. Calls `on_event` with all that it brings."""

    def __init__(self, request: bytes, on_event: OnEvent) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self._request = request
        self._on_event = on_event
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._buffer += data
        if not self.open.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200 "):
                self.open.set_exception(Wrong(f"a stream was refused: {head[:200]!r}"))
                return
            self.open.set_result(None)
            self._buffer = rest
        # Pieces may be framed as chunks, whose lines are none of an event's.
        whole, end, self._buffer = self._buffer.rpartition(b"\n\n")
        for id_, content in _EVENT.findall(whole + end):
            self._on_event(int(id_) if id_ else None, json.loads(content), now)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.open.done():
            self.open.set_exception(exc or Wrong("a stream ended at once"))

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def follow(
    port: int, session: Session, on_event: OnEvent, *, after: int | None = None
) -> LiveWire:
    """Opens the live stream of a console, from now on or after an event.

    Raises:
        Wrong: It was refused, or ended at once.
        OSError: Nothing listens there.
    """
    request = session.get("/live").replace(b"Accept: */*", b"Accept: text/event-stream")
    if after is not None:
        request = request.replace(b"\r\n", b"\r\nLast-Event-ID: %d\r\n" % after, 1)
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: LiveWire(request, on_event), http.HOST, port)
    async with asyncio.timeout(OPENING_S):
        await wire.open
    return wire
