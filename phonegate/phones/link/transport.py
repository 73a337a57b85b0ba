"""Frames over a phone's websocket: read from its text, and sent from a bounded outbox.

What waits is sent in one write, at the end of the event loop's turn. A worker comes for what the
connection does not take at once.
"""

from collections.abc import Callable
from typing import Final

import trio

from phonegate.phones.frames import FrameFault, GatewayFrame, Inbound, encode
from phonegate.phones.link.frame_reader import read
from phonegate.phones.link.plain_report_reader import read_plain_reports
from phonegate.phones.link.websocket import PhoneWebsocket
from phonegate.phones.transport import FrameTooLarge, Heard, Incoming, LinkLost
from phonegate.phones.worker import FOREVER, Worker
from phonegate.turn_end import at_turn_end

ANSWERS: Final = 64
"""Frames that the outbox takes beside a full window of pushes: answers, errors and pings."""

ANSWERS_BYTES: Final = 262_144
"""Bytes of them: a phone that sends much and reads nothing may take as much as its frames with
each, for an answer to received SMS repeats their ids."""

_INBOUND: Final = '"inbound"'
"""Part of every frame of received SMS."""


class WebsocketTransport:
    """Carries frames over a websocket. It implements `transport.Transport`."""

    __slots__ = (
        "_answers_bytes",
        "_asked",
        "_ended",
        "_finished",
        "_frames_limit",
        "_lost",
        "_max_frame_bytes",
        "_outbox",
        "_relief",
        "_reply",
        "_websocket",
        "_writer",
    )

    def __init__(
        self, websocket: PhoneWebsocket, *, first: bytes = b"", window: int, max_frame_bytes: int
    ) -> None:
        """Makes a transport over an open websocket.

        Args:
            websocket: The websocket.
            first: What goes before all frames, and in one write with the first of them.
            window: How many pushes may be in flight at most.
            max_frame_bytes: Of any frame but one of received SMS, which may be a large one: what
                others sent is not the phone's to shorten.
        """
        self._websocket = websocket
        self._max_frame_bytes = max_frame_bytes
        self._frames_limit = window + ANSWERS
        self._outbox = [first] if first else []
        self._answers_bytes = 0
        self._asked = False
        """`_flush` comes at the end of this turn."""
        self._relief: trio.Event | None = None
        self._finished = False
        self._reply = b""
        self._ended = False
        self._lost: Callable[[], None]
        self._writer: Worker | None = None

    @property
    def answered_at(self) -> float:
        """When a pong came last, by trio's clock."""
        return self._websocket.answered_at

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that was sent or received, if one was."""
        return self._websocket.code

    def start(
        self, nursery: trio.Nursery, *, lost: Callable[[], None], crowded_out: Callable[[], None]
    ) -> None:
        """Begins to send what waits in the outbox."""
        self._lost = lost
        self._websocket.on_give_up = crowded_out
        self._writer = Worker(nursery, self._write)
        self._ask()

    async def receive(self, sparing: Callable[[], bool]) -> Heard:
        """Reads what comes next, once what answers the last read is in the outbox.

        Raises:
            LinkLost: Nothing comes any more.
        """
        if self._reply:
            reply, self._reply = self._reply, b""
            await self._put(reply)
        if self._ended:
            raise LinkLost
        read = await self._websocket.receive(sparing)
        self._reply, self._ended = read.reply, read.is_last
        return Heard(
            map(self._read, read.frames),
            read.events,
            read.is_last,
            read_plain_reports(read.frames) if read.frames else None,
        )

    async def send(self, frame: GatewayFrame) -> None:
        """Sends a frame once the outbox has room. After a close frame it is dropped."""
        await self._put(self._websocket.text(encode(frame)))

    def send_now(self, frame: GatewayFrame) -> None:
        """Sends a frame without waiting.

        Raises:
            trio.WouldBlock: The outbox is full.
        """
        data = self._websocket.text(encode(frame))
        if len(self._outbox) >= self._frames_limit:
            raise trio.WouldBlock
        self._outbox.append(data)
        self._ask()

    def probe(self) -> None:
        """Sends a ping."""
        self._websocket.refresh()
        # Whatever room there is: one in a quarter of a minute, before all that waits.
        ping = self._websocket.ping()
        taken = self._websocket.send_now(ping)
        if not taken:
            self._outbox.insert(0, ping)
        if not taken or self._websocket.has_unsent:
            self._call_writer()

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame, after all that waits."""
        self._outbox.append(self._websocket.goodbye(code, reason))
        self._relieve()
        self._ask()

    def finish(self) -> None:
        """Lets the writer end once the outbox is empty."""
        self._finished = True
        self._relieve()
        if self._writer is not None:
            if self._outbox or self._websocket.has_unsent:
                # The connection may be closed before this turn ends.
                self._writer.call()
            self._writer.dismiss()

    def rest(self) -> None:
        """Lets the writer go if it has had little to do since this was called last."""
        if self._writer is not None:
            self._writer.rest()

    def _read(self, data: str | bytes) -> Incoming:
        large = self._is_large(data)
        # Parsing a large frame takes time, so that only those which may be taken are parsed.
        if large and not (isinstance(data, str) and _INBOUND in data):
            return Incoming(FrameTooLarge(self._max_frame_bytes), len(data))
        try:
            frame = read(data)
        except FrameFault as fault:
            return Incoming(fault, len(data))
        if large and not isinstance(frame, Inbound):
            return Incoming(FrameTooLarge(self._max_frame_bytes), len(data))
        return Incoming(frame, len(data))

    def _is_large(self, data: str | bytes) -> bool:
        most = self._max_frame_bytes
        if len(data) > most:
            return True
        # A character has at most four bytes in UTF-8.
        return len(data) * 4 > most and isinstance(data, str) and len(data.encode()) > most

    async def _put(self, data: bytes) -> None:
        while self._is_full and not self._finished:
            if self._relief is None:
                self._relief = trio.Event()
            await self._relief.wait()
        self._outbox.append(data)
        self._answers_bytes += len(data)
        self._ask()

    @property
    def _is_full(self) -> bool:
        return len(self._outbox) >= self._frames_limit or self._answers_bytes >= ANSWERS_BYTES

    def _relieve(self) -> None:
        """Lets those that wait for room in the outbox look again."""
        if self._relief is not None:
            self._relief.set()
            self._relief = None

    def _ask(self) -> None:
        """Has what waits sent: at the end of this turn, with all else that it brings."""
        if self._finished or not self._websocket.is_quick:
            self._call_writer()
        elif not self._asked:
            self._asked = True
            at_turn_end(self._flush)

    def _flush(self) -> None:
        self._asked = False
        if self._writer is None or self._finished or not self._outbox:
            return
        if self._websocket.send_now(b"".join(self._outbox)):
            self._outbox.clear()
            self._answers_bytes = 0
            if self._relief is None and not self._websocket.has_unsent:
                return
        # A task can be woken in the next turn only.
        trio.lowlevel.current_trio_token().run_sync_soon(self._go_on)

    def _go_on(self) -> None:
        self._relieve()
        if not self._finished:
            self._call_writer()

    def _call_writer(self) -> None:
        if self._writer is not None:
            self._writer.call()

    async def _write(self) -> float:
        while self._outbox or self._websocket.has_unsent:
            waiting, self._outbox = self._outbox, []
            self._answers_bytes = 0
            self._relieve()
            try:
                await self._websocket.send(b"".join(waiting))
            except LinkLost:
                self._lost()
                break
        return FOREVER
