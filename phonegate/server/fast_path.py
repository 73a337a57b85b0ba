"""The fast path: plain requests for the busiest endpoints, answered one after the other.

A connection stays here for as long as plain requests come. Whatever else comes is given back,
untouched, to be served by the application. That a client has hung up is noticed when its answer
is written: a request that was read whole runs to its end, as if its answer got lost on the way.

Most answers are made by the connection's own task. The answer to a request that the pipeline has
begun comes later, from what has done its work, and is written without waking that task, which
waits for the next request meanwhile.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import attrs
import trio

from phonegate import log
from phonegate.config.settings import HttpSettings
from phonegate.http.plain_request import PlainRequest
from phonegate.http.prefix import PREFIX_FIELDS, without_prefix

from .canonical import read_plain
from .fast_answers import FastAnswers
from .fast_pipeline import FastPipeline, Reply
from .forwarded import Network, SocketPeer, is_proxy_field, true_peer
from .head import after_empty_lines
from .head_memory import KEPT_S, HeadMemory
from .redacted_trace import redacted
from .streams import Connection

_EMPTY_LINE = b"\r\n"
_END = b"\r\n\r\n"
_RECEIVE_BYTES = 65_536

_log = log.get("server")


class FastPath:
    """Serves plain requests.

    Args:
        pipeline: Answers them.
        settings: Limits and deadlines.
        trusted: The proxies that may say who the client is.
        has: Tells whether a path, without the gateway's prefix, may be served here at all.
    """

    def __init__(
        self,
        pipeline: FastPipeline,
        settings: HttpSettings,
        trusted: Sequence[Network],
        has: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._has = has
        self._trusted = trusted
        self.idle: dict[Callable[[], None], float] = {}
        """What ends each connection that has no request, and since when it has none. The one that
        idles longest is first."""
        self._heads: HeadMemory[tuple[Any, bool]] = HeadMemory()
        """What the pipeline knows of each head, and whether its client wants to stay."""
        self.answers = FastAnswers(pipeline.hold, settings.peer_timeout_s)
        self.draining = False
        self._running = trio.CancelScope()
        self.unsent: trio.Nursery | None = None
        """Sends the rests of answers whose connections wait for the next request."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ends connections that idle and requests that last too long, until `stop` is called.

        One task looks after all of them, since a deadline for each request would cost as much as
        reading it.
        """
        allowed = self._settings.keepalive_timeout_s
        with self._running:
            async with trio.open_nursery() as self.unsent:
                task_status.started()
                generation_s = min(allowed, KEPT_S) / 2
                ages_at = trio.current_time() + generation_s
                while True:
                    await trio.sleep(min(1.0, allowed / 4))
                    for end, since in self.idle.items():
                        if since > trio.current_time() - allowed:
                            break
                        end()
                    self._pipeline.expire()
                    if trio.current_time() >= ages_at:
                        self._heads.age()
                        ages_at += generation_s
        self.unsent = None

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._running.cancel()

    def drain(self) -> None:
        """Closes the connections that have no request, and the others at the end of their answer.

        Answers that are produced while they are sent end now.
        """
        self.draining = True
        self.answers.drain()
        for end in self.idle:
            end()

    def find(self, request: PlainRequest, peer: SocketPeer, head: bytes) -> "FastRequest | None":
        """Looks at the head of a request, read and as it came.

        Returns:
            The request. `None` if it can't be served here.
        """
        settings, headers = self._settings, request.headers
        if settings.prefix and any(name in headers for name in PREFIX_FIELDS):
            return None  # it may have been taken off: the ASGI shell knows who says so
        path = without_prefix(request.path, settings.prefix)
        if request.length > settings.max_body_bytes or not self._has(path):
            return None
        client = true_peer(peer.address, peer.scheme, (), self._trusted).address
        relayed, secure = False, peer.scheme == "https"
        prefix = settings.prefix
        if self._trusted or any(map(is_proxy_field, headers)):
            beyond = true_peer(client, peer.scheme, tuple(headers.items()), self._trusted)
            client, relayed, secure = beyond.address, beyond.relayed, beyond.scheme == "https"
            prefix = beyond.prefix or prefix
        known = self._pipeline.find(
            method=request.method,
            path=path,
            query=request.query,
            # But for what is each request's own: all others of it are the same in the next.
            headers={name: headers[name] for name in headers if name != "content-length"},
            client=client,
            relayed=relayed,
            secure=secure,
            prefix=prefix,
        )
        if known is None:
            return None
        self._heads.keep(peer.address, head, (known, request.stays))
        return FastRequest(known, request.length, request.stays)

    async def serve(
        self,
        connection: Connection,
        stream: trio.abc.Stream,
        peer: SocketPeer,
        request: "FastRequest",
        data: bytes,
    ) -> bytes | None:
        """Serves a request and the plain ones that follow it.

        Args:
            connection: The connection.
            stream: What is spoken on it: itself, or TLS.
            peer: Its other end.
            request: The first request, which `find` has returned.
            data: What was read after its head.

        Returns:
            What came of a request that is not for the fast path. `None` if the connection is to
            be closed.
        """
        turns = _Turns(self, connection, stream)
        try:
            with turns.scope:
                with turns.patience:
                    return await self._serve(turns, peer, request, data)
                late = self._pipeline.late(turns.patience)
                if late is not None:
                    await turns.answer(late, stays=False)
        finally:
            turns.over = True
            self._pipeline.late(turns.patience)  # or it would be kept, of one that ends meanwhile
        return None

    async def _serve(
        self, turns: "_Turns", peer: SocketPeer, request: "FastRequest", data: bytes
    ) -> bytes | None:
        while True:
            if len(data) < request.length:
                # Most clients send a body in a packet of its own, right behind the head.
                data += turns.receive_now(request.length - len(data))
            if len(data) >= request.length:
                body, data = data[: request.length], data[request.length :]
                stays = self._begun(turns, request, body) or await turns.answer(
                    await self._pipeline.answer(request.known, body, turns.patience),
                    stays=request.stays,
                )
                del body  # or a connection that idles would keep it
            else:
                coming = _Body(turns.stream, data, request.length)
                stays = await self._answer_coming(turns, request, coming)
                data = coming.after
                del coming
            if not stays:
                return None
            data = await turns.next(data)
            if data.startswith(_EMPTY_LINE):
                data = await turns.next(data[after_empty_lines(data) :])
            if not data:
                return None
            end = self._next(request, data, peer)
            if not end:
                return data
            data = data[end:]

    def _begun(self, turns: "_Turns", request: "FastRequest", body: bytes) -> bool:
        """Tells whether the pipeline has begun a request, whose answer it gives to `turns`."""
        begins = turns.bare and request.stays
        if begins and self._pipeline.begin(request.known, body, turns.reply):
            turns.pending = True
        return turns.pending

    async def _answer_coming(self, turns: "_Turns", request: "FastRequest", body: "_Body") -> bool:
        """Answers a request whose body is still to come. Returns whether another may follow."""
        with body.gone:
            reply = await self._pipeline.answer(request.known, body.read, turns.patience)
        if body.gone.cancelled_caught:
            return False
        # A body that was not read to its end: where the next request begins is still to come, and
        # not worth waiting for.
        return await turns.answer(reply, stays=body.whole and request.stays)

    def _next(self, request: "FastRequest", data: bytes, peer: SocketPeer) -> int:
        """Makes a request the one whose head `data` begins with.

        Returns:
            Where that head ends. 0 if it is not served here.
        """
        end = data.find(_END) + len(_END)
        if not len(_END) <= end <= self._settings.max_head_bytes:
            return 0
        head = data[:end]
        again = self._heads.find(peer.address, head)
        if again is not None and again[1] <= self._settings.max_body_bytes:
            (request.known, request.stays), request.length = again
            return end
        plain = read_plain(head)
        found = None if plain is None else self.find(plain, peer, head)
        if found is None:
            return 0
        request.known, request.length, request.stays = found.known, found.length, found.stays
        return end


@attrs.define(eq=False)
class FastRequest:
    """A request of the fast path."""

    known: Any
    """What the pipeline knows of its head."""
    length: int
    """Bytes of its body."""
    stays: bool
    """Whether its client wants to use the connection again."""


class _Turns:
    """The requests and answers of one connection, in turn: no request before its answer is out."""

    def __init__(self, path: FastPath, connection: Connection, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.scope = trio.CancelScope()
        """Ends the connection's task, which waits for a next request or for an answer."""
        self.patience = trio.CancelScope()
        """Ends a request that takes too long, and the connection after its answer."""
        self.bare = stream is connection
        self.pending = False
        """Whether the answer to a request that was begun is not out yet."""
        self.over = False
        """Whether the connection is not served here any more."""
        self._path = path
        self._connection = connection
        self._reading = False
        self._out: trio.Event | None = None
        """Set once the answer is out that the task waits for."""
        # TLS would not end by itself without saying so.
        self._end = connection.hang_up if self.bare else self.scope.cancel

    async def answer(self, reply: Reply, *, stays: bool) -> bool:
        """Sends an answer. Returns whether another request may follow it."""
        stays = stays and self._may_stay
        return await self._path.answers.send(self.stream, reply, stays=stays) and stays

    def reply(self, reply: Reply) -> None:
        """Sends the answer to the request that was begun."""
        if self.over:
            return
        stays, unsent = self._may_stay, self._path.unsent
        try:
            rest = self._path.answers.send_now(self._connection, reply, stays=stays)
        except trio.BrokenResourceError:
            rest, stays = None, False
        if rest is None:
            self._answered(stays=stays)
        elif unsent is not None:
            unsent.start_soon(partial(self._send_rest, rest, stays=stays))

    async def next(self, data: bytes) -> bytes:
        """Returns what the client sends next, which is `data` if any of it has come before.

        That is nothing if it leaves or idles too long, or if the server drains.
        """
        if not data:
            data = await self._receive()
        elif not self.pending:
            await trio.lowlevel.checkpoint()  # nothing else here need be one
        if self.pending:
            self._out = trio.Event()
            await self._out.wait()
            self._out = None
        return b"" if self.scope.cancel_called else data

    def receive_now(self, missing: int) -> bytes:
        """Returns what has come of the rest of a small body, if anything has."""
        if not self.bare or missing > _RECEIVE_BYTES:
            return b""
        return self._connection.receive_now(_RECEIVE_BYTES)

    @property
    def _may_stay(self) -> bool:
        return not (self._path.draining or self._connection.hung_up)

    async def _receive(self) -> bytes:
        idle = self._path.idle
        if not self.pending:
            if self._path.draining:  # since before its answer was sent
                return b""
            idle[self._end] = trio.current_time()
        self._reading = True
        try:
            if self.bare:
                return await self._connection.receive_next(_RECEIVE_BYTES)
            return bytes(await self.stream.receive_some(_RECEIVE_BYTES))
        except trio.BrokenResourceError:
            return b""
        finally:
            self._reading = False
            idle.pop(self._end, None)

    async def _send_rest(self, rest: Callable[[], Awaitable[bool]], *, stays: bool) -> None:
        try:
            taken = await rest()
        except Exception as error:  # noqa: BLE001 - as for the task of a connection
            _log.warning("connection_failed", errors=redacted(error))
            taken = False
        self._answered(stays=stays and taken)

    def _answered(self, *, stays: bool) -> None:
        self.pending = False
        if not stays:
            self.scope.cancel()
        elif self._out is not None:
            self._out.set()
        elif self._reading:
            self._path.idle[self._end] = trio.current_time()


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
