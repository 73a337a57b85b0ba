"""The gateway under abuse, its honest clients, and the connections of attackers to it."""

import contextlib
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

import attrs
import trio

from kit.gateway import GatewayProcess
from trials.abuse.honest_process import HonestProcess
from trials.attackers import Attackers

ATTACKER = "127.0.0.66"
"""The attackers' address on the loopback: what is counted by address is not counted of others."""

SETTINGS: dict[str, object] = {
    "HTTP_HEAD_TIMEOUT_S": 1,
    "HTTP_REQUEST_TIMEOUT_S": 4,
    "HTTP_PEER_TIMEOUT_S": 2,
    "HTTP_TRUSTED_PROXIES": "127.0.0.1/32",
    "PHONES_PING_INTERVAL_S": 1,
    "PHONES_PONG_TIMEOUT_S": 2,
    "PHONES_WRITE_TIMEOUT_S": 2,
    "PACING_SEGMENTS_PER_MINUTE": 0,
}
"""The deadlines of a gateway under abuse, in seconds instead of minutes."""


class Unavailable(Exception):
    """This machine has not what a case needs; its text says what."""


@attrs.define
class Victim:
    """One gateway under abuse.

    `host` is where attackers reach it; `hurt` and `heal` make what it stands on fail and work
    again, where the environment has such a thing.
    """

    gateway: GatewayProcess
    honest: HonestProcess
    authority: Path | None = None
    host: str = "127.0.0.1"
    hurt: Callable[[str], None] = lambda _: None
    heal: Callable[[], None] = lambda: None
    stocked: bool = False
    """Whether the attackers' org has been made, with something to ask for."""
    seconds: float = 1.0
    """How long the attack of a case lasts, where it has no length of its own."""
    chance: random.Random = attrs.field(factory=lambda: random.Random(1))
    faults: list[str] = attrs.field(factory=list)
    facts: list[str] = attrs.field(factory=list)

    @property
    def port(self) -> int:
        return self.gateway.port

    @property
    def attackers(self) -> Attackers:
        return Attackers(self.port, self.chance, source=ATTACKER)

    def expect(self, true: object, fault: str) -> None:
        """Notes a fault unless it is `true`."""
        if not true and fault not in self.faults:
            self.faults.append(fault)

    def seen(self, fact: str) -> None:
        self.facts.append(fact)

    def served(self, client: str) -> list[str]:
        """Returns the lines of requests that an address was answered."""
        mark = f'"client": "{client}"'
        return [line for line in self.gateway.log if '"request"' in line and mark in line]

    async def connect(self, source: str = ATTACKER, *, window: int | None = None) -> "Wire":
        attackers = Attackers(self.port, self.chance, source=source)
        return Wire(await attackers.connect(window=window))

    @contextlib.asynccontextmanager
    async def at_once(self, most: int = 100) -> AsyncIterator["Wave"]:
        """Attackers that come as often as `most` allows, while the attack lasts."""
        async with trio.open_nursery() as nursery:
            yield Wave(nursery, trio.CapacityLimiter(most), trio.current_time() + self.seconds)


@attrs.define
class Wave:
    """Attackers at the same time."""

    nursery: trio.Nursery
    slots: trio.CapacityLimiter
    until: float

    def lasts(self) -> bool:
        return trio.current_time() < self.until

    def keep(self, count: int, attack: Callable[[], Awaitable[None]]) -> None:
        """So many that attack again and again, and once at least."""

        async def one() -> None:
            while True:
                with contextlib.suppress(OSError, trio.BrokenResourceError):
                    await attack()
                await trio.lowlevel.checkpoint()
                if not self.lasts():
                    return

        for _ in range(count):
            self.nursery.start_soon(one)


class Wire:
    """An attacker's connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._rest = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def send(self, data: bytes) -> bool:
        """Sends data. Returns whether the connection was still open."""
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError:
            return False
        return True

    async def drip(self, data: bytes, pause_s: float) -> None:
        """Byte by byte, until the gateway has heard enough."""
        for byte in data:
            if not await self.send(bytes([byte])):
                return
            await trio.sleep(pause_s)

    async def answer(self, deadline_s: float = 15.0) -> bytes | None:
        """Returns all that comes until the gateway closes, or None if it doesn't in time."""
        data = bytearray()
        with trio.move_on_after(deadline_s):
            with contextlib.suppress(trio.BrokenResourceError):
                while piece := await self.stream.receive_some(65_536):
                    data += piece
            return bytes(data)
        return None

    async def some(self, until: bytes, deadline_s: float = 15.0) -> bytes:
        """Returns what comes up to some bytes, the end or the deadline. `frame` gets the rest."""
        data = bytearray()
        with trio.move_on_after(deadline_s), contextlib.suppress(trio.BrokenResourceError):
            while until not in data and (piece := await self.stream.receive_some(65_536)):
                data += piece
        end = data.find(until) + len(until) if until in data else len(data)
        self._rest = bytes(data[end:])
        return bytes(data[:end])

    async def frame(self, deadline_s: float) -> tuple[int, bytes] | None:
        """Returns the next opcode and payload, or None if the gateway closes or nothing comes."""
        with trio.move_on_after(deadline_s), contextlib.suppress(trio.BrokenResourceError):
            while (found := _frame(self._rest)) is None:
                piece = await self.stream.receive_some(65_536)
                if not piece:
                    return None
                self._rest += piece
            opcode, payload, self._rest = found
            return opcode, payload
        return None


def _frame(buffer: bytes) -> tuple[int, bytes, bytes] | None:
    if len(buffer) < 2:
        return None
    length, start = buffer[1] & 127, 2
    if length == 126:
        length, start = struct.unpack("!H", buffer[2:4].ljust(2, b"\0"))[0], 4
    elif length == 127:
        length, start = struct.unpack("!Q", buffer[2:10].ljust(8, b"\0"))[0], 10
    if len(buffer) < start + length:
        return None
    return buffer[0] & 15, buffer[start : start + length], buffer[start + length :]


def statuses(answers: bytes) -> list[int]:
    """Returns the statuses of the answers in what came, skipping interim ones."""
    parts = answers.split(b"HTTP/1.1 ")[1:]
    return [int(part[:3]) for part in parts if part[:3].isdigit() and part[:1] != b"1"]


@contextlib.contextmanager
def opened(
    folder: Path,
    *,
    settings: dict[str, object] | None = None,
    wrapper: tuple[str, ...] = (),
    program: tuple[str, ...] = ("-m", "phonegate"),
    authority: Path | None = None,
    database: Path | None = None,
    host: str = "127.0.0.1",
    also: tuple[str, ...] = (),
) -> Iterator[Victim]:
    """Runs a gateway with honest clients, and ends both."""
    database = folder / "phonegate.db" if database is None else database
    chosen = {**SETTINGS, **(settings or {})}
    with GatewayProcess(
        database, settings=chosen, wrapper=wrapper, program=program, also=also
    ) as gateway:
        scheme = "http" if authority is None else "https"
        honest = HonestProcess(folder, f"{scheme}://127.0.0.1:{gateway.port}", authority)
        try:
            honest.wait_until_ready()
            yield Victim(gateway, honest, authority=authority, host=host)
        finally:
            honest.kill()
            if gateway.process.poll() is None:
                gateway.stop()
