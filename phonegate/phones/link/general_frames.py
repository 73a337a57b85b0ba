"""Any frames of a phone's websocket, read by wsproto: those in pieces, large ones and broken ones.

Pure but for the budget that all large frames share. A peer that breaks the protocol gets the reason
before it is dropped.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from phonegate.phones.close_codes import TOO_BIG
from phonegate.phones.link import plain_frames
from phonegate.phones.link.frame_budget import FrameBudget, Share

MAX_PIECES: Final = 256
"""Pieces of a frame before they are put together: each costs some fifty bytes beside its own."""

LARGE_BYTES: Final = 65_536
"""From this size on a frame counts towards the budget that all large frames share. Smaller ones are
so small that every phone may have one on its way."""

MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""

_NAMES: Final = ('"messages"', '"message"', '"inbound"')


@attrs.define
class Taken:
    """What some bytes brought."""

    frames: list[str | bytes] = attrs.field(factory=list)
    """The contents of whole frames."""
    events: int = 0
    """How many frames, and pieces of frames, there were, control frames among them."""
    pong: bytes = b""
    """What answers the latest ping."""
    ponged: bool = False
    """There was a pong."""
    is_productive: bool = False
    """A frame was whole."""
    code: int | None = None
    """The close code that was given or got."""
    close: bytes = b""
    """The close frame that is to be sent."""
    is_last: bool = False
    """Nothing comes after it."""


class GeneralFrames:
    """Reads frames, from the beginning of one on, until it is between two again."""

    __slots__ = (
        "_budget",
        "_frames",
        "_joined",
        "_limit",
        "_max_frame_bytes",
        "_max_inbound_bytes",
        "_on_give_up",
        "_parts",
        "_share",
        "size",
    )

    def __init__(
        self,
        *,
        max_frame_bytes: int,
        max_inbound_bytes: int,
        budget: FrameBudget,
        on_give_up: Callable[[], None],
    ) -> None:
        """Makes a reader.

        Args:
            max_frame_bytes: The most bytes of a frame.
            max_inbound_bytes: The same of one that may hold received SMS.
            budget: What the large frames on their way of all websockets share.
            on_give_up: Called when a large frame on its way has to make room for others.
        """
        self._frames = Connection(ConnectionType.SERVER)
        self._max_frame_bytes = max_frame_bytes
        self._max_inbound_bytes = max_inbound_bytes
        self._limit = max_frame_bytes
        # All text or all bytes: the latest pieces of a frame, and what earlier ones were joined to.
        self._parts: list[Any] | None = None
        self._joined: list[Any] = []
        self._budget = budget
        self._share: Share | None = None
        self._on_give_up = on_give_up
        self.size = 0
        """What has come of a frame in several pieces."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has made a close frame."""
        return self._frames.state is ConnectionState.OPEN

    @property
    def is_amid(self) -> bool:
        """Whether it waits for the rest of a frame, or of one in several pieces."""
        # wsproto has no public way to tell.
        protocol = self._frames._proto  # noqa: SLF001
        decoder = protocol._frame_decoder  # noqa: SLF001
        pieces = protocol._message_decoder  # noqa: SLF001
        return decoder.header is not None or len(decoder.buffer) > 0 or pieces.opcode is not None

    def take(self, data: bytes) -> Taken:
        """Takes what came next."""
        taken = Taken()
        self._frames.receive_data(data)
        for event in self._frames.events():
            taken.events += 1
            match event:
                case TextMessage() | BytesMessage():
                    self._take_data(event, taken)
                case Ping():
                    if self.is_open:
                        # Only the latest of several needs an answer (RFC 6455, 5.5.3).
                        taken.pong = plain_frames.pong(event.payload)
                case Pong():
                    taken.ponged = True
                case CloseConnection():
                    self._take_close(event, taken)
            if taken.is_last:
                break
        return taken

    def goodbye(self, code: int, reason: str) -> bytes:
        """Returns the bytes of the first close frame."""
        cut = reason.encode()[:MAX_REASON].decode(errors="ignore")
        return self._frames.send(CloseConnection(code=code, reason=cut))

    def forget(self) -> None:
        """Forgets the frame that is on its way."""
        self._parts = None
        self._joined.clear()
        if self._share is not None:
            self._share.leave()
            self._share = None

    def _take_data(self, event: TextMessage | BytesMessage, taken: Taken) -> None:
        if (whole := self._join(event)) is not None:
            taken.frames.append(whole)
        if self.size > self._limit:
            taken.is_last = True
            if self.is_open:
                taken.code = TOO_BIG
                problem = f"more than {self._limit} bytes in one frame"
                taken.close = self.goodbye(TOO_BIG, problem)
            self.forget()
        elif event.message_finished:
            self.size = 0
            self._limit = self._max_frame_bytes
            taken.is_productive = True

    def _take_close(self, event: CloseConnection, taken: Taken) -> None:
        taken.is_last = True
        match self._frames.state:
            case ConnectionState.REMOTE_CLOSING:
                taken.code = int(event.code)
                taken.close = self._frames.send(event.response())
            case ConnectionState.OPEN:
                # Not the phone's: wsproto says so that the phone broke the protocol.
                taken.code = int(event.code)
                taken.close = self.goodbye(taken.code, "a broken frame")
            case _:
                pass

    def _join(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Returns the frame that these data complete, if they do and it is not too large."""
        self.size += len(event.data)
        if self.size > self._limit and not self._may_be_larger(event):
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
            self.forget()
        else:
            whole = event.data if isinstance(event.data, str) else bytes(event.data)
        if isinstance(whole, str) and self.size * 4 > self._limit:
            # Counted in characters so far, of at most four bytes each.
            self.size = len(whole.encode())
            if self.size > self._limit and not (_names_sms(whole) and self._widen()):
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
        return self.size <= self._limit

    def _hold(self) -> None:
        """Takes its share of the budget for large frames."""
        if self._share is not None:
            self._share.grew(self.size)
        elif self.size > LARGE_BYTES:
            self._share = self._budget.enter(self._crowded_out)
            self._share.grew(self.size)

    def _crowded_out(self) -> None:
        self.forget()
        # Whatever else of it comes is too much.
        self.size, self._limit = 1, 0
        self._on_give_up()


def _names_sms(text: str) -> bool:
    """Tells whether the beginning of a frame has a name that frames of received SMS have."""
    return any(name in text for name in _NAMES)
