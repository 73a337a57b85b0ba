"""A phone's websocket: trio-websocket on a stream that bounds, times and cleans what passes.

All that is peculiar to that library is dealt with here:

- It parses whatever handshake it is given, and some make it raise. It never sees a phone's: the
  door has read the head, `link` has checked it, and a plain one of ours takes its place.
- What arrives behind the handshake is held back until the upgrade is answered.
- It sends frame by frame and waits for nothing it sent; here waiting frames leave in one write,
  and every write, its own pongs included, has a deadline. A write that was cut short ends the
  link, since nothing can follow half a frame.
- A ping that comes behind our close frame ends its reading task; here it is not answered.
- After its own `aclose` it throws away what still arrives. A phone that is told to go may have
  reports under way, so here the close frame is sent and reading goes on until it is answered.
- It drops a connection that breaks the websocket protocol without saying why; here the close
  frame comes first.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

QUEUE_FRAMES: Final = 16
"""Frames read ahead of the session, so that a burst costs few task switches."""

MAX_UNPRODUCTIVE: Final = 1_048_576
"""Bytes between two whole frames, or two signs of life, before a phone is dropped: a frame of
64 KiB in pieces of one byte takes less than half of it. The library keeps a list of pieces."""

CLOSE_S: Final = 3.0
"""For the end of the connection: the last close frame, TLS's goodbye, the door's own linger."""

TOO_BIG: Final = 1009
"""Close code (RFC 6455, 7.4.1)."""

_FAULTS: Final = frozenset({1002, 1003, 1007, TOO_BIG})
"""Close codes by which the library answers a peer that broke the protocol."""

LIBRARY_FAULTS: Final = (ConnectionClosed, LocalProtocolError, RemoteProtocolError)
"""What the library's reading task dies of when a phone does what it did not foresee, such as a
broken frame behind our close frame. It ends one link and says nothing about us."""

MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""

_PING: Final = struct.pack("!I", 0x70676174)


class LinkLost(Exception):
    """The link is gone, by whichever side or fault."""


class _Line(trio.abc.Stream):
    """The stream under the websocket."""

    def __init__(self, stream: trio.abc.Stream, head: bytes, write_timeout_s: float) -> None:
        """`head` is read before the stream's own bytes, which wait until `open` is called."""
        self._stream = stream
        self._head = head
        self._opened = trio.Event()
        self._write_timeout_s = write_timeout_s
        self._lock = trio.Lock()
        self._torn = False
        self._closed = False
        self.heard_at = trio.current_time()
        self.unproductive = 0
        self.parting: Callable[[], bytes] = bytes
        """Called once at the close: what to send before it."""

    def open(self) -> None:
        self._opened.set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        async with self._lock:
            if self._torn:
                raise trio.BrokenResourceError
            self._torn = True
            try:
                with trio.fail_after(self._write_timeout_s):
                    await self._stream.send_all(data)
            except trio.TooSlowError:
                raise trio.BrokenResourceError("the phone does not read") from None
            self._torn = False

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._head:
            head, self._head = self._head, b""
            return head
        await self._opened.wait()
        data = await self._stream.receive_some(max_bytes)
        self.heard_at = trio.current_time()
        self.unproductive += len(data)
        if self.unproductive > MAX_UNPRODUCTIVE:
            raise trio.BrokenResourceError("bytes without end make no frame")
        return data

    async def aclose(self) -> None:
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        # A stream whose goodbye is cut short is closed all the same.
        with trio.move_on_after(CLOSE_S):
            try:
                if data := self.parting():
                    await self.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                await self._stream.aclose()


class PhoneSocket:
    """An accepted websocket: text frames in and out."""

    def __init__(self, websocket: WebSocketConnection, line: _Line, max_frame_bytes: int) -> None:
        self._websocket = websocket
        # The one thing used of the library's inside: the protocol object that makes frames, its
        # own pongs included.
        self._frames = cast("Any", websocket._wsproto)  # noqa: SLF001
        self._make = self._frames.send
        self._frames.send = self._send_if_open
        self._line = line
        self._max_frame_bytes = max_frame_bytes
        line.parting = self._parting

    @classmethod
    async def accept(
        cls,
        nursery: trio.Nursery,
        stream: trio.abc.Stream,
        key: bytes,
        *,
        max_frame_bytes: int,
        write_timeout_s: float,
    ) -> "PhoneSocket":
        """Answers the upgrade whose `Sec-WebSocket-Key` is `key`.

        Raises:
            LinkLost: the phone left meanwhile.
        """
        head = (
            b"GET / HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        line = _Line(stream, head, write_timeout_s)
        request = await wrap_server_stream(
            nursery,
            line,
            message_queue_size=QUEUE_FRAMES,
            # In characters; `receive` counts the bytes, at most four times as many.
            max_message_size=max_frame_bytes,
        )
        try:
            websocket = await request.accept()
        except ConnectionClosed:
            raise LinkLost from None
        line.open()
        return cls(websocket, line, max_frame_bytes)

    @property
    def heard_at(self) -> float:
        """When anything came from the phone last, by trio's clock."""
        return self._line.heard_at

    @property
    def code(self) -> int | None:
        """The close code, once the link has ended."""
        reason = self._websocket.closed
        return None if reason is None else int(reason.code)

    def refresh(self) -> None:
        """Says that the phone gave a sign of life."""
        self._line.unproductive = 0

    async def receive(self) -> str | bytes:
        """The next frame; what arrived before the link's end is given out first.

        Raises:
            LinkLost: the link ended.
        """
        try:
            data = await self._websocket.get_message()
        except ConnectionClosed:
            raise LinkLost from None
        self._line.unproductive = 0
        if isinstance(data, str) and len(data) * 4 > self._max_frame_bytes:
            size = len(data.encode())
            if size > self._max_frame_bytes:
                await self.close(TOO_BIG, f"{size} bytes are more than {self._max_frame_bytes}")
                raise LinkLost
        return data

    async def send(self, texts: Sequence[str | None]) -> None:
        """Sends frames in one write; None stands for a ping.

        Raises:
            LinkLost: some of them may not have gone; the link can't be used any more.
        """
        events = (Ping(payload=_PING) if t is None else TextMessage(data=t) for t in texts)
        try:
            data = b"".join(self._frames.send(event) for event in events)
            await self._line.send_all(data)
        except (LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
            raise LinkLost from None

    async def close(self, code: int, reason: str) -> None:
        """Sends the close frame, unless one went before; `receive` goes on until the answer.

        Raises:
            LinkLost: it could not be sent.
        """
        cut = reason.encode()[:MAX_REASON].decode(errors="ignore")
        if self._frames.state is not ConnectionState.OPEN:
            return
        try:
            await self._line.send_all(self._frames.send(CloseConnection(code=code, reason=cut)))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise LinkLost from None

    async def drop(self) -> None:
        """Closes the connection under the websocket."""
        await self._line.aclose()

    def _send_if_open(self, event: Event) -> bytes:
        """The bytes of a frame; a pong is none once we have said goodbye (RFC 6455, 5.5.1)."""
        if isinstance(event, Pong) and self._frames.state is ConnectionState.LOCAL_CLOSING:
            return b""
        data: bytes = self._make(event)
        return data

    def _parting(self) -> bytes:
        """Tells a peer that broke the protocol why it is dropped."""
        if self.code not in _FAULTS or self._frames.state is not ConnectionState.OPEN:
            return b""
        data: bytes = self._frames.send(CloseConnection(code=self.code, reason="a broken frame"))
        return data
