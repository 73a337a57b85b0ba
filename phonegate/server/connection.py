"""From an accepted socket to what serves it.

A connection is encrypted if the server has a certificate. Then a head is read, and that head
alone decides. A plain request for a busy endpoint goes to the fast path, which may give the
connection back with the head of a next request. A websocket handshake at the phones' path goes to
the phone link, and everything else to the application.
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


class ConnectionHandler:
    """Serves accepted connections.

    Args:
        settings: Limits and deadlines.
        tls: The server's side of TLS, or `None` to speak plainly.
        trusted: The proxies that may say who the client is.
        fast_path: Serves plain requests for the busy endpoints, where there are any.
        shell: Serves all other requests.
        serve_phone: Serves the websockets at `phone_path`.
        phone_path: The path, exactly as a client writes it.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        tls: ssl.SSLContext | None,
        trusted: Sequence[Network],
        fast_path: FastPath | None,
        shell: ShellOnDemand,
        serve_phone: ServePhone,
        phone_path: str,
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._trusted = trusted
        self._fast_path = fast_path
        self._shell = shell
        self._serve_phone = serve_phone
        # As at every address, one slash at the end makes no difference.
        self._phone_paths = (phone_path, phone_path + "/")
        self._waiting: set[trio.CancelScope] = set()
        self._draining = False

    def renew(self, tls: ssl.SSLContext) -> None:
        """Gives another certificate to connections that come from now on."""
        self._tls = tls

    def drain(self) -> None:
        """Closes the connections that have no request: those reading a head, those closing."""
        self._draining = True
        for scope in self._waiting:
            scope.cancel()

    async def serve(self, connection: Connection, address: tuple[str, int]) -> None:
        """Serves one connection to its end, and closes it."""
        peer = SocketPeer(
            address=address[0],
            port=address[1],
            scheme="http" if self._tls is None else "https",
        )
        arrival = _Arrival(connection, connection, peer, HeadReader(self._settings.max_head_bytes))
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
        if not data and self._tls is not None:
            first = await arrival.connection.peek()
            if first != _TLS_HANDSHAKE and first.isascii() and first.isalpha():
                raise RequestRefused(400, PLAIN_HTTP, "https_required")
            secured = trio.SSLStream(arrival.stream, self._tls, server_side=True)
            await secured.do_handshake()
            arrival.stream = secured
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
        if isinstance(request, PlainRequest):
            fast_path = self._fast_path
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
        return without_prefix(request.path, self._settings.prefix) in self._phone_paths

    async def _refuse(self, stream: trio.abc.Stream, refused: RequestRefused) -> None:
        answer = error_answer(refused, date=format_date_time(time.time()))
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
    reader: HeadReader
    head: bytes = b""
    request: PlainRequest | RequestHead | None = None
    rest: bytes = b""
    """What came after its head."""
