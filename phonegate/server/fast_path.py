"""The fast path: plain requests for the busiest endpoints, answered one after the other.

A connection stays here for as long as plain requests come. Whatever else comes is given back,
untouched, to be served by the application. That a client has hung up is noticed when its answer
is written: a request that was read whole runs to its end, as if its answer got lost on the way.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from typing import Any, Protocol
from wsgiref.handlers import format_date_time

import trio

from phonegate.config.settings import HttpSettings
from phonegate.http.body_stream import BodyStream
from phonegate.http.prefix import without_prefix

from .answers import whole_answer
from .canonical import PlainRequest, read_plain
from .forwarded import Network, SocketPeer, is_proxy_field, true_peer
from .head import after_empty_lines
from .streams import Connection, send_in_pieces

ReadRest = Callable[[Callable[[int], None]], Awaitable[bytes]]
"""Reads the rest of a body. Calls its argument with the size of each piece that has come."""

_EMPTY_LINE = b"\r\n"
_END = b"\r\n\r\n"
_RECEIVE_BYTES = 65_536


class Reply(Protocol):
    """An answer of the busy endpoints."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Its fields, `Content-Length` among them unless it is a stream."""

    @property
    def body(self) -> bytes:
        """Its body."""

    @property
    def owner(self) -> Any:
        """Who is answerable for the memory that it takes."""

    @property
    def stream(self) -> BodyStream | None:
        """The body, where it is produced while it is sent."""


class UnsentAnswer(Protocol):
    """A large answer on its way to the client."""

    def moved(self) -> None:
        """Notes that its client has taken some of it."""


class FastPipeline(Protocol):
    """Answers the busy endpoints, for the fast path and for the application alike."""

    def takes(self, method: str, path: str) -> bool:
        """Tells whether a request (its path as sent, undecoded) is for a busy endpoint."""

    async def answer(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        client: str,
        relayed: bool,
        secure: bool,
        prefix: str,
        body: bytes | ReadRest,
    ) -> Reply:
        """Answers a request. Raises nothing but cancellation.

        Args:
            method: The method.
            path: The path as sent, undecoded.
            query: The query as sent, undecoded.
            headers: By lower-case name.
            client: The client's address.
            relayed: Whether a proxy that is not trusted passed it on.
            secure: Whether a proxy that is trusted took it by HTTPS.
            prefix: The path prefix that stood before the path.
            body: The whole body, or what reads it.
        """

    def hold(self, owner: Any, size: int) -> AbstractContextManager[UnsentAnswer] | None:
        """Counts the memory of an answer until it has left.

        Returns:
            A context in which to send the answer, which is cancelled if the answer is given up.
            `None` for a small answer, which is not counted.
        """


class FastPath:
    """Serves plain requests.

    Args:
        pipeline: Answers them.
        settings: Limits and deadlines.
        trusted: The proxies that may say who the client is.
    """

    def __init__(
        self, pipeline: FastPipeline, settings: HttpSettings, trusted: Sequence[Network]
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._trusted = trusted
        self._idle: dict[Callable[[], None], float] = {}
        """What ends each connection that has no request, and since when it has none. The one that
        idles longest is first."""
        self._streams: set[BodyStream] = set()
        """The bodies that are produced now."""
        self._draining = False
        self._running = trio.CancelScope()
        self._second = -1
        self._date = ""

    async def run(self) -> None:
        """Closes connections that idle too long, until `stop` is called.

        One task looks after all of them, since a deadline for each request would cost as much as
        reading it.
        """
        allowed = self._settings.keepalive_timeout_s
        with self._running:
            while True:
                await trio.sleep(min(1.0, allowed / 4))
                for end, since in self._idle.items():
                    if since > trio.current_time() - allowed:
                        break
                    end()

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._running.cancel()

    def drain(self) -> None:
        """Closes the connections that have no request, and the others at the end of their answer.

        Answers that are produced while they are sent end now.
        """
        self._draining = True
        for body in self._streams:
            body.end()
        for end in self._idle:
            end()

    def takes(self, request: PlainRequest) -> bool:
        """Tells whether a request can be served here."""
        if self._settings.prefix and "x-forwarded-prefix" in request.headers:
            return False  # it may have been taken off: the ASGI shell knows who says so
        return request.length <= self._settings.max_body_bytes and self._pipeline.takes(
            request.method, without_prefix(request.path, self._settings.prefix)
        )

    async def serve(
        self,
        connection: Connection,
        stream: trio.abc.Stream,
        peer: SocketPeer,
        request: PlainRequest,
        data: bytes,
    ) -> bytes | None:
        """Serves a request and the plain ones that follow it.

        Args:
            connection: The connection.
            stream: What is spoken on it: itself, or TLS.
            peer: Its other end.
            request: The first request, one that this `takes`.
            data: What was read after its head.

        Returns:
            What came of a request that is not for the fast path. `None` if the connection is to
            be closed.
        """
        client = true_peer(peer.address, peer.scheme, (), self._trusted).address
        while True:
            body: bytes | _Body
            if len(data) >= request.length:
                body, data = data[: request.length], data[request.length :]
                reply = await self._answer(request, client, body)
                stays = request.stays
            else:
                body = _Body(stream, data, request.length)
                with body.gone:
                    reply = await self._answer(request, client, body.read)
                if body.gone.cancelled_caught:
                    return None
                data = body.after
                # A body that was not read to its end: where the next request begins is still
                # to come, and not worth waiting for.
                stays = body.whole and request.stays
            stays = stays and not (self._draining or connection.hung_up)
            if not await self._send(stream, reply, stays=stays) or not stays:
                return None
            del body, reply  # or a connection that idles would keep both
            if data:
                await trio.lowlevel.checkpoint()  # nothing else here need be one
            else:
                data = await self._wait(connection, stream)
            if data.startswith(_EMPTY_LINE):
                data = data[after_empty_lines(data) :] or await self._wait(connection, stream)
            if not data:
                return None
            following, end = None, data.find(_END) + len(_END)
            if len(_END) <= end <= self._settings.max_head_bytes:
                following = read_plain(data[:end])
            if following is None or not self.takes(following):
                return data
            request, data = following, data[end:]

    async def _send(self, stream: trio.abc.Stream, reply: Reply, *, stays: bool) -> bool:
        """Sends an answer. Returns whether the client took all of it and another may follow."""
        if reply.stream is not None:
            await self._stream(stream, reply, reply.stream)
            return False
        leaving = self._pipeline.hold(reply.owner, len(reply.body))
        body = reply.body if leaving is None else b""
        answer = whole_answer(reply.status, reply.headers, body, date=self._now(), stays=stays)
        if leaving is None:
            return await send_in_pieces(stream, answer, self._settings.peer_timeout_s)
        # Apart from its head: to put it behind one would take a copy of it.
        return await self._send_counted(stream, leaving, answer, reply.body)

    async def _send_counted(
        self,
        stream: trio.abc.Stream,
        leaving: AbstractContextManager[UnsentAnswer],
        head: bytes,
        body: bytes,
    ) -> bool:
        seconds = self._settings.peer_timeout_s
        with leaving as one:
            if await send_in_pieces(stream, head, seconds):
                return await send_in_pieces(stream, body, seconds, one.moved)
        return False

    async def _stream(self, stream: trio.abc.Stream, reply: Reply, body: BodyStream) -> None:
        """Sends an answer whose body is produced meanwhile, in chunks (RFC 9112, 7.1).

        The connection ends with it, as it ends when the client leaves or takes nothing for long.
        """
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some(_RECEIVE_BYTES):
                        pass
                nursery.cancel_scope.cancel()

            async def send(head: bytes, piece: bytes = b"") -> None:
                leaving = self._pipeline.hold(reply.owner, len(piece))
                if leaving is None:
                    seconds = self._settings.peer_timeout_s
                    taken = await send_in_pieces(stream, head + piece, seconds)
                else:
                    taken = await self._send_counted(stream, leaving, head, piece)
                if not taken:
                    nursery.cancel_scope.cancel()
                await trio.lowlevel.checkpoint_if_cancelled()

            async def send_chunk(piece: bytes) -> None:
                await send(b"%x\r\n" % len(piece), piece + b"\r\n")

            fields = (*reply.headers, ("Transfer-Encoding", "chunked"))
            head = whole_answer(reply.status, fields, b"", date=self._now(), stays=False)
            with closing(body):
                self._streams.add(body)
                try:
                    nursery.start_soon(watch)
                    if self._draining:
                        body.end()
                    await send(head)
                    await body.run(send_chunk)
                    await send(b"0\r\n\r\n")
                finally:
                    self._streams.discard(body)
            nursery.cancel_scope.cancel()

    async def _answer(self, request: PlainRequest, client: str, body: bytes | ReadRest) -> Reply:
        relayed = secure = False
        prefix = self._settings.prefix
        if self._trusted or any(map(is_proxy_field, request.headers)):
            headers = tuple(request.headers.items())
            peer = true_peer(client, "http", headers, self._trusted)
            client, relayed, secure = peer.address, peer.relayed, peer.scheme == "https"
            prefix = peer.prefix or prefix
        return await self._pipeline.answer(
            method=request.method,
            path=without_prefix(request.path, self._settings.prefix),
            query=request.query,
            headers=request.headers,
            client=client,
            relayed=relayed,
            secure=secure,
            prefix=prefix,
            body=body,
        )

    async def _wait(self, connection: Connection, stream: trio.abc.Stream) -> bytes:
        """Returns what the client sends next.

        That is nothing if it leaves or idles too long, or if the server drains.
        """
        if self._draining:  # since before its answer was sent
            return b""
        scope = None if stream is connection else trio.CancelScope()
        end = connection.hang_up if scope is None else scope.cancel
        self._idle[end] = trio.current_time()
        try:
            if scope is None:
                return await connection.receive_next(_RECEIVE_BYTES)
            with scope:  # or TLS would end without saying so
                return bytes(await stream.receive_some(_RECEIVE_BYTES))
        except trio.BrokenResourceError:
            pass
        finally:
            del self._idle[end]
        return b""

    def _now(self) -> str:
        """Returns the `Date` field of answers."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, format_date_time(second)
        return self._date


class _Body:
    """The body of a request, as it comes."""

    def __init__(self, stream: trio.abc.Stream, begun: bytes, length: int) -> None:
        self.gone = trio.CancelScope()
        """Ends what waits for the body when the client has left."""
        self._stream = stream
        self._data = bytearray(begun)
        self._length = length

    @property
    def whole(self) -> bool:
        """Whether all of it has come."""
        return len(self._data) >= self._length

    @property
    def after(self) -> bytes:
        """What came after it."""
        return bytes(self._data[self._length :])

    async def read(self, grew: Callable[[int], None]) -> bytes:
        """Reads it to its end. Calls `grew` with the size of each piece that has come."""
        grew(len(self._data))
        while not self.whole:
            try:
                piece = await self._stream.receive_some(_RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                piece = b""
            if not piece:
                self.gone.cancel()
                await trio.lowlevel.checkpoint()
            self._data += piece
            grew(len(piece))
        return bytes(self._data[: self._length])
