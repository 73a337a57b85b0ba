"""Readers of streams of events, many in one program."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

from kit.load import http
from kit.load.loops import Wrong

_BEGUN = b"\r\n: "
"""The comment that a stream begins with."""

_EVENT = b"\nevent: message.received\n"

OPENING_S = 30.0


class StreamWire(asyncio.Protocol):
    """One stream. Calls `on_event` with the time for each received message that it brings."""

    def __init__(self, request: bytes, on_event: Callable[[float], None]) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._request = request
        self._on_event = on_event
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            self._head += data
            if not self._head.startswith(b"HTTP/1.1 200 "[: len(self._head)]):
                self.open.set_exception(Wrong(f"a stream was refused: {self._head[:200]!r}"))
            elif _BEGUN in self._head:
                self.open.set_result(None)
                self._head = b""
            return
        now = time.perf_counter()
        for _ in range(data.count(_EVENT)):
            self._on_event(now)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.open.done():
            self.open.set_exception(exc or Wrong("a stream ended at once"))

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def follow(
    port: int, org: str, headers: dict[str, str], on_event: Callable[[float], None]
) -> StreamWire:
    """Opens a stream of all events of an org, from now on.

    Raises:
        Wrong: It was refused, or ended at once.
    """
    loop = asyncio.get_running_loop()
    asked = http.encode("GET", f"/events/{org}", headers=headers)
    request = asked.replace(b"Accept: */*", b"Accept: text/event-stream")
    _, wire = await loop.create_connection(lambda: StreamWire(request, on_event), http.HOST, port)
    async with asyncio.timeout(OPENING_S):
        await wire.open
    return wire
