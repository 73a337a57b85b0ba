"""From an accepted socket to the lane that serves it.

A connection is encrypted where the server is, a head is read, and that head alone decides: a plain
request for a hot endpoint is the fast path's, which may give the connection back with a next
head; a websocket handshake at the phones' path goes to the phone lane, everything else to the
house.
"""

import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from wsgiref.handlers import format_date_time

import attrs
import trio

from phonegate.config.settings import HttpSettings

from .answers import error_answer
from .app_tasks import SocketPeer
from .asgi import AsgiShell
from .canonical import PlainRequest
from .errors import Refused
from .fast_path import FastPath
from .forwarded import Network, Peer, true_peer
from .head import HeadReader, RequestHead, check_handshake, parse, wants_websocket
from .streams import Connection, Replay

PhoneLane = Callable[[trio.abc.Stream, RequestHead, Peer], Awaitable[None]]
"""Serves one websocket of a phone: the stream gives what follows the head."""

CLOSE_S = 5.0
"""Seconds for a last answer and a gentle close; what isn't gone then is cut off."""

PLAIN_HTTP = (
    "This port speaks HTTPS, and the request came as plain HTTP. Use an address that begins with "
    "https://, for phones wss://."
)

_RECEIVE_BYTES = 16_384
_TLS_HANDSHAKE = b"\x16"
"""The first byte of a client that speaks TLS (RFC 8446, 5.1)."""


class Lane(Enum):
    """Who serves a request."""

    PHONE = auto()
    HOUSE = auto()


def choose(head: RequestHead, phone_path: str) -> Lane:
    """The lane for a request, by its head alone."""
    # As at every address, one slash at the end makes no difference.
    if head.path in (phone_path, phone_path + "/") and wants_websocket(head):
        return Lane.PHONE
    return Lane.HOUSE


class Connections:
    """Serves accepted connections.

    Args:
        settings: Limits and deadlines.
        tls: The server's side of TLS, or `None` to speak plainly.
        trusted: The proxies that may say who the client is.
        house: Serves what no other lane does.
        express: Serves plain requests for the hot endpoints, where there are any.
        phone_lane: Serves websockets at `phone_path`.
        phone_path: The path, exactly as a client writes it.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        tls: ssl.SSLContext | None,
        trusted: Sequence[Network],
        house: AsgiShell,
        express: FastPath | None,
        phone_lane: PhoneLane,
        phone_path: str,
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._trusted = trusted
        self._house = house
        self._express = express
        self._phone_lane = phone_lane
        self._phone_path = phone_path
        self._waiting: set[trio.CancelScope] = set()
        self._draining = False

    def renew(self, tls: ssl.SSLContext) -> None:
        """Has connections that come from now on get another certificate."""
        self._tls = tls

    def drain(self) -> None:
        """Closes the connections that have no request: those reading a head, those closing."""
        self._draining = True
        for scope in self._waiting:
            scope.cancel()
        if self._express is not None:
            self._express.drain()

    async def serve(self, connection: Connection, address: tuple[str, int]) -> None:
        """Serves one connection to its end, and closes it."""
        arrival = _Arrival(connection, connection, HeadReader(self._settings.max_head_bytes))
        peer = SocketPeer(
            address=address[0],
            port=address[1],
            scheme="http" if self._tls is None else "https",
        )
        try:
            begun: bytes | None = b""
            while begun is not None and await self._enter(arrival, begun):
                begun = await self._attend(arrival, connection, peer)
        except Refused as refused:
            await self._answer(arrival.stream, refused)
        with self._wait_at_most(CLOSE_S):
            await arrival.stream.aclose()

    async def _enter(self, arrival: "_Arrival", begun: bytes) -> bool:
        """Handshake and head within one deadline; whether there is something to serve.

        `begun` is what has come of a head behind an earlier request.

        Raises:
            Refused: The head won't do, or took too long.
        """
        if self._draining:  # accepted just before the listener closed
            await trio.aclose_forcefully(arrival.stream)
            return False
        # Broken: the client is gone, or what it spoke was no TLS. Nobody is there to tell.
        gone = suppress(trio.BrokenResourceError)
        with self._wait_at_most(self._settings.head_timeout_s) as waiting, gone:
            return await self._read(arrival, begun)
        if waiting.cancelled_caught and arrival.reader.begun and not self._draining:
            raise Refused(408, "The head of the request took too long to come.", "request_timeout")
        if waiting.cancelled_caught:
            await trio.aclose_forcefully(arrival.stream)
        return False

    async def _read(self, arrival: "_Arrival", data: bytes) -> bool:
        if not data and self._tls is not None:
            first = await arrival.connection.peek()
            if first != _TLS_HANDSHAKE and first.isascii() and first.isalpha():
                raise Refused(400, PLAIN_HTTP, "https_required")
            secured = trio.SSLStream(arrival.stream, self._tls, server_side=True)
            await secured.do_handshake()
            arrival.stream = secured
        if data:
            arrival.reader = HeadReader(self._settings.max_head_bytes)
        while data := data or bytes(await arrival.stream.receive_some(_RECEIVE_BYTES)):
            whole = arrival.reader.feed(data)
            if whole is not None:
                head, arrival.rest = whole
                arrival.plain = None if self._express is None else self._express.take(head)
                arrival.head = parse(head) if arrival.plain is None else None
                return True
            data = b""
        return False

    async def _attend(
        self, arrival: "_Arrival", connection: Connection, peer: SocketPeer
    ) -> bytes | None:
        """Hands the connection to its lane; gives what came of another head, if it may go on."""
        stream, head, rest = arrival.stream, arrival.head, arrival.rest
        if self._express is not None and arrival.plain is not None:
            return await self._express.serve(connection, stream, peer, arrival.plain, rest)
        assert head is not None  # noqa: S101 - one of both was read
        match choose(head, self._phone_path):
            case Lane.PHONE:
                check_handshake(head)
                true = true_peer(peer.address, peer.scheme, head.headers, self._trusted)
                await self._phone_lane(Replay(stream, rest), head, true)
            case Lane.HOUSE:
                await self._house.serve_request(stream, peer, head.raw + rest)
        return None

    async def _answer(self, stream: trio.abc.Stream, refused: Refused) -> None:
        answer = error_answer(
            refused.status,
            refused.detail,
            refused.code,
            date=format_date_time(time.time()),
            headers=refused.headers,
        )
        with self._wait_at_most(CLOSE_S), suppress(trio.BrokenResourceError):
            await stream.send_all(answer)

    @contextmanager
    def _wait_at_most(self, seconds: float) -> Iterator[trio.CancelScope]:
        """A deadline for what isn't worth waiting for once the server drains."""
        with trio.move_on_after(seconds) as scope:
            self._waiting.add(scope)
            try:
                yield scope
            finally:
                self._waiting.discard(scope)


@attrs.define
class _Arrival:
    """A connection on its way in: what has been learnt of it so far."""

    connection: Connection
    stream: trio.abc.Stream
    reader: HeadReader
    plain: PlainRequest | None = None
    head: RequestHead | None = None
    """Of a request that is not plain."""
    rest: bytes = b""
