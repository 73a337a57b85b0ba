"""What a session needs of the connection to its phone, whatever kind that is."""

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs
import trio

from phonegate.domain.plain_reports import PlainReports
from phonegate.phones.frames import FrameFault, GatewayFrame, PhoneFrame


class LinkLost(Exception):
    """The connection is gone, by whichever side or fault."""


@attrs.frozen
class FrameTooLarge:
    """A frame that is not read, for it has more bytes than one of its type may."""

    most: int


@attrs.frozen
class Incoming:
    """One frame that came, or why it can't be read."""

    content: PhoneFrame | FrameFault | FrameTooLarge
    size: int
    """What it took of memory, in bytes or characters."""


@attrs.frozen
class Heard:
    """What one read brought."""

    frames: Iterable[Incoming]
    """Its frames, each read when it is taken."""
    events: int
    """How many frames and pieces of frames it took to read, those of the connection among them."""
    is_last: bool
    """Nothing comes after it."""
    plain: PlainReports | None = None
    """What its frames say, if all of them are plain reports and the transport looks for such."""


class Transport(Protocol):
    """Carries frames to one phone and from it."""

    @property
    def answered_at(self) -> float:
        """When the phone answered a probe last, by trio's clock."""

    @property
    def close_code(self) -> int | None:
        """The code with which the connection was closed by either side, once it was."""

    def start(
        self, nursery: trio.Nursery, *, lost: Callable[[], None], crowded_out: Callable[[], None]
    ) -> None:
        """Begins to send.

        Args:
            nursery: Where its tasks run.
            lost: Called when nothing can be sent any more.
            crowded_out: Called when the connection has to end, for the memory is others' now.
        """

    async def receive(self, sparing: Callable[[], bool]) -> Heard:
        """Reads what comes next. Where `sparing` says so, it is only a little.

        Raises:
            LinkLost: Nothing comes any more.
        """

    async def send(self, frame: GatewayFrame) -> None:
        """Sends a frame once not too much waits. Over a connection that is closed it is dropped."""

    def send_now(self, frame: GatewayFrame) -> None:
        """Sends a frame without waiting.

        Raises:
            trio.WouldBlock: Too much waits to be sent.
        """

    def probe(self) -> None:
        """Asks the phone for a sign of life, ahead of all that waits."""

    def close(self, code: int, reason: str) -> None:
        """Tells the phone that the connection ends. What it sends until then is still read."""

    def finish(self) -> None:
        """Sends what waits, and waits for nothing more: the connection is ending."""

    def rest(self) -> None:
        """Lets tasks go that have had little to do since this was called last."""
