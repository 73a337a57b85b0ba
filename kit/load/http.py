"""HTTP/1.1 clients that keep their connection, and make another when the server ends it."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from typing import cast

HOST = "127.0.0.1"
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"

OnAnswer = Callable[["Client", int, bytes], None]


class AnswerLost(Exception):
    """The server hung up in the midst of an answer, or before it."""


def encode(
    method: str, target: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None
) -> bytes:
    """Returns a whole request, as every HTTP client writes it."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + (body or b"")


class Client:
    """One client: a request at a time, `on_answer` for each answer.

    Where the server closes the connection after an answer, the next request waits for a new
    one, as with every client that keeps connections. A request that the server dropped is never
    repeated; it is an answer of status 0.
    """

    def __init__(
        self, port: int, on_answer: OnAnswer, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self._context = context
        self.on_answer = on_answer
        self.connections = 0
        """How many it had to make."""
        self.begun = 0.0
        """When the request that is under way was asked for."""
        self._wire: _Wire | None = None
        self._making: asyncio.Task[None] | None = None

    def ask(self, request: bytes) -> None:
        """Sends a request, which must be answered before the next."""
        loop = asyncio.get_running_loop()
        self.begun = time.perf_counter()
        if self._wire is None:
            self._making = loop.create_task(self._connect(request))
        else:
            self._wire.send(request)

    def close(self) -> None:
        if self._making is not None:
            self._making.cancel()
        if self._wire is not None:
            self._wire.drop()
            self._wire = None

    async def _connect(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.connections += 1
        try:
            _, self._wire = await loop.create_connection(
                lambda: _Wire(self), HOST, self.port, ssl=self._context
            )
        except OSError:
            self.on_answer(self, 0, b"")
            return
        self._wire.send(request)

    def answered(self, status: int, body: bytes, *, last: bool) -> None:
        if last and self._wire is not None:
            self._wire.drop()
            self._wire = None
        self.on_answer(self, status, body)

    def lost(self, wire: "_Wire", *, waiting: bool) -> None:
        if wire is self._wire:
            self._wire = None
            if waiting:
                self.on_answer(self, 0, b"")


class _Wire(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._buffer = b""
        self._waiting = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._waiting = True
        self._transport.write(request)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_END)
        if end < 0:
            self._buffer = buffer
            return
        head = buffer[:end].lower()
        at = head.find(_LENGTH)
        length = 0
        if at >= 0:
            stop = head.find(b"\r", at)
            length = int(head[at + len(_LENGTH) : stop if stop >= 0 else end])
        start = end + len(_END)
        if len(buffer) < start + length:
            self._buffer = buffer
            return
        self._buffer = b""
        self._waiting = False
        self._client.answered(
            int(head[9:12]), buffer[start : start + length], last=b"connection: close" in head
        )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._client.lost(self, waiting=self._waiting)


class Caller:
    """A client whose answers are awaited, one request at a time.

    Args:
        port: The server's port, asked for at each new connection.
        timeout_s: For an answer.
        context: For TLS.
    """

    def __init__(
        self,
        port: Callable[[], int],
        *,
        timeout_s: float = 60,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._port = port
        self._client = Client(0, self._answered, context=context)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Returns the status and the body of the answer. The status is 0 if none came in time."""
        self._answer = asyncio.get_running_loop().create_future()
        self._client.port = self._port()
        self._client.ask(request)
        try:
            return await asyncio.wait_for(self._answer, self._timeout_s)
        except TimeoutError:
            return 0, b""
        finally:
            if not self._answer.done() or self._answer.cancelled():
                self.close()
            self._answer = None

    def close(self) -> None:
        self._client.close()

    def _answered(self, _: Client, status: int, body: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))


async def ask(port: int, request: bytes, *, timeout_s: float = 60) -> tuple[int, bytes]:
    """Makes one request on a connection of its own.

    Raises:
        AnswerLost: The server hung up without an answer, or none came in time.
    """
    client = Caller(lambda: port, timeout_s=timeout_s)
    try:
        status, body = await client.ask(request)
    finally:
        client.close()
    if not status:
        raise AnswerLost(request[:60])
    return status, body
