"""A phone's websocket: wsproto's frames on a stream, with limits and deadlines.

wsproto, which trio-websocket is built on, is used by itself: a phone then costs a third of the
memory (7 KiB and not 19) and a frame half the time, for there is no task that reads ahead into a
channel. The server has read the handshake and `link` has checked it, so what is left of it is one
answer. And what must hold here, holds by itself:

- Frames that wait leave in one write, which has a deadline. A write that was cut short ends the
  link, since nothing can follow half a frame.
- Our pongs and the answer to a close frame are not sent from here: they go the way of all frames.
- After our close frame we go on reading until it is answered: a phone that is asked to go may have
  reports under way. Pings that come then are not answered (RFC 6455, 5.5.1).
- A peer that breaks the protocol gets the reason before it is dropped.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import generate_accept_token

from phonegate.phones.close_codes import TOO_BIG
from phonegate.phones.link.frame_budget import FrameBudget, Share
from phonegate.phones.transport import LinkLost

RECEIVE_BYTES: Final = 16_384
"""Bytes read at once: a hundred results of a phone."""

PORTION: Final = 512
"""Bytes parsed at once of an org whose phones send too much: frames may be so small that there are
seven hundred in one read, and hundreds of phones have their turn one after another."""

MAX_UNPRODUCTIVE: Final = 1_048_576
"""Bytes between two whole frames, or two signs of life, before a phone is dropped: a frame of
64 KiB in pieces of one byte takes less than half of it. Twice what has come of a frame is beside
it, so that a larger one may come in pieces of eight bytes."""

MAX_PIECES: Final = 256
"""Pieces of a frame before they are put together: each costs some fifty bytes beside its own."""

CLOSE_S: Final = 3.0
"""For the end of the connection: TLS's goodbye, the server's own linger."""

LARGE_BYTES: Final = 65_536
"""From this size on a frame counts towards the budget that all large frames share. Smaller ones are
so small that every phone may have one on its way."""

MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""

_NAMES: Final = ('"messages"', '"message"', '"inbound"')

_PING: Final = Ping(payload=struct.pack("!I", 0x70676174))

_UPGRADE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)


class Quick(Protocol):
    """A connection that can also be used without a turn of the event loop."""

    def send_now(self, data: bytes) -> int:
        """Sends what the kernel takes at once. Returns how many bytes that is."""

    async def receive_next(self, max_bytes: int) -> bytes:
        """As `receive_some`, for when nothing is likely to be here yet."""


@attrs.frozen
class Read:
    """What one read brought."""

    frames: list[str | bytes]
    """The contents of whole frames."""
    reply: bytes
    """What answers pings and close frames."""
    is_last: bool
    """Nothing comes after it. Once `reply` is sent the connection ends."""
    events: int
    """How many frames, and pieces of frames, there were, control frames among them."""


class PhoneWebsocket:
    """An accepted websocket: text frames in, bytes of frames out."""

    __slots__ = (
        "_budget",
        "_frames",
        "_joined",
        "_limit",
        "_max_frame_bytes",
        "_max_inbound_bytes",
        "_parts",
        "_quick",
        "_share",
        "_size",
        "_stream",
        "_torn",
        "_unparsed",
        "_unproductive",
        "_write_timeout_s",
        "answered_at",
        "code",
        "on_give_up",
    )

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        max_frame_bytes: int,
        max_inbound_bytes: int = 0,
        write_timeout_s: float,
        budget: FrameBudget | None = None,
    ) -> None:
        """Makes a websocket over a stream, whose upgrade `accept` answers.

        Args:
            stream: The connection.
            max_frame_bytes: The most bytes of a frame.
            max_inbound_bytes: The same of one that may hold received SMS, where that is more.
            write_timeout_s: How long one write may take.
            budget: What the large frames on their way of all websockets share.
        """
        self._stream = stream
        self._quick: Quick | None = None
        self._frames = Connection(ConnectionType.SERVER)
        self._max_frame_bytes = max_frame_bytes
        self._write_timeout_s = write_timeout_s
        self._max_inbound_bytes = max(max_frame_bytes, max_inbound_bytes)
        self._limit = max_frame_bytes
        # All text or all bytes: the latest pieces of a frame, and what earlier ones were joined to.
        self._parts: list[Any] | None = None
        self._joined: list[Any] = []
        self._budget = FrameBudget() if budget is None else budget
        self._share: Share | None = None
        self.on_give_up: Callable[[], None] = _ignore
        """Called when a large frame on its way has to make room for others."""
        self._size = 0
        self._unproductive = 0
        self._unparsed = b""
        self._torn = False
        self.code: int | None = None
        """The close code, once one was given or got."""
        self.answered_at = trio.current_time()
        """When a pong came from the phone last, by trio's clock: it has read our ping. What else
        it says is no proof of that."""

    async def accept(self, key: bytes) -> None:
        """Answers the upgrade whose `Sec-WebSocket-Key` is `key`.

        Raises:
            LinkLost: The phone has left meanwhile.
        """
        await self.send(_UPGRADE % generate_accept_token(key))
        self._quick = getattr(self._stream, "bare", None)

    def refresh(self) -> None:
        """Notes that the phone gave a sign of life."""
        self._unproductive = 0

    async def receive(self, sparing: Callable[[], bool] = lambda: False) -> Read:
        """Reads what comes next. Where `sparing` says so, it is no more than a portion.

        Raises:
            LinkLost: The link has ended.
        """
        data = self._unparsed
        if data:
            await trio.lowlevel.checkpoint()
        else:
            data = await self._read()
        most = PORTION if sparing() else RECEIVE_BYTES
        data, self._unparsed = data[:most], data[most:]
        self._unproductive += len(data)
        if self._unproductive > MAX_UNPRODUCTIVE + 2 * self._size:
            # Bytes without end make no frame.
            raise LinkLost
        return self._parse(data)

    async def _read(self) -> bytes:
        try:
            if self._quick is None:
                data = await self._stream.receive_some(RECEIVE_BYTES)
                # Plain connections are used as they are, after what came with the handshake.
                self._quick = getattr(self._stream, "bare", None)
            else:
                data = await self._quick.receive_next(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise LinkLost from None
        if not data:
            raise LinkLost
        return bytes(data)

    async def send(self, data: bytes) -> None:
        """Sends bytes in one write. Not for two tasks at once.

        Raises:
            LinkLost: Some of them may not have been sent, and the link can't be used any more.
        """
        if self._torn:
            raise LinkLost
        self._torn = True
        try:
            sent = 0 if self._quick is None else self._quick.send_now(data)
            if sent < len(data):
                with trio.CancelScope(
                    deadline=trio.current_time() + self._write_timeout_s
                ) as scope:
                    await self._stream.send_all(data[sent:])
                if scope.cancelled_caught:
                    raise LinkLost
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise LinkLost from None
        self._torn = False

    def send_now(self, data: bytes) -> bytes:
        """Sends what can go at once. Returns what is left, for `send` to send before all else.

        Nothing goes while `send` is under way, or once the link is lost, which `send` then raises.
        """
        if self._torn or self._quick is None:
            return data
        try:
            return data[self._quick.send_now(data) :]
        except trio.BrokenResourceError:
            self._torn = True
            return data

    def text(self, text: str) -> bytes:
        """Returns the bytes of a text frame, or none once a close frame was made."""
        if self._frames.state is not ConnectionState.OPEN:
            return b""
        return self._frames.send(TextMessage(data=text))

    def ping(self) -> bytes:
        """Returns the bytes of a ping, or none once a close frame was made."""
        return self._frames.send(_PING) if self._frames.state is ConnectionState.OPEN else b""

    def goodbye(self, code: int, reason: str) -> bytes:
        """Returns the bytes of a close frame, or none if one was made before."""
        if self._frames.state is not ConnectionState.OPEN:
            return b""
        self.code = code
        cut = reason.encode()[:MAX_REASON].decode(errors="ignore")
        return self._frames.send(CloseConnection(code=code, reason=cut))

    async def drop(self) -> None:
        """Closes the connection under the websocket, without a close frame."""
        self._forget()
        with trio.move_on_after(CLOSE_S):
            await self._stream.aclose()

    def _parse(self, data: bytes) -> Read:
        frames: list[str | bytes] = []
        pong = close = b""
        over = False
        events = 0
        self._frames.receive_data(data)
        for event in self._frames.events():
            events += 1
            match event:
                case TextMessage() | BytesMessage():
                    if (whole := self._join(event)) is not None:
                        frames.append(whole)
                    if self._size > self._limit:
                        problem = f"more than {self._limit} bytes in one frame"
                        close = self.goodbye(TOO_BIG, problem)
                        over = True
                        self._forget()
                        break
                    if event.message_finished:
                        self._size = self._unproductive = 0
                        self._limit = self._max_frame_bytes
                case Ping():
                    if self._frames.state is ConnectionState.OPEN:
                        # Only the latest of several needs an answer (RFC 6455, 5.5.3).
                        pong = self._frames.send(event.response())
                case Pong():
                    self.answered_at = trio.current_time()
                case CloseConnection():
                    close = self._answer_close(event)
                    over = True
                    break
        return Read(frames, pong + close, over, events)

    def _join(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Returns the frame that these data complete, if they do and it is not too large."""
        self._size += len(event.data)
        if self._size > self._limit and not self._may_be_larger(event):
            return None
        empty: Any = "" if isinstance(event, TextMessage) else b""
        if not event.message_finished:
            if self._parts is None:
                self._parts = []
            if event.data:
                self._parts.append(event.data)
            if len(self._parts) >= MAX_PIECES:
                self._joined.append(empty.join(self._parts))
                self._parts.clear()
            self._hold()
            return None
        if self._parts is not None:
            whole: str | bytes = empty.join([*self._joined, *self._parts, event.data])
            self._forget()
        else:
            whole = event.data if isinstance(event.data, str) else bytes(event.data)
        if isinstance(whole, str) and self._size * 4 > self._limit:
            # Counted in characters so far, of at most four bytes each.
            self._size = len(whole.encode())
            if self._size > self._limit and not (_names_sms(whole) and self._widen()):
                return None
        return whole

    def _may_be_larger(self, event: TextMessage | BytesMessage) -> bool:
        """Tells whether the frame on its way may be one of received SMS, and fits as one."""
        if isinstance(event, BytesMessage):
            return False
        begun = "".join((*self._joined, *(self._parts or ()), event.data))
        return _names_sms(begun) and self._widen()

    def _widen(self) -> bool:
        self._limit = self._max_inbound_bytes
        return self._size <= self._limit

    def _hold(self) -> None:
        """Takes its share of the budget for large frames."""
        if self._share is not None:
            self._share.grew(self._size)
        elif self._size > LARGE_BYTES:
            self._share = self._budget.enter(self._crowded_out)
            self._share.grew(self._size)

    def _forget(self) -> None:
        """Forgets the frame that is on its way."""
        self._parts = None
        self._joined.clear()
        if self._share is not None:
            self._share.leave()
            self._share = None

    def _crowded_out(self) -> None:
        self._forget()
        # Whatever else of it comes is too much.
        self._size, self._limit = 1, 0
        self.on_give_up()

    def _answer_close(self, event: CloseConnection) -> bytes:
        match self._frames.state:
            case ConnectionState.REMOTE_CLOSING:
                self.code = int(event.code)
                return self._frames.send(event.response())
            case ConnectionState.OPEN:
                # Not the phone's: wsproto says so that the phone broke the protocol.
                return self.goodbye(int(event.code), "a broken frame")
            case _:
                return b""


def _names_sms(text: str) -> bool:
    """Tells whether the beginning of a frame has a name that frames of received SMS have."""
    return any(name in text for name in _NAMES)


def _ignore() -> None:
    """Does nothing."""
