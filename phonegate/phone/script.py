"""A phone made by a script that reads the gateway's frames and writes its own as lines of JSON."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import trio

from phonegate.phone.address import Address
from phonegate.phone.conduct import RECONNECT_S, Conduct
from phonegate.phone.conversation import PROBE_TIMEOUT_S, QUIET_S, greet, sims_frame
from phonegate.phone.link import REPLACED, Link, hold_link
from phonegate.phone.radios.radio import SimCard

MAX_LINE_BYTES = 65_536
"""The longest frame that the gateway accepts."""
READ_BYTES = 65_536


class ScriptBridge:
    """Passes frames between the gateway and a script, one JSON object a line each way.

    A line that the script writes while there is no link waits for the next one. After each
    `connected` the script must introduce its phone again (`hello`). SIMs given here are sent for
    it.

    Args:
        address: The address to which it connects.
        device_id: The phone's id, if it has one.
        name: The phone's name for people.
        sims: Reported after each `connected`, unless empty.
        reconnect_s: The shortest and the longest pause before connecting again.
        show: Takes one frame as a line of JSON. It may wait for the script.
        notice: Called with a sentence when the link comes or goes, or a line is not a frame.
    """

    def __init__(
        self,
        address: Address,
        *,
        device_id: str | None = None,
        name: str | None = None,
        sims: tuple[SimCard, ...] = (),
        reconnect_s: tuple[float, float] = RECONNECT_S,
        show: Callable[[bytes], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._address = address
        self._device_id = device_id
        self._name = name
        self._sims = sims
        self._conduct = Conduct(reconnect_s)
        self._show = _write_line if show is None else show
        self._notice = notice
        self._pending: str | None = None
        self._ended = False
        self.links = 0
        self.received = 0
        self.sent = 0

    def summary(self) -> dict[str, int]:
        """Returns the counts of what passed."""
        return {"links": self.links, "received": self.received, "sent": self.sent}

    async def run(self, lines: trio.MemoryReceiveChannel[bytes], *, stay: bool = False) -> None:
        """Passes frames until the script's lines end, or until another phone takes over.

        With `stay`, frames are shown after the end of the lines, until cancelled.

        Raises:
            CredentialsRefused: The org and secret are not right.
            LinkRefused: The gateway refuses this phone.
            BrokenPipeError: The reader of the frames is gone.
        """
        failures = 0

        async def session(link: Link) -> None:
            nonlocal failures
            frame = await greet(link)
            failures = 0
            await self._welcome(link)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_lines, link, lines, stay, nursery.cancel_scope)
                nursery.start_soon(_stay_awake, link)
                while True:
                    self.received += 1
                    line = json.dumps(frame).encode() + b"\n"
                    await trio.to_thread.run_sync(self._show, line, abandon_on_cancel=True)
                    frame = await link.receive()

        while not self._ended:
            end = await hold_link(
                self._address, session, device_id=self._device_id, name=self._name
            )
            if self._ended:
                return
            if end.code == REPLACED:
                self._notice("another connection of this device took over")
                return
            end.raise_if_final(self._address, known=self.links > 0)
            pause = self._conduct.pause_s(failures)
            failures += 1
            self._notice(f"no link ({end.why}); connecting again in {pause:.1f} s")
            await trio.sleep(max(pause, end.retry_after_s))

    async def _welcome(self, link: Link) -> None:
        self.links += 1
        self._notice("connected")
        if self._sims:
            await link.send(sims_frame(self._sims))

    async def _send_lines(
        self,
        link: Link,
        lines: trio.MemoryReceiveChannel[bytes],
        stay: bool,  # noqa: FBT001 (a nursery passes by place)
        over: trio.CancelScope,
    ) -> None:
        while True:
            if self._pending is None:
                try:
                    self._pending = self._frame_of(await lines.receive())
                except trio.EndOfChannel:
                    break
            if self._pending is not None:
                # Kept until it was sent: after a lost link it is sent again on the next one.
                await link.send_text(self._pending)
                self._pending = None
                self.sent += 1
        if not stay:
            self._ended = True
            over.cancel()

    def _frame_of(self, line: bytes) -> str | None:
        if not line.strip():
            return None
        try:
            frame: Any = json.loads(line)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            self._notice("a line of the input is not a JSON object and was not sent")
            return None
        return json.dumps(frame)


async def _stay_awake(link: Link) -> None:
    while True:
        await trio.sleep(max(1.0, QUIET_S - link.silent_for_s))
        if link.silent_for_s >= QUIET_S:
            await link.probe(PROBE_TIMEOUT_S)


def _write_line(line: bytes) -> None:
    # Not `print`: a thread that is left behind at the end must hold no lock of the interpreter.
    view = memoryview(line)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


async def read_lines(descriptor: int, lines: trio.MemorySendChannel[bytes]) -> None:
    """Reads a file descriptor to its end and passes each line on, as fast as they are taken.

    A line longer than the gateway's limit ends the reading, since no phone writes one.
    """
    async with lines:
        rest = b""
        while len(rest) <= MAX_LINE_BYTES:
            # A thread can wait for any descriptor (terminal, pipe, file). When it is cancelled,
            # its read ends with the program.
            data = await trio.to_thread.run_sync(
                os.read, descriptor, READ_BYTES, abandon_on_cancel=True
            )
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                await lines.send(line)
            if not data:
                if rest:
                    await lines.send(rest)
                return
