"""A server on the loopback before a small application and an echoing phone link."""

import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import attrs
import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import RemoteProtocolError

from phonegate.server import Peer, RequestHead, Server
from tests.patience import PATIENCE_S

PIECES = 200
"""More of 64 KiB than the kernel's buffers hold."""

HANDSHAKE = (
    b"GET /websocket?org_id=o&secret_key=s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


class App:
    """A plain ASGI application; what it does is in the path."""

    def __init__(self) -> None:
        self.started = 0
        self.stopped = 0
        self.pieces = 0
        self.calls: list[dict[str, Any]] = []
        self.held = trio.Event()
        self.release = trio.Event()
        self.disconnected = trio.Event()
        self.cancelled = trio.Event()

    @property
    def paths(self) -> list[str]:
        return [call["path"] for call in self.calls]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert scope["type"] == "http"
        self.calls.append(scope)
        handler = getattr(self, "_" + scope["path"].strip("/*"), self._missing)
        await handler(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.started += 1
                await send({"type": "lifespan.startup.complete"})
            else:
                self.stopped += 1
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _missing(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 404, b'{"ok": false}')

    async def _who(self, scope: Any, receive: Any, send: Any) -> None:
        facts = {"client": scope["client"], "scheme": scope["scheme"], "path": scope["path"]}
        await answer(send, 200, json.dumps(facts).encode())

    async def _echo(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                return
            body += message["body"]
            if not message["more_body"]:
                break
        await answer(send, 200, bytes(body))

    async def _big(self, scope: Any, receive: Any, send: Any) -> None:
        size = int(parse_qs(scope["query_string"].decode())["n"][0])
        await answer(send, 200, b"x" * size)

    async def _pieces(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends pieces of 64 KiB, and counts those that were taken from it."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1, PIECES + 1):
            body = b"x" * 65_536
            await send({"type": "http.response.body", "body": body, "more_body": number < PIECES})
            self.pieces += 1

    async def _hold(self, scope: Any, receive: Any, send: Any) -> None:
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.disconnected.set()
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            self.held.set()
            await self.release.wait()
            await answer(send, 200, b"done")
            nursery.cancel_scope.cancel()

    async def _flood(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends without end; like Quart, it is cancelled when the client goes."""
        async with trio.open_nursery() as nursery:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.disconnected.set()
                nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            self.held.set()
            while True:
                body = b"x" * 100_000
                await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _deaf(self, scope: Any, receive: Any, send: Any) -> None:
        self.held.set()
        await self.release.wait()
        await answer(send, 200, b"done")

    async def _stuck(self, scope: Any, receive: Any, send: Any) -> None:
        self.held.set()
        try:
            await trio.sleep_forever()
        finally:
            self.cancelled.set()

    async def _early(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 413, b'{"ok": false, "code": "too_large"}')

    async def _boom(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a-secret-in-an-error")

    async def _halfway(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("a-secret-in-an-error")


LARGE = 100_000
"""What an answer has that is counted while it leaves."""


@attrs.frozen
class HotReply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    owner: str = "somebody"
    stream: None = None

    @classmethod
    def of(cls, body: bytes) -> "HotReply":
        fields = (("X-Served-By", "fast path"), ("Content-Length", str(len(body))))
        return cls(200, fields, body)


class FastSite:
    """A pipeline of busy endpoints, all under /fast/; what it does is in the path."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.held = trio.Event()
        self.release = trio.Event()
        self.finished = 0
        self.left = 0
        self.leaving_now: list[tuple[int | str, int]] = []
        self.give_up = trio.CancelScope()
        self.pieces = 0
        self.begun: list[tuple[str, bytes, Callable[[HotReply], None]]] = []
        """The path, the body and the way back of each request that was begun."""
        self.expired = 0
        self.looked_at = 0
        """Heads."""
        self.running: dict[trio.CancelScope, bool] = {}
        """The scopes of requests without end, and whether each was ended."""

    def moved(self) -> None:
        self.pieces += 1

    def hold(self, owner: int | str, size: int) -> "AbstractContextManager[FastSite] | None":
        return None if size < LARGE else self._leaving(owner, size)

    @contextmanager
    def _leaving(self, owner: int | str, size: int) -> "Iterator[FastSite]":
        self.leaving_now.append((owner, size))
        with trio.CancelScope() as self.give_up:
            yield self
        self.leaving_now.remove((owner, size))

    def find(self, *, path: str, **asked: Any) -> dict[str, Any] | None:
        self.looked_at += 1
        return {"path": path, **asked} if path.startswith("/fast/") else None

    def begin(self, head: dict[str, Any], body: bytes, reply: Callable[[HotReply], None]) -> bool:
        if not head["path"].startswith("/fast/later"):
            return False
        self.begun.append((head["path"], body, reply))
        return True

    def expire(self) -> None:
        self.expired += 1
        for scope in self.running:
            self.running[scope] = True
            scope.cancel()

    def reply(self, body: bytes | None = None) -> None:
        """Answers the oldest request that was begun, by its own body if by no other."""
        _, sent, reply = self.begun.pop(0)
        reply(HotReply.of(sent if body is None else body))

    def late(self, scope: trio.CancelScope) -> HotReply | None:
        return HotReply.of(b"too slow") if self.running.pop(scope, False) else None

    async def answer(self, head: dict[str, Any], body: Any, scope: trio.CancelScope) -> HotReply:
        try:
            if head["path"] == "/fast/slow":
                self.running[scope] = False
                await trio.sleep_forever()
            return await self._answer(body, **head)
        except trio.Cancelled:
            self.left += 1
            raise

    async def _answer(self, body: Any, *, path: str, **asked: Any) -> HotReply:
        self.calls.append({"path": path, **asked})
        does = path.removeprefix("/fast/")
        if does == "hold":
            self.held.set()
            await self.release.wait()
        if does == "who":
            body = asked["client"].encode()
        elif does.isdigit():
            body = b"x" * int(does)
        elif does == "impatient":
            with trio.move_on_after(0.05):
                await body(lambda _: None)
            body = b"late"
        elif does == "early":
            body = b"early"
        elif not isinstance(body, bytes):
            body = await body(lambda _: None)
        self.finished += 1
        return HotReply.of(body)


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo_phone(stream: trio.abc.Stream, head: RequestHead, peer: Peer) -> None:
    """A phone link that tells who the client is, then says again what it hears."""
    socket = WSConnection(ConnectionType.SERVER)
    socket.initiate_upgrade_connection(
        [(name.encode(), value.encode("latin-1")) for name, value in head.headers], head.target
    )
    for _ in socket.events():
        await stream.send_all(socket.send(AcceptConnection()))
    facts = json.dumps([peer.address, peer.scheme, head.query])
    await stream.send_all(socket.send(TextMessage(data=facts)))
    while data := await stream.receive_some():
        try:
            socket.receive_data(bytes(data))
        except RemoteProtocolError:
            break
        for event in socket.events():
            match event:
                case TextMessage() | BytesMessage():
                    await stream.send_all(socket.send(event))
                case CloseConnection() | Ping():
                    await stream.send_all(socket.send(event.response()))
        if socket.state is ConnectionState.CLOSED:
            break
    await stream.aclose()


@attrs.define
class Site:
    """A server and ways to call it."""

    server: Server
    app: App
    bound: list[tuple[str, int]]
    trust: ssl.SSLContext | None = None
    done: trio.Event = attrs.field(factory=trio.Event)

    @property
    def port(self) -> int:
        return self.bound[0][1]

    @property
    def scheme(self) -> str:
        return "http" if self.trust is None else "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def level(self) -> "Level":
        """What the process holds once every earlier connection has ended."""
        await until(lambda: self.server.connections == 0)
        await trio.testing.wait_all_tasks_blocked()
        return Level.now()

    async def connect(self, *, receive_buffer: int | None = None) -> trio.SocketStream:
        sock = trio.socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect(("127.0.0.1", self.port))
        return trio.SocketStream(sock)

    async def exchange(self, data: bytes) -> "Answer":
        """Sends it in one packet and reads until the server closes."""
        with trio.fail_after(PATIENCE_S):
            stream = await self.connect()
            async with stream:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(data)
                return Answer.read(await read_all(stream))

    async def get(self, path: str, *headers: str) -> "Answer":
        lines = [f"GET {path} HTTP/1.1", "Host: h", *headers]
        return await self.exchange("\r\n".join(lines).encode() + b"\r\n\r\n")


@attrs.frozen
class Answer:
    status: int
    head: str
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> "Answer":
        head, _, body = data.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, body = body.partition(b"\r\n\r\n")
        return cls(int(head.split()[1]) if head else 0, head.decode().lower(), body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    data = bytearray()
    with suppress(trio.BrokenResourceError):
        while piece := await stream.receive_some():
            data += piece
    return bytes(data)


def reset(stream: trio.SocketStream) -> None:
    """Closes with a RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@attrs.frozen
class Level:
    """What the process holds; hostile clients must leave no more behind."""

    tasks: int
    descriptors: int

    @classmethod
    def now(cls) -> "Level":
        return cls(
            tasks=trio.lowlevel.current_statistics().tasks_living,
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
        )

    async def regained(self) -> None:
        await until(lambda: Level.now() == self)


async def until(true: Callable[[], bool]) -> None:
    """Waits for what has no event of its own, such as the kernel's view of a socket."""
    with trio.fail_after(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - there is no event
            await trio.sleep(0.005)
