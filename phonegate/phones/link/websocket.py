"""A phone's websocket: frames on a stream, with limits and deadlines.

Nearly all frames are plain ones (see `plain_frames`). The first that is not makes an object of
wsproto, which reads from there on until it is between two frames again. A phone that has never
sent one costs no memory for it, nor a task that reads ahead into a channel. The server has read the
handshake and `link` has checked it, so what is left of it is one answer. And what must hold here,
holds by itself:

- Frames that wait leave in one write, which has a deadline. A write that was cut short ends the
  link, since nothing can follow half a frame.
- Our pongs and the answer to a close frame are not sent from here: they go the way of all frames.
- After our close frame we go on reading until it is answered: a phone that is asked to go may have
  reports under way. Pings that come then are not answered (RFC 6455, 5.5.1).
- A peer that breaks the protocol gets the reason before it is dropped.
"""

import base64
import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import attrs
import trio

from phonegate.phones.link import plain_frames
from phonegate.phones.link.frame_budget import FrameBudget
from phonegate.phones.transport import LinkLost

if TYPE_CHECKING:
    from phonegate.phones.link.general_frames import GeneralFrames

RECEIVE_BYTES: Final = 16_384
"""Bytes read at once: a hundred results of a phone."""

PORTION: Final = 512
"""Bytes parsed at once of an org whose phones send too much: frames may be so small that there are
seven hundred in one read, and hundreds of phones have their turn one after another."""

MAX_UNPRODUCTIVE: Final = 1_048_576
"""Bytes between two whole frames, or two signs of life, before a phone is dropped: a frame of
64 KiB in pieces of one byte takes less than half of it. Twice what has come of a frame is beside
it, so that a larger one may come in pieces of eight bytes."""

CLOSE_S: Final = 3.0
"""For the end of the connection: TLS's goodbye, the server's own linger."""

_PING: Final = plain_frames.ping(struct.pack("!I", 0x70676174))

_UPGRADE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)


_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What shows that a server speaks the protocol (RFC 6455, 1.3)."""


class Quick(Protocol):
    """A connection that can also be used without a turn of the event loop."""

    def send_now(self, data: bytes) -> int:
        """Sends what the kernel takes at once. Returns how many bytes that is."""

    async def receive_next(self, max_bytes: int) -> bytes:
        """As `receive_some`, for when nothing is likely to be here yet."""


@attrs.frozen
class Read:
    """What one read brought."""

    frames: Sequence[str | bytes]
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
        "_begun",
        "_budget",
        "_general",
        "_max_frame_bytes",
        "_max_inbound_bytes",
        "_plain_bytes",
        "_quick",
        "_stream",
        "_torn",
        "_unparsed",
        "_unproductive",
        "_unsent",
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
        """Makes a websocket over a stream, whose handshake is answered by what `upgrade` returns.

        Args:
            stream: The connection.
            max_frame_bytes: The most bytes of a frame.
            max_inbound_bytes: The same of one that may hold received SMS, where that is more.
            write_timeout_s: How long one write may take.
            budget: What the large frames on their way of all websockets share.
        """
        self._stream = stream
        self._quick: Quick | None = None
        self._general: GeneralFrames | None = None
        """Reads what is no plain frame, and makes our close frame. None while there is no such."""
        self._begun = b""
        """The beginning of a plain frame."""
        self._plain_bytes = min(max_frame_bytes, plain_frames.PLAIN_BYTES)
        self._max_frame_bytes = max_frame_bytes
        self._write_timeout_s = write_timeout_s
        self._max_inbound_bytes = max(max_frame_bytes, max_inbound_bytes)
        self._budget = FrameBudget() if budget is None else budget
        self.on_give_up: Callable[[], None] = _ignore
        """Called when a large frame on its way has to make room for others."""
        self._unproductive = 0
        self._unparsed = b""
        self._unsent = b""
        self._torn = False
        self.code: int | None = None
        """The close code, once one was given or got."""
        self.answered_at = trio.current_time()
        """When a pong came from the phone last, by trio's clock: it has read our ping. What else
        it says is no proof of that."""

    def upgrade(self, key: bytes) -> bytes:
        """Returns the answer to the upgrade whose `Sec-WebSocket-Key` is `key`.

        It goes before all frames.
        """
        self._quick = getattr(self._stream, "bare", None)
        return _UPGRADE % _accepted(key)

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
        size = 0 if self._general is None else self._general.size
        if self._unproductive > MAX_UNPRODUCTIVE + 2 * size:
            # Bytes without end make no frame.
            raise LinkLost
        begun, self._begun = self._begun, b""
        return self._parse(begun + data)

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

    @property
    def is_quick(self) -> bool:
        """Tells whether `send_now` may send at all: not under TLS."""
        return self._quick is not None

    @property
    def has_unsent(self) -> bool:
        """Tells whether something that `send_now` took is left for `send`."""
        return bool(self._unsent)

    async def send(self, data: bytes) -> None:
        """Sends bytes in one write, after what is left of earlier ones. Not for two tasks at once.

        Raises:
            LinkLost: Some of them may not have been sent, and the link can't be used any more.
        """
        if self._torn:
            raise LinkLost
        self._torn = True
        data, self._unsent = self._unsent + data, b""
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

    def send_now(self, data: bytes) -> bool:
        """Takes bytes and sends of them what can go at once. Returns whether they were taken.

        What is left of them goes by `send`, before all else. None are taken while some are left,
        while `send` is under way, or once the link is lost, which `send` then raises.
        """
        if self._torn or self._unsent or self._quick is None:
            return False
        try:
            self._unsent = data[self._quick.send_now(data) :]
        except trio.BrokenResourceError:
            self._torn = True
            return False
        return True

    def text(self, text: str) -> bytes:
        """Returns the bytes of a text frame, or none once a close frame was made."""
        return plain_frames.text(text.encode()) if self._is_open else b""

    def ping(self) -> bytes:
        """Returns the bytes of a ping, or none once a close frame was made."""
        return _PING if self._is_open else b""

    def goodbye(self, code: int, reason: str) -> bytes:
        """Returns the bytes of a close frame, or none if one was made before."""
        if not self._is_open:
            return b""
        self.code = code
        return self._make_general().goodbye(code, reason)

    async def drop(self) -> None:
        """Closes the connection under the websocket, without a close frame."""
        if self._general is not None:
            self._general.forget()
        with trio.move_on_after(CLOSE_S):
            await self._stream.aclose()

    @property
    def _is_open(self) -> bool:
        """Whether neither side has made a close frame."""
        return self._general is None or self._general.is_open

    def _make_general(self) -> "GeneralFrames":
        if self._general is None:
            # wsproto, with h11 under it.
            from phonegate.phones.link.general_frames import GeneralFrames  # noqa: PLC0415

            self._general = GeneralFrames(
                max_frame_bytes=self._max_frame_bytes,
                max_inbound_bytes=self._max_inbound_bytes,
                budget=self._budget,
                on_give_up=self._give_up,
            )
        return self._general

    def _give_up(self) -> None:
        self.on_give_up()

    def _parse(self, data: bytes) -> Read:
        general = self._general
        if general is not None and general.is_amid:
            return self._parse_any(data, [], b"", 0)
        plain = plain_frames.read(data, self._plain_bytes)
        events, pong = plain.events, b""
        if plain.texts:
            self._unproductive = 0
        if plain.ping is not None and self._is_open:
            # Only the latest of several needs an answer (RFC 6455, 5.5.3).
            pong = plain_frames.pong(plain.ping)
        if plain.ponged:
            self.answered_at = trio.current_time()
        rest = data[plain.end :]
        if plain_frames.is_begun(rest, self._plain_bytes):
            self._begun, rest = rest, b""
            events += 1
        if rest:
            return self._parse_any(rest, plain.texts, pong, events)
        return Read(plain.texts, pong, is_last=False, events=events)

    def _parse_any(self, data: bytes, before: Sequence[str], pong: bytes, events: int) -> Read:
        """Parses what begins with no plain frame, after the texts, ping and frames before it."""
        general = self._make_general()
        taken = general.take(data)
        if taken.is_productive:
            self._unproductive = 0
        if taken.ponged:
            self.answered_at = trio.current_time()
        if taken.code is not None:
            self.code = taken.code
        if general.is_open and not general.is_amid:
            self._general = None
        return Read(
            [*before, *taken.frames],
            (taken.pong or pong) + taken.close,
            is_last=taken.is_last,
            events=events + taken.events,
        )


def _ignore() -> None:
    """Does nothing."""


def _accepted(key: bytes) -> bytes:
    """Returns what answers the key of a handshake (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
