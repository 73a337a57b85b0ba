"""The accept loop, in which no connection can harm the others."""

import time
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Protocol
from wsgiref.handlers import format_date_time

import attrs
import trio

from phonegate import log
from phonegate.bind_address import parse_bind
from phonegate.config.settings import HttpSettings

from .answers import error_answer
from .errors import CannotListen, RequestRefused
from .forwarded import Network, is_trusted
from .redacted_trace import redacted
from .streams import Connection

_log = log.get("server")


class AddressLimits(Protocol):
    """The limits of one address. Times are seconds of the monotonic clock."""

    def connect(self, address: str) -> bool:
        """Counts a connection. Returns whether the address may have it."""

    def disconnect(self, address: str) -> None:
        """Counts a connection no more."""

    def handshake(self, address: str, now: float) -> float:
        """Counts a TLS handshake. Returns for how many seconds there have been too many, or 0."""


Serve = Callable[[Connection, tuple[str, int]], Awaitable[None]]

ACCEPT_PAUSE_S = 0.1
"""Seconds between tries when the system has no descriptor or memory for another connection.
Short for the client that waits in the backlog, and long enough not to spin."""

TURNED_AWAY_AT_ONCE = 64
"""Connections past the limit that are answered at the same time. More are closed without an
answer, so that a flood costs no memory."""

TURN_AWAY_S = 3.0
"""Seconds to answer one of them."""

_LATER = (("Retry-After", "5"),)

TOO_MANY = RequestRefused(
    503,
    "The gateway has as many connections as it may have; try again shortly.",
    "too_many_connections",
    headers=_LATER,
)
TOO_MANY_OF_ADDRESS = RequestRefused(
    429,
    "Your address has as many connections to this gateway as one may have; close some.",
    "too_many_connections",
    headers=_LATER,
)


@attrs.frozen(kw_only=True)
class Door:
    """Addresses to listen on, and what serves those who come by them.

    Attributes:
        bind: The addresses, host:port.
        setting: The setting that names them, for the error where one can't be had.
        serve: Serves one connection. It need not close it.
        plain: Whether an answer can be written without a TLS handshake.
    """

    bind: Sequence[str]
    setting: str = "[http] bind"
    serve: Serve
    plain: bool


class Listener:
    """Accepts connections and runs each in a task that lets no exception out.

    Past `max_connections` the newest is answered 503 rather than left waiting in the backlog. A
    client that is answered comes again later, while one that gets no answer hangs, and so would
    the health check of an operator who looks for the cause. Under TLS it is closed without an
    answer, since a handshake costs more than what the limit is to save.

    Args:
        settings: Limits.
        doors: By what clients come.
        rate_limits: The limits of each address, where there are any.
        trusted: Proxies, whose connections are those of many addresses and so not limited.
    """

    def __init__(
        self,
        settings: HttpSettings,
        doors: Sequence[Door],
        *,
        rate_limits: AddressLimits | None,
        trusted: Sequence[Network],
    ) -> None:
        self._rate_limits = rate_limits
        self._trusted = trusted
        self._settings = settings
        self._doors = doors
        self._sockets: list[tuple[trio.socket.SocketType, Door]] = []
        self._closed = False
        self._full = False
        self._turning_away = 0
        self.connections = 0
        """Connections open now."""
        self.refused = 0
        """Connections turned away since the start, because there were too many."""

    async def open(self) -> dict[str, list[tuple[str, int]]]:
        """Listens on every address of every door.

        Returns:
            By the setting of each door: host and port of each socket, with the port that a 0
            became.

        Raises:
            CannotListen: One of them can't be had. None is open then.
        """
        bound: dict[str, list[tuple[str, int]]] = {door.setting: [] for door in self._doors}
        for door in self._doors:
            for bind in door.bind:
                opened = await self._open(bind, door)
                self._sockets += [(sock, door) for sock in opened]
                bound[door.setting] += [sock.getsockname()[:2] for sock in opened]
        return bound

    async def _open(self, bind: str, door: Door) -> list[trio.socket.SocketType]:
        try:
            host, port = parse_bind(bind)
            opened = await trio.open_tcp_listeners(port, host=host)
        except (OSError, ValueError, OverflowError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error)
            raise CannotListen(bind, reason, door.setting) from None
        return [listener.socket for listener in opened]

    def close(self) -> None:
        """Stops accepting at once. What is connected goes on."""
        self._closed = True
        for sock, _ in self._sockets:
            sock.close()

    async def run(self) -> None:
        """Serves until `close` was called and every connection has ended."""
        async with trio.open_nursery() as nursery:
            for sock, door in self._sockets:
                nursery.start_soon(self._accept, sock, door, nursery)

    async def _accept(
        self, listening: trio.socket.SocketType, door: Door, nursery: trio.Nursery
    ) -> None:
        while not self._closed:
            try:
                sock, address = await listening.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:
                # Out of descriptors or memory, or (Linux reports them here) the error of a
                # connection that is already gone. All pass; an accept loop that ends does not.
                if not self._closed:
                    _log.warning("accept_failed", reason=error.strerror)
                    await trio.sleep(ACCEPT_PAUSE_S)
                continue
            self._admit(sock, address[:2], door, nursery)

    def _admit(
        self,
        sock: trio.socket.SocketType,
        address: tuple[str, int],
        door: Door,
        nursery: trio.Nursery,
    ) -> None:
        """Starts the connection's task. Nothing here awaits, so no socket is ever unowned."""
        full = self.connections >= self._settings.max_connections
        if full and not self._full:
            _log.warning("connections_full", limit=self._settings.max_connections)
        self._full = full
        rate_limits = None if is_trusted(address[0], self._trusted) else self._rate_limits
        if full:
            self._refuse(sock, TOO_MANY, door, nursery)
        elif rate_limits is not None and not rate_limits.connect(address[0]):
            _log.warning("address_connections_full", peer=address[0])
            self._refuse(sock, TOO_MANY_OF_ADDRESS, door, nursery)
        elif (
            rate_limits is not None
            and not door.plain
            and rate_limits.handshake(address[0], perf_counter())
        ):
            rate_limits.disconnect(address[0])
            self._refuse(sock, TOO_MANY_OF_ADDRESS, door, nursery)
        else:
            self.connections += 1
            nursery.start_soon(self._run_one, sock, address, door.serve, rate_limits)

    def _refuse(
        self,
        sock: trio.socket.SocketType,
        refused: RequestRefused,
        door: Door,
        nursery: trio.Nursery,
    ) -> None:
        self.refused += 1
        if door.plain and self._turning_away < TURNED_AWAY_AT_ONCE:
            self._turning_away += 1
            nursery.start_soon(self._turn_away, sock, refused)
        else:
            sock.close()

    async def _run_one(
        self,
        sock: trio.socket.SocketType,
        address: tuple[str, int],
        serve: Serve,
        rate_limits: AddressLimits | None,
    ) -> None:
        """Runs one connection. Raises nothing but a cancellation, which is the server's own."""
        try:
            connection = Connection(sock, peer_timeout_s=self._settings.peer_timeout_s)
            await serve(connection, address)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client went; that happens all day
        except* Exception as group:  # noqa: BLE001 - one bad client costs one connection
            _log.warning("connection_failed", peer=address[0], errors=redacted(group))
        finally:
            sock.close()
            self.connections -= 1
            if rate_limits is not None:
                rate_limits.disconnect(address[0])

    async def _turn_away(self, sock: trio.socket.SocketType, refused: RequestRefused) -> None:
        answer = error_answer(refused, date=format_date_time(time.time()))
        try:
            with trio.move_on_after(TURN_AWAY_S):
                connection = Connection(sock, peer_timeout_s=TURN_AWAY_S)
                await connection.send_all(answer)
                await connection.aclose()
        except* Exception:  # noqa: BLE001, S110 - as in _run_one, and it was turned away anyway
            pass
        finally:
            sock.close()
            self._turning_away -= 1
