"""Connections of an HTTP client, each to an address that the guard has just looked at.

The name in a URL is resolved when a connection is opened, and never by anyone else. So TLS checks
the name, the request bears it, and a connection that is kept open leads where it was found to lead.
"""

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import httpcore
import httpx
import trio

from phonegate.http.outgoing_address import Guard

CONNECT_S: Final = 5.0
"""Seconds to connect to one address, so that a name with several gets its turn at another."""

_UNREACHABLE: Final = (httpcore.ConnectError, httpcore.ConnectTimeout)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Opens connections for an `httpx.AsyncClient`, which must use no proxy.

    Beside what httpcore raises, a request may raise `CallRefused` or `CallFailed` of the guard.

    Args:
        guard: Finds the addresses of a name, and refuses those that may not be called.
        trust: Whom TLS trusts.
        connections: How many may be open to one server. Further requests wait for a free one.
        idle_s: How long one is kept that is not used. `sweep` closes what is older.
    """

    def __init__(
        self, guard: Guard, trust: ssl.SSLContext, *, connections: int = 1, idle_s: float = 0.0
    ) -> None:
        self._backend = _GuardedBackend(guard)
        self._trust = trust
        self._connections = connections
        self._idle_s = idle_s
        # One a server: a pool looks at all of its connections for each request.
        self._pools: dict[_Server, httpcore.AsyncConnectionPool] = {}
        self._used_at: dict[_Server, float] = {}

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

    def _pool(self, *server: Any) -> httpcore.AsyncConnectionPool:
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
            if all(one.is_idle() for one in pool.connections):
                del self._pools[server], self._used_at[server]
                await pool.aclose()

    async def aclose(self) -> None:
        """Closes all connections. Requests under way fail."""
        for pool in self._pools.values():
            await pool.aclose()


_Server = tuple[Any, ...]
"""Scheme, host and port."""


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.TrioBackend()

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
        problem: Exception = httpcore.ConnectError()
        for address in await self._guard.addresses(host, port):
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except _UNREACHABLE as error:
                problem = error
            else:
                return _Stream(stream)
        raise problem

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed also where its TLS handshake is cancelled."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.read = stream.read  # type: ignore[method-assign]
        self.write = stream.write  # type: ignore[method-assign]
        self.aclose = stream.aclose  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with trio.CancelScope(shield=True) as scope:
                # A close that may not wait.
                scope.cancel()
                await self._stream.aclose()
            raise
