"""From an accepted socket to what serves it.

A connection is encrypted if the server has a certificate. The name that a client asks for in the
handshake may choose another face of the server, with a certificate of its own. Then a head is read,
and that head alone decides. A plain request for a busy endpoint goes to the fast path, which may
give the connection back with the head of a next request. A websocket handshake at the phones' path
goes to the phone link, and everything else to the application.
"""

import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from wsgiref.handlers import format_date_time

import attrs
import trio

from phonegate.config.settings import HttpSettings
from phonegate.http.plain_request import PlainRequest
from phonegate.http.prefix import without_prefix

from .answers import error_answer
from .canonical import head_of, read_plain, read_plain_handshake
from .errors import RequestRefused
from .fast_path import FastPath
from .forwarded import Network, Peer, SocketPeer, true_peer
from .head import HeadReader, RequestHead, check_handshake, parse, wants_websocket
from .shell_on_demand import ShellOnDemand
from .stand_in import StandIn, choose_by_name
from .streams import Connection, Replay

ServePhone = Callable[[trio.abc.Stream, RequestHead, Peer], Awaitable[None]]
"""Serves the websocket of a phone. The stream gives what follows the head."""

CLOSE_S = 5.0
"""Seconds for a last answer and a gentle close; what isn't gone then is cut off."""

PLAIN_HTTP = (
    "This port speaks HTTPS, and the request came as plain HTTP. Use an address that begins with "
    "https://, for phones wss://."
)

_RECEIVE_BYTES = 16_384
_TLS_HANDSHAKE = b"\x16"
"""The first byte of a client that speaks TLS (RFC 8446, 5.1)."""


@attrs.define(kw_only=True)
class Face:
    """What the clients of a connection get to see of the server."""

    tls: ssl.SSLContext | None
    """The server's side of TLS, or `None` where it speaks plainly."""
    fast_path: FastPath | None
    """Serves plain requests for the busy endpoints, where there are any."""
    stand_in: StandIn | None = None
    """The API that alone is served, where it is not all of the gateway."""


class ConnectionHandler:
    """Serves accepted connections.

    Args:
        settings: Limits and deadlines.
        face: What clients get to see.
        stand_in: What those get to see who ask for the host that it stands in for, if it does.
        trusted: The proxies that may say who the client is.
        shell: Serves all requests that the fast path does not.
        serve_phone: Serves the websockets at `phone_path`.
        phone_path: The path, exactly as a client writes it.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        face: Face,
        stand_in: Face | None = None,
        trusted: Sequence[Network],
        shell: ShellOnDemand,
        serve_phone: ServePhone,
        phone_path: str,
    ) -> None:
        self._settings = settings
        self._face = face
        self._stand_in = stand_in
        self._trusted = trusted
        self._shell = shell
        self._serve_phone = serve_phone
        # As at every address, one slash at the end makes no difference.
        self._phone_paths = (phone_path, phone_path + "/")
        self._waiting: set[trio.CancelScope] = set()
        self._draining = False
        self._choose_by_name()

    def renew(self, tls: ssl.SSLContext) -> None:
        """Gives another certificate to connections that come from now on."""
        self._face.tls = tls
        self._choose_by_name()

    def renew_stand_in(self, tls: ssl.SSLContext) -> None:
        """Gives another certificate to those that come for the host that it stands in for."""
        if self._stand_in is not None:
            self._stand_in.tls = tls

    def _choose_by_name(self) -> None:
        """Has a handshake for the host that it stands in for get that host's certificate."""
        usual, other = self._face.tls, self._stand_in
        if usual is not None and other is not None and other.stand_in is not None:
            choose_by_name(usual, other.stand_in.host, lambda: other.tls or usual)

    def drain(self) -> None:
        """Closes the connections that have no request: those reading a head, those closing."""
        self._draining = True
        for scope in self._waiting:
            scope.cancel()

    async def serve(self, connection: Connection, address: tuple[str, int]) -> None:
        """Serves one connection to its end, and closes it."""
        await self._serve(connection, address, self._face)

    async def serve_stand_in(self, connection: Connection, address: tuple[str, int]) -> None:
        """Serves one that came by an address of the stand-in alone."""
        await self._serve(connection, address, self._stand_in or self._face)

    async def serve_plain(self, connection: Connection, address: tuple[str, int]) -> None:
        """Serves one that came by an address that is never encrypted."""
        await self._serve(connection, address, attrs.evolve(self._face, tls=None))

    async def _serve(self, connection: Connection, address: tuple[str, int], face: Face) -> None:
        peer = SocketPeer(
            address=address[0], port=address[1], scheme="http" if face.tls is None else "https"
        )
        reader = HeadReader(self._settings.max_head_bytes)
        arrival = _Arrival(connection, connection, peer, face, reader)
        try:
            begun: bytes | None = b""
            while begun is not None and await self._enter(arrival, begun):
                begun = await self._serve_request(arrival)
        except RequestRefused as refused:
            await self._refuse(arrival.stream, refused)
        with self._wait_at_most(CLOSE_S):
            await arrival.stream.aclose()

    async def _enter(self, arrival: "_Arrival", begun: bytes) -> bool:
        """Shakes hands for TLS and reads a head, both within one deadline.

        Args:
            arrival: The connection, which gets the request.
            begun: What has come of the head behind an earlier request.

        Returns:
            Whether there is a request to serve.

        Raises:
            RequestRefused: The head won't do, or took too long.
        """
        if self._draining:  # accepted just before the listener closed
            await trio.aclose_forcefully(arrival.stream)
            return False
        # Broken: the client is gone, or what it spoke was no TLS. An answer would reach nothing.
        gone = suppress(trio.BrokenResourceError)
        with self._wait_at_most(self._settings.head_timeout_s) as waiting, gone:
            return await self._read(arrival, begun)
        if waiting.cancelled_caught and arrival.reader.begun and not self._draining:
            raise RequestRefused(
                408, "The head of the request took too long to come.", "request_timeout"
            )
        if waiting.cancelled_caught:
            await trio.aclose_forcefully(arrival.stream)
        return False

    async def _read(self, arrival: "_Arrival", data: bytes) -> bool:
        context = arrival.face.tls
        if not data and context is not None:
            first = await arrival.connection.peek()
            if first != _TLS_HANDSHAKE and first.isascii() and first.isalpha():
                raise RequestRefused(400, PLAIN_HTTP, "https_required")
            secured = trio.SSLStream(arrival.stream, context, server_side=True)
            await secured.do_handshake()
            arrival.stream = secured
            if secured.context is not context and self._stand_in is not None:
                arrival.face = self._stand_in
        if data:
            arrival.reader = HeadReader(self._settings.max_head_bytes)
        while data := data or bytes(await arrival.stream.receive_some(_RECEIVE_BYTES)):
            whole = arrival.reader.feed(data)
            if whole is not None:
                head, arrival.rest = whole
                arrival.head = head
                arrival.request = read_plain(head) or read_plain_handshake(head) or parse(head)
                return True
            data = b""
        return False

    async def _serve_request(self, arrival: "_Arrival") -> bytes | None:
        """Serves the request that was read, and whatever belongs to it.

        Returns:
            What came of another head, if the connection goes on.

        Raises:
            RequestRefused: It is a handshake for the phone link, and a wrong one.
        """
        stream, peer, rest = arrival.stream, arrival.peer, arrival.rest
        request, arrival.request = arrival.request, None
        head, arrival.head = arrival.head, b""
        alone = arrival.face.stand_in
        if request is not None and not (alone is None or alone.has(self._local(request.path))):
            await self._send_last(stream, alone.not_found(date=_date()))
            return None
        if isinstance(request, PlainRequest):
            fast_path = arrival.face.fast_path
            known = None if fast_path is None else fast_path.find(request, peer, head)
            if fast_path is not None and known is not None:
                return await fast_path.serve(arrival.connection, stream, peer, known, rest)
            request = head_of(request)
        if request is not None and self._is_for_phones(request) and wants_websocket(request):
            check_handshake(request)
            client = true_peer(peer.address, peer.scheme, request.headers, self._trusted)
            served = self._serve_phone(Replay(stream, rest), request, client)
            # It may last for weeks, and lets the head go, which has a secret, once it is read.
            del request, client, rest
            await served
        elif request is not None:
            await self._shell.serve_request(stream, peer, request.raw + rest)
        return None

    def _is_for_phones(self, request: RequestHead) -> bool:
        return self._local(request.path) in self._phone_paths

    def _local(self, path: str) -> str:
        """Returns a path without the gateway's prefix."""
        return without_prefix(path, self._settings.prefix)

    async def _refuse(self, stream: trio.abc.Stream, refused: RequestRefused) -> None:
        await self._send_last(stream, error_answer(refused, date=_date()))

    async def _send_last(self, stream: trio.abc.Stream, answer: bytes) -> None:
        with self._wait_at_most(CLOSE_S), suppress(trio.BrokenResourceError):
            await stream.send_all(answer)

    @contextmanager
    def _wait_at_most(self, seconds: float) -> Iterator[trio.CancelScope]:
        """Sets a deadline for work that isn't worth waiting for once the server drains."""
        with trio.move_on_after(seconds) as scope:
            self._waiting.add(scope)
            try:
                yield scope
            finally:
                self._waiting.discard(scope)


@attrs.define
class _Arrival:
    """A connection on its way in, with what is known of it so far."""

    connection: Connection
    stream: trio.abc.Stream
    """What is spoken on the connection: itself, or TLS."""
    peer: SocketPeer
    face: Face
    reader: HeadReader
    head: bytes = b""
    request: PlainRequest | RequestHead | None = None
    rest: bytes = b""
    """What came after its head."""


def _date() -> str:
    """Returns the `Date` field of now (RFC 9110, 6.6.1)."""
    return format_date_time(time.time())
