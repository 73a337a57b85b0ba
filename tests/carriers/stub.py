"""A socket that answers as it is told to, byte for byte, and keeps what it was sent."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from phonegate.carriers.api_client import ApiClient

Act = Callable[[trio.SocketStream], Awaitable[None]]
"""What is done with a connection once a whole request came; the connection is closed after it."""


def answer(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Act:
    """Sends one answer; `length` is a Content-Length that may lie."""

    async def act(stream: trio.SocketStream) -> None:
        await stream.send_all(answer_bytes(status, body, *headers, length=length))

    return act


def answer_bytes(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Whatever",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def hang(_: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def close(_: trio.SocketStream) -> None:
    pass


def end_time(api: ApiClient) -> None:
    """Ends the time of the requests that are under way."""
    for asking in api._asking:
        asking.deadline = trio.current_time()


class Stub:
    """Meets each request with the next act, and with the last one for ever."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        task_status.started()
        await trio.serve_listeners(self._connection, [listener])

    async def _connection(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        async with stream:
            while (request := await read_request(stream)) is not None:
                self.requests.append(request)
                act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                try:
                    await act(stream)
                except trio.BrokenResourceError:
                    return
                if b"connection: close" in request.lower() or act in {hang, close}:
                    return


async def read_request(stream: trio.SocketStream) -> bytes | None:
    """The next request, head and body; None when the client has gone."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
            if len(body) >= (int(length[1]) if length else 0):
                return data
        try:
            part = await stream.receive_some(65_536)
        except trio.BrokenResourceError:
            return None
        if not part:
            return None
        data += part


@asynccontextmanager
async def stub(*acts: Act) -> AsyncIterator[Stub]:
    """A stub while the block runs; an error of the block comes out as it is, in no group."""
    served = Stub(*acts)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(served.serve)
        try:
            yield served
        except Exception as error:  # noqa: BLE001 (raised again below)
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def nowhere() -> str:
    """The URL of a port on which nobody listens."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    return f"http://127.0.0.1:{port}"
