"""Connections of an HTTP client, each to an address that the guard has just looked at.

The name in a URL is resolved when a connection is opened, and never by anyone else. So TLS checks
the name, the request bears it, and a connection that is kept open leads where it was found to lead.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx
import trio

from phonegate.http.answer_head import AnswerHead, HeadTooLong
from phonegate.http.outgoing_address import Guard

CONNECT_S: Final = 5.0
"""Seconds to connect to one address, so that a name with several gets its turn at another."""

SMALL_PIECES: Final = 1_000
"""Pieces (chunks, RFC 9112 7.1) of an answer that may be as small as they like."""

LEAST_PIECE_BYTES: Final = 128
"""Bytes of each further piece, on average. Web servers send some thousand."""

READ_BYTES: Final = 16_384
"""Bytes that are read at once. They may be 3,000 pieces."""

PIECES_AT_ONCE: Final = 50
"""Pieces that are parsed before others have their turn: some 3 ms."""

_UNREACHABLE: Final = (httpcore.ConnectError, httpcore.ConnectTimeout)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Opens connections for an `httpx.AsyncClient`, which must use no proxy.

    Beside what httpcore raises, a request may raise `CallRefused` or `CallFailed` of the guard.

    Args:
        guard: Finds the addresses of a name, and refuses those that may not be called.
        trust: Whom TLS trusts.
        connections: How many may be open to one server. Further requests wait for a free one.
        idle_s: How long one is kept that is not used. `sweep` closes what is older.
        most_open: How many may be open to all servers, where enough of them are idle to be closed.
    """

    def __init__(
        self,
        guard: Guard,
        trust: ssl.SSLContext,
        *,
        connections: int = 1,
        idle_s: float = 0.0,
        most_open: int = 1,
    ) -> None:
        self._backend = _GuardedBackend(guard, self._close_idle)
        self._trust = trust
        self._connections = connections
        self._idle_s = idle_s
        self._most_open = most_open
        # One a server: a pool looks at all of its connections for each request.
        self._pools: dict[_Server, httpcore.AsyncConnectionPool] = {}
        self._used_at: dict[_Server, float] = {}
        """Those that were called longest ago come first."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request. The answer's body is read, or closed, by the caller."""
        url = request.url
        answer = await self._pool(url.raw_scheme, url.raw_host, url.port).handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    async def _close_idle(self) -> None:
        """Closes idle connections if there are too many.

        A server that is called rarely would else keep as many open as it was ever called at once.
        """
        for server in list(self._used_at):
            pool = self._pools.get(server)
            for one in () if pool is None else pool.connections:
                if self._backend.open <= self._most_open:
                    return
                if one.is_idle():
                    await one.aclose()

    def _pool(self, *server: Any) -> httpcore.AsyncConnectionPool:
        self._used_at.pop(server, None)
        self._used_at[server] = trio.current_time()
        found = self._pools.get(server)
        if found is None:
            found = self._pools[server] = httpcore.AsyncConnectionPool(
                ssl_context=self._trust,
                max_connections=self._connections,
                max_keepalive_connections=self._connections if self._idle_s else 0,
                keepalive_expiry=self._idle_s,
                network_backend=self._backend,
            )
        return found

    async def sweep(self) -> None:
        """Closes the connections to servers that have not been called for a while."""
        before = trio.current_time() - self._idle_s
        unused = [server for server, used_at in self._used_at.items() if used_at < before]
        for server in unused:
            pool = self._pools[server]
            if self._used_at[server] < before and all(one.is_idle() for one in pool.connections):
                del self._pools[server], self._used_at[server]
                await pool.aclose()

    async def aclose(self) -> None:
        """Closes all connections. Requests under way fail."""
        for pool in self._pools.values():
            await pool.aclose()


_Server = tuple[Any, ...]
"""Scheme, host and port."""


class _Body(httpx.AsyncByteStream):
    """The body of an answer, which is cut where its pieces are too small.

    What is read at once may be thousands of pieces, which are parsed one by one.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = size = 0
        cut = False
        async for piece in self._stream:
            pieces += 1
            size += len(piece)
            if pieces % PIECES_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if not cut and pieces > SMALL_PIECES + size // LEAST_PIECE_BYTES:
                cut = True
                # Reading on ends the nested generators in order: it fails once no more is here.
                await self.aclose()
            if not cut:
                yield piece
        if cut:
            raise httpcore.RemoteProtocolError("pieces too small")

    async def aclose(self) -> None:
        await self._stream.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: Guard, make_room: Callable[[], Awaitable[None]]) -> None:
        self._guard = guard
        self._make_room = make_room
        self._network = httpcore.TrioBackend()
        self.open = 0
        """How many connections are open, or being opened."""

    def _closed(self) -> None:
        self.open -= 1

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of a host that takes the connection.

        Raises:
            CallRefused, CallFailed: As `Guard.addresses`.
            httpcore.ConnectError, httpcore.ConnectTimeout: None takes it.
        """
        self.open += 1
        try:
            await self._make_room()
            stream = await self._connect(host, port, timeout, local_address, socket_options)
        except BaseException:
            self._closed()
            raise
        return _Stream(stream, self._closed)

    async def _connect(self, host: str, port: int, *how: Any) -> httpcore.AsyncNetworkStream:
        problem: Exception = httpcore.ConnectError()
        for address in await self._guard.addresses(host, port):
            try:
                return await self._network.connect_tcp(str(address), port, *how)
            except _UNREACHABLE as error:
                problem = error
        raise problem

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose answers have a head of bounded length.

    It is closed also where its TLS handshake is cancelled.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, closed: Callable[[], None]) -> None:
        self._stream = stream
        self._closed: Callable[[], None] | None = closed
        self._head = AnswerHead()

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
    ) -> bytes:
        """Reads what has come.

        Raises:
            httpcore.RemoteProtocolError: The head of the answer is too long.
        """
        data = await self._stream.read(min(max_bytes, READ_BYTES), timeout)
        try:
            self._head.take(data)
        except HeadTooLong:
            raise httpcore.RemoteProtocolError("head too long") from None
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
    ) -> None:
        """Sends a piece of a request, after which the answer begins anew."""
        self._head = AnswerHead()
        await self._stream.write(buffer, timeout)

    def get_extra_info(self, info: str) -> Any:
        """Returns what is known of the connection."""
        return self._stream.get_extra_info(info)

    async def aclose(self) -> None:
        """Closes the connection."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
    ) -> httpcore.AsyncNetworkStream:
        try:
            self._stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with trio.CancelScope(shield=True) as scope:
                # A close that may not wait.
                scope.cancel()
                await self.aclose()
            raise
        return self
