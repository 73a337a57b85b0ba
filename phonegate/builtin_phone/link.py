"""A link within one process: its frames are the text that others send over a websocket."""

import json
from collections.abc import Callable
from typing import Any, Final

import trio

from phonegate.phone import link as phone_link
from phonegate.phones.frames import FrameFault, GatewayFrame, encode
from phonegate.phones.link.frame_reader import read
from phonegate.phones.transport import Heard, Incoming, LinkLost

UP: Final = 100
"""Frames of the phone that wait to be read. A phone sends no more at once than it has results."""
DOWN: Final = 64
"""Frames that wait for the phone beside a full window of pushes."""
WRITE_S: Final = 20
"""Seconds that a frame of the phone waits for room, as on a websocket."""


class InnerTransport:
    """The gateway's end. It implements `phones.transport.Transport`."""

    def __init__(
        self, down: trio.MemorySendChannel[str], up: trio.MemoryReceiveChannel[str]
    ) -> None:
        self.close_code: int | None = None
        self.reason = ""
        self._down = down
        self._up = up

    @property
    def answered_at(self) -> float:
        """The present: within one process no link dies unnoticed."""
        return trio.current_time()

    def start(
        self, nursery: trio.Nursery, *, lost: Callable[[], None], crowded_out: Callable[[], None]
    ) -> None:
        """Does nothing: frames are there for the phone once they are sent."""

    async def receive(self, sparing: Callable[[], bool]) -> Heard:
        """Reads the next frame.

        Raises:
            LinkLost: The phone has ended the link.
        """
        del sparing
        try:
            text = await self._up.receive()
        except trio.EndOfChannel:
            raise LinkLost from None
        try:
            return _heard(Incoming(read(text), len(text)))
        except FrameFault as fault:
            return _heard(Incoming(fault, len(text)))

    async def send(self, frame: GatewayFrame) -> None:
        """Sends a frame once there is room. On a link that ends it is dropped."""
        try:
            await self._down.send(encode(frame))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def send_now(self, frame: GatewayFrame) -> None:
        """Sends a frame without waiting.

        Raises:
            trio.WouldBlock: Too much waits to be sent.
        """
        try:
            self._down.send_nowait(encode(frame))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def probe(self) -> None:
        """Does nothing, see `answered_at`."""

    def close(self, code: int, reason: str) -> None:
        """Ends the link, after all that waits."""
        self.close_code, self.reason = code, reason
        self._down.close()

    def finish(self) -> None:
        """Ends the link after what was sent. What still waits for room is dropped."""
        self._down.close()

    def rest(self) -> None:
        """Does nothing: no task is kept for the link."""


class InnerLink:
    """The phone's end. It implements `phone.connector.OpenLink`."""

    def __init__(
        self,
        transport: InnerTransport,
        up: trio.MemorySendChannel[str],
        down: trio.MemoryReceiveChannel[str],
    ) -> None:
        self.is_cut = False
        self._transport = transport
        self._up = up
        self._down = down

    @property
    def silent_for_s(self) -> float:
        """Never anything: within one process no link dies unnoticed."""
        return 0.0

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends one frame.

        Raises:
            phonegate.phone.link.LinkLost: It may or may not be read.
        """
        try:
            with trio.fail_after(WRITE_S):
                await self._up.send(json.dumps(frame))
        except trio.TooSlowError:
            self.cut()
            raise phone_link.LinkLost(reason="the gateway stopped reading") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._lost() from None

    async def receive(self) -> dict[str, Any]:
        """Returns the next frame.

        Raises:
            phonegate.phone.link.LinkLost: The gateway has ended the link.
        """
        try:
            frame: dict[str, Any] = json.loads(await self._down.receive())
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise self._lost() from None
        return frame

    async def probe(self, timeout_s: float) -> None:
        """Does nothing, see `silent_for_s`."""
        del timeout_s
        await trio.lowlevel.checkpoint()

    def cut(self, *, reset: bool = False) -> None:
        """Ends the link."""
        del reset
        self.is_cut = True
        self._up.close()
        self._down.close()

    def _lost(self) -> phone_link.LinkLost:
        code = self._transport.close_code
        if code is None:
            return phone_link.LinkLost()
        return phone_link.LinkLost(code, self._transport.reason)


def open_link(window: int) -> tuple[InnerLink, InnerTransport]:
    """Returns the two ends of a new link, on which so many pushes may be in flight."""
    up, heard = trio.open_memory_channel[str](UP)
    down, given = trio.open_memory_channel[str](window + DOWN)
    transport = InnerTransport(down, heard)
    return InnerLink(transport, up, given), transport


def _heard(incoming: Incoming) -> Heard:
    return Heard([incoming], 1, is_last=False)
