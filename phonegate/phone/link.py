"""One websocket to the gateway, from its upgrade to its end."""

import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import h11
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection
from trio_websocket import wrap_client_stream as open_websocket
from wsproto.utilities import ProtocolError

from phonegate import trust
from phonegate.domain.credentials import is_key_like
from phonegate.phone.address import Address
from phonegate.phone.errors import CredentialsRefused, LinkRefused

MAX_FRAME_BYTES = 262_144
"""More than the longest push has: 39,015 characters, each written in six bytes of ASCII."""
QUEUE_FRAMES = 128
"""More than a gateway pushes without acks, so that pings behind its pushes are read."""

REPLACED = 4000
"""Close code: another connection of the same device took over."""
POLICY = 1008
"""Close code (RFC 6455, 7.4.1): the phone sent too many frames that make no sense."""
ABNORMAL = 1006
"""Close code of a link that broke without a close frame (RFC 6455, 7.1.5)."""
WRONG_ADDRESS = frozenset({400, 404, 405, 426})
"""HTTP statuses that mean a wrong address, unless there was a link to it before."""
MAX_RETRY_AFTER_S = 300
"""The longest Retry-After of a gateway that is obeyed."""


_NONSENSE = (ConnectionClosed, h11.ProtocolError, ProtocolError)
"""The errors of the libraries for a peer that breaks the rules of HTTP or websocket."""


@attrs.frozen(kw_only=True)
class End:
    """The end of a link, or the reason why it never began."""

    code: int | None = None
    """The gateway's close code, `ABNORMAL` for a broken link, or None where there was no link."""
    status: int | None = None
    """The HTTP status that refused the upgrade."""
    detail: str | None = None
    retry_after_s: float = 0
    """The seconds to wait that the gateway asks for, at most `MAX_RETRY_AFTER_S`."""

    @property
    def why(self) -> str:
        """Returns the reason in a few words."""
        return self.detail or f"code {self.code if self.status is None else self.status}"

    def raise_if_final(self, address: Address, *, known: bool) -> None:
        """Raises where trying again is of no use. `known` says that it has worked before.

        Raises:
            CredentialsRefused: The org and secret are not right.
            LinkRefused: The gateway refuses this phone, or there is no gateway.
        """
        if self.status in {401, 403}:
            by_key = is_key_like(address.secret)
            raise CredentialsRefused(address.org, self.status, self.detail, by_key=by_key)
        if self.code == POLICY:
            raise LinkRefused(POLICY, self.detail)
        if self.status in WRONG_ADDRESS and not known:
            detail = self.detail or f"is there a gateway at {address.netloc}?"
            raise LinkRefused(self.status, detail)


class LinkLost(Exception):
    """The link is gone, for whatever reason."""

    def __init__(self, code: int = ABNORMAL, reason: str | None = None) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"link lost with code {code}")


class Wire(trio.abc.Stream):
    """The stream under the websocket. It can be cut at once, and ends a dead handshake."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream
        self._below = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self.upgraded = False
        self.heard_at = trio.current_time()
        """When data last came from the gateway, by trio's clock."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Writes data. The caller sets the deadline."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until data can be written."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Reads data.

        Raises:
            LinkLost: The gateway closed the connection during the upgrade. The websocket library
                would go on waiting.
        """
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            if not self.upgraded:
                raise LinkLost(reason="hung up before the upgrade") from None
            raise
        if not data and not self.upgraded:
            raise LinkLost(reason="hung up before the upgrade")
        self.heard_at = trio.current_time()
        return data

    def cut(self, *, reset: bool = False) -> None:
        """Drops the connection without a close frame. With `reset` the gateway gets a TCP RST."""
        if reset:
            with contextlib.suppress(OSError):
                self._below.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        self._below.socket.close()

    async def aclose(self) -> None:
        """Closes the connection, with a close alert where there is TLS."""
        await self._stream.aclose()


@attrs.frozen(kw_only=True)
class LinkTimings:
    """The deadlines of a link. Tests pass shorter ones."""

    connect_s: float = 15
    """For TCP, TLS and the upgrade together. A gateway that checks a new secret takes a second."""
    write_s: float = 20
    """A gateway that reads nothing for so long counts as gone."""
    close_s: float = 2
    """For the close frame. The gateway may be gone already."""


TIMINGS = LinkTimings()
"""The deadlines for a real gateway."""


class Link:
    """An open link: JSON objects in and out."""

    def __init__(
        self, websocket: WebSocketConnection, wire: Wire, timings: LinkTimings = TIMINGS
    ) -> None:
        self._write_s = timings.write_s
        self._websocket = websocket
        self._wire = wire
        self.is_cut = False

    @property
    def silent_for_s(self) -> float:
        """Seconds since anything came from the gateway."""
        return trio.current_time() - self._wire.heard_at

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends one frame.

        Raises:
            LinkLost: It may or may not have been sent.
        """
        await self.send_text(json.dumps(frame, separators=(",", ":")))

    async def send_text(self, text: str) -> None:
        """Sends one frame that is text already. Raises as `send`."""
        try:
            with trio.fail_after(self._write_s):
                await self._websocket.send_message(text)
        except trio.TooSlowError:
            # Half a frame may have been sent, and nothing can follow it.
            self.cut()
            raise LinkLost(reason="the gateway stopped reading") from None
        except _NONSENSE:
            raise self._lost() from None

    async def receive(self) -> dict[str, Any]:
        """Returns the next frame that is a JSON object, and ignores others.

        Raises:
            LinkLost: The link ended. All frames that had arrived before were returned first.
        """
        while True:
            try:
                message = await self._websocket.get_message()
            except ConnectionClosed:
                raise self._lost() from None
            with contextlib.suppress(ValueError):
                frame = json.loads(message)
                if isinstance(frame, dict):
                    return frame

    async def probe(self, timeout_s: float) -> None:
        """Pings the gateway and waits for its answer.

        Raises:
            LinkLost: None came in time.
        """
        try:
            with trio.fail_after(timeout_s):
                await self._websocket.ping()
        except trio.TooSlowError:
            self.cut()
            raise LinkLost(reason="the gateway went silent") from None
        except _NONSENSE:
            raise self._lost() from None

    def cut(self, *, reset: bool = False) -> None:
        """Drops the link without a close frame."""
        self.is_cut = True
        self._wire.cut(reset=reset)

    def _lost(self) -> LinkLost:
        reason = self._websocket.closed
        if reason is None:
            return LinkLost()
        return LinkLost(reason.code, reason.reason)


async def hold_link(
    address: Address,
    session: Callable[[Link], Awaitable[None]],
    *,
    device_id: str | None = None,
    name: str | None = None,
    turnstile: trio.CapacityLimiter | None = None,
    timings: LinkTimings = TIMINGS,
) -> End:
    """Connects and runs `session` on the link. Returns how the link ended.

    `turnstile` limits how many phones of a program connect at once. A session that returns
    closes the link with code 1000, and so does a cancellation, within `timings.close_s`. A failure
    of the network is in the returned value, and never an exception.
    """
    gate = contextlib.AsyncExitStack()
    try:
        async with gate:
            if turnstile is not None:
                await gate.enter_async_context(turnstile)
            with trio.fail_after(timings.connect_s) as deadline:
                wire = Wire(await _open_stream(address))
                target = address.target(device_id=device_id, name=name)

                async def upgraded(link: Link) -> None:
                    deadline.deadline = float("inf")
                    await gate.aclose()
                    await session(link)

                return await _talk(address, target, wire, upgraded, timings)
    except trio.TooSlowError:
        return End(detail=f"no answer within {timings.connect_s} s")
    except OSError as error:
        # trio's "all attempts to connect failed" carries the reasons as a group.
        causes = error.__cause__.exceptions if isinstance(error.__cause__, ExceptionGroup) else ()
        return End(detail=str(causes[0] if causes else error))


async def _open_stream(
    address: Address,
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    stream = await trio.open_tcp_stream(address.host, address.port)
    if not address.tls:
        return stream
    context = address.ssl_context or trust.context()
    secured: trio.SSLStream[trio.SocketStream] = trio.SSLStream(
        stream, context, server_hostname=address.host, https_compatible=True
    )
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        why = trust.distrust(error, address.netloc)
        raise OSError(f"TLS failed: {error.__cause__}" if why is None else why) from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


async def _talk(
    address: Address,
    target: str,
    wire: Wire,
    session: Callable[[Link], Awaitable[None]],
    timings: LinkTimings,
) -> End:
    reading = trio.CancelScope()

    async def read(*, task_status: trio.TaskStatus[WebSocketConnection]) -> None:
        with reading:
            async with trio.open_nursery() as nursery:
                websocket = await open_websocket(
                    nursery,
                    wire,  # type: ignore[arg-type]  # it asks for no more than a Stream
                    address.netloc,
                    target,
                    extra_headers=address.headers(),
                    max_message_size=MAX_FRAME_BYTES,
                    message_queue_size=QUEUE_FRAMES,
                )
                wire.upgraded = True
                # A cancelled session still sends a close frame, and needs the reader for its
                # answer. So from here on the end of the session, below, ends the reading.
                reading.shield = True
                task_status.started(websocket)

    try:
        async with trio.open_nursery() as nursery:
            websocket = await nursery.start(read)
            link = Link(websocket, wire, timings)
            try:
                await session(link)
            finally:
                if not link.is_cut:
                    with trio.move_on_after(timings.close_s, shield=True):
                        await websocket.aclose()
                reading.cancel()
        return End(code=1000)
    except BaseExceptionGroup as group:
        return end_of(group)
    finally:
        wire.cut()


def end_of(group: BaseExceptionGroup[BaseException]) -> End:
    """Returns how a link ended, from a group of failures. Other errors are raised again."""
    network, other = group.split((LinkLost, ConnectionRejected, *_NONSENSE))
    if other is not None:
        raise other
    first: BaseException | None = network
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    match first:
        case ConnectionRejected():
            return _rejection(first)
        case LinkLost():
            return End(code=first.code, detail=first.reason)
        case _:
            return End(code=ABNORMAL)


def _rejection(error: ConnectionRejected) -> End:
    detail, retry_after_s = None, 0.0
    with contextlib.suppress(ValueError, TypeError, KeyError):
        said = json.loads(error.body or b"")["detail"]
        detail = said if isinstance(said, str) else None
    for header, value in error.headers or ():
        if header.lower() == b"retry-after" and value.isdigit():
            retry_after_s = min(float(value), MAX_RETRY_AFTER_S)
    return End(status=error.status_code, detail=detail, retry_after_s=retry_after_s)
