"""The modem's serial port, as an abstract Unix socket, and its control port."""

import fcntl
import json
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

import attrs
import trio

from kit.fake_modem.modem import FakeModem, Fault

END_OF_SMS = b"\x1a"
ESCAPE = b"\x1b"
LINE_LIMIT = 4096
"""Bytes of the longest command line: an SMS has at most 352 digits."""
IDLE_S = 0.25
"""All that the modem has said was read for so long before it says something by itself: what
ModemManager does with an answer takes it a while."""
LOCKED_S = 5.0
"""The modem says nothing by itself for so long once ModemManager has opened its memory, unless it
has read or deleted an SMS before. It overlooks a notice of another SMS that comes meanwhile, and a
busy machine lets it stand still for seconds."""
LOOK_S = 0.01
"""Between two looks at whether all was read. The kernel tells of it only when asked."""
_OPENS_MEMORY = ("AT+CPMS=", "\r\n+CMTI:")
NOTICES = 1000


def listen(name: str) -> trio.SocketListener:
    """Returns a listener on the abstract socket whose name ModemManager spells `abstract:NAME`."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The daemon takes its whole name of the port as the name of the socket.
    listening.bind(f"\0abstract:{name}")
    listening.listen()
    return trio.SocketListener(trio.socket.from_stdlib_socket(listening))


class Port:
    """Carries bytes between the modem and those that have opened its port."""

    def __init__(self, modem: FakeModem) -> None:
        self.modem = modem
        self.changed = trio.Event()
        """Set, and replaced, after each command, so that others may look at the modem again."""
        self._open: dict[trio.SocketStream, trio.MemorySendChannel[bytes]] = {}
        self._quiet_until = 0.0
        """When the modem may say something by itself again, by trio's clock."""
        self._announce, self._notices = trio.open_memory_channel[str](NOTICES)
        modem.announce = self._announce.send_nowait
        modem.vanish = self.hang_up

    async def run(self) -> None:
        """Says what the modem says by itself, until cancelled."""
        async for text in self._notices:
            while True:
                if not all(_is_idle(*one) for one in self._open.items()):
                    self._keep_quiet(IDLE_S)
                if trio.current_time() >= self._quiet_until:
                    break
                await trio.sleep(LOOK_S)
            self.say(text)
            if self._open:
                self._note(text)

    def _note(self, text: str) -> None:
        """Notes a command, or what the modem has said by itself."""
        if text.startswith(_OPENS_MEMORY):
            self._keep_quiet(LOCKED_S)
        else:
            self._quiet_until = trio.current_time() + IDLE_S

    def _keep_quiet(self, seconds: float) -> None:
        self._quiet_until = max(self._quiet_until, trio.current_time() + seconds)

    def say(self, text: str) -> None:
        """Says something to everyone at the port."""
        for channel in self._open.values():
            channel.send_nowait(text.encode("ascii"))

    def hang_up(self) -> None:
        """Closes the port."""
        for stream in self._open:
            stream.socket.close()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serves one who opened the port, until the port is closed."""
        channel, waiting = trio.open_memory_channel[bytes](1000)
        self._open[stream] = channel
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, waiting)
                await self._read(stream, channel)
                nursery.cancel_scope.cancel()
        finally:
            del self._open[stream]
            stream.socket.close()

    @staticmethod
    async def _write(stream: trio.SocketStream, waiting: trio.MemoryReceiveChannel[bytes]) -> None:
        try:
            async for data in waiting:
                await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def _read(
        self, stream: trio.SocketStream, channel: trio.MemorySendChannel[bytes]
    ) -> None:
        buffered, prompted = b"", False
        while len(buffered) < LINE_LIMIT:
            end = END_OF_SMS if prompted else b"\r"
            line, found, rest = buffered.partition(end)
            if not found:
                try:
                    more = await stream.receive_some()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return
                if not more:
                    return
                # An escape gives up an SMS, and is of no meaning elsewhere.
                prompted = prompted and ESCAPE not in more
                buffered += more.replace(ESCAPE, b"")
                continue
            buffered = rest
            text = line.decode("ascii", errors="replace")
            answer = self.modem.sms(text) if prompted else self.modem.command(text)
            prompted = answer is not None and answer.endswith("> ")
            if answer:
                channel.send_nowait(answer.encode("ascii"))
            self._note(text)
            self.changed.set()
            self.changed = trio.Event()


def _is_idle(stream: trio.SocketStream, channel: trio.MemorySendChannel[bytes]) -> bool:
    """Tells whether all is read that was sent to and from the far end, or the port is closed."""
    if stream.socket.fileno() < 0:
        return True
    if channel.statistics().current_buffer_used:
        return False
    ours, theirs = (
        struct.unpack("i", fcntl.ioctl(stream.socket.fileno(), asked, bytes(4)))[0]
        for asked in (termios.TIOCOUTQ, termios.FIONREAD)
    )
    return not ours and not theirs


async def control(port: Port, stream: trio.SocketStream) -> None:
    """Obeys orders, one JSON object a line, and answers each with one."""
    buffered = b""
    while True:
        line, found, rest = buffered.partition(b"\n")
        if found:
            buffered = rest
            order = json.loads(line)
            answer = await obey(port, order.pop("do"), order)
            await stream.send_all(json.dumps(answer).encode() + b"\n")
            continue
        more = await stream.receive_some()
        if not more:
            return
        buffered += more


async def obey(port: Port, do: str, order: dict[str, Any]) -> Any:
    """Obeys one order.

    `receive` (`sender`, `text`, `at` in seconds since 1970, `announced`), `receive_part` (`pdu`,
    `announced`), `deliver` (`status`), `fault` (`then`, `code`), `release`, `forget`, `air`,
    `stored`, `pin_tries`, `signal` (`level`), `roam` (`network`), and `until_air` and
    `until_stored` (`count`), which answer once the modem has sent, or holds, so many SMS.
    """
    modem = port.modem
    counts: dict[str, Callable[[], int]] = {
        "until_air": lambda: len(modem.air),
        "until_stored": lambda: len(modem.stored()),
    }
    if do in counts:
        while counts[do]() != order["count"]:
            await port.changed.wait()
        return order["count"]
    answers: dict[str, Callable[[], Any]] = {
        "receive": lambda: modem.receive(**order),
        "receive_part": lambda: modem.receive_part(**order),
        "deliver": lambda: modem.deliver(**order),
        "fault": lambda: modem.faults.append(Fault(**order)),
        "release": lambda: port.say(modem.release()),
        "forget": modem.forget,
        "air": lambda: [attrs.asdict(one) for one in modem.air],
        "stored": modem.stored,
        "pin_tries": lambda: modem.pin_tries,
        "roam": lambda: modem.roam(**order),
        "signal": lambda: setattr(modem, "signal", order["level"]),
    }
    return answers[do]()
