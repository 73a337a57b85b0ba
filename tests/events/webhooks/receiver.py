"""A receiver on loopback that does what a test says, also what no web server would do."""

import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from tests.patience import PATIENCE_S

Answer = bytes | Callable[[trio.abc.Stream], Awaitable[None]]
"""What is sent to a caller, or what does the sending. After the latter the connection is closed."""


def http(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """An answer of a well-behaved server."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@attrs.frozen
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    method: str = "POST"

    @property
    def event(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@attrs.define
class Receiver:
    """Serves on a free port until cancelled."""

    act: Callable[[Received], Answer] = lambda _: http()
    port: int = 0
    calls: list[Received] = attrs.field(factory=list)
    connections: int = 0
    open_now: int = 0
    tls: ssl.SSLContext | None = None
    _came: trio.Condition = attrs.field(factory=trio.Condition)

    def url(self, path: str = "/hook") -> str:
        """Returns its address."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def count(self, number: int) -> list[Received]:
        """Waits until so many requests have come."""
        with trio.fail_after(PATIENCE_S):
            async with self._came:
                while len(self.calls) < number:
                    await self._came.wait()
        return self.calls

    async def left(self) -> None:
        """Waits until no connection is open."""
        with trio.fail_after(PATIENCE_S):
            async with self._came:
                while self.open_now:
                    await self._came.wait()

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Serves."""
        (listener,) = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._handle, [listener], task_status=task_status)

    async def _handle(self, plain: trio.SocketStream) -> None:
        stream: trio.abc.Stream = plain
        if self.tls is not None:
            stream = trio.SSLStream(plain, self.tls, server_side=True, https_compatible=True)
        self.connections += 1
        self.open_now += 1
        number = self.connections
        try:
            while await self._serve(stream, number):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                async with self._came:
                    self.open_now -= 1
                    self._came.notify_all()
                await trio.aclose_forcefully(stream)

    async def _serve(self, stream: trio.abc.Stream, number: int) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = await stream.receive_some(65_536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        while len(body) < int(headers.get("content-length", "0")):
            body += await stream.receive_some(65_536)
        method, path, _ = first.split(" ")
        call = Received(path, headers, body, number, method)
        self.calls.append(call)
        async with self._came:
            self._came.notify_all()
        answer = self.act(call)
        if isinstance(answer, bytes):
            await stream.send_all(answer)
            return True
        await answer(stream)
        return False


async def hang(_: trio.abc.Stream) -> None:
    """Never answers."""
    await trio.sleep_forever()


async def close(_: trio.abc.Stream) -> None:
    """Closes the connection without an answer."""


async def garbage(stream: trio.abc.Stream) -> None:
    """Answers something that is no HTTP."""
    await stream.send_all(b"\x00\xff hello\r\n\r\n")


async def endless(stream: trio.abc.Stream) -> None:
    """Answers for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 65_536)


async def huge(stream: trio.abc.Stream) -> None:
    """Answers with ten megabytes."""
    size = 10_000_000
    await stream.send_all(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 100_000):
        await stream.send_all(b"x" * 100_000)


async def drip(stream: trio.abc.Stream) -> None:
    """Answers one byte after the other, for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.02)


async def late(stream: trio.abc.Stream) -> None:
    """Answers with a body half of which comes after most callers have stopped reading."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx")
    await trio.sleep(0.5)
    await stream.send_all(b"x")


async def endless_head(stream: trio.abc.Stream) -> None:
    """Answers with headers for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-A: " + b"a" * 10_000 + b"\r\n")


async def provisional(stream: trio.abc.Stream) -> None:
    """Answers for ever that the answer is still to come."""
    while True:
        await stream.send_all(b"HTTP/1.1 100 \r\n\r\n" * 1000)


async def crumbs(stream: trio.abc.Stream) -> None:
    """Answers for ever, in chunks of one byte."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"1\r\nx\r\n" * 1000)
