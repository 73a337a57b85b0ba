"""The phones that `trials.phone_kills` kills, by the option that chooses each."""

import asyncio
import hashlib
import json
import os
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kit.fake_modem.daemons import FakeModemProcess, ModemManager, PrivateBus
from kit.fake_termux import FakeTermux
from kit.program import Program
from trials.phone_kills import Phone, Place

DAEMON_DIES: Final = 3
"""Kills of a modem's program to one of ModemManager."""
CAPACITY: Final = 250
"""SMS that a fake modem holds: what comes in while programs are dead must find room."""


class PhoneProgram(Program):
    """`phonegate phone`, which is ready once it is connected."""

    def wait_until_ready(self) -> None:
        """Does nothing: it may start while the gateway is away."""


class LinkPhone(Phone):
    """A phone by `phonegate phone`, with its journal beside the gateway's file."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._program: PhoneProgram | None = None
        self._starts = 0

    @property
    def journal(self) -> Path:
        return self.place.folder / "phone.journal"

    def options(self) -> tuple[str, ...]:
        """Returns the words that choose and set up its radio."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """Returns the environment of its program, beyond the credentials."""
        return {}

    async def start(self) -> None:
        self._starts += 1
        place = self.place
        self._program = PhoneProgram(
            (
                *(sys.executable, "-m", "phonegate", "phone"),
                *("--url", place.url, "--org", place.org, "--reconnect", "0.05-0.3"),
                *("--journal", str(self.journal)),
                *self.options(),
            ),
            folder=place.folder,
            environment={"PHONEGATE_SECRET": place.secret, **self.variables()},
            log=place.folder / f"phone-{self._starts}.log",
        )

    async def keep_running(self) -> None:
        if self._program is not None and self._program.process.poll() is not None:
            await self.start()

    async def kill(self) -> None:
        if self._program is not None:
            await asyncio.to_thread(self._program.kill)


class SimulatedPhone(LinkPhone):
    """A simulated phone. Its SMS arrive by themselves, and are in its journal or nowhere.

    What the journal held is read at each kill, before the next program makes it shorter.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._texts: dict[str, str] = {}
        self._mail: dict[str, str] = {}
        self._mail_comes = True

    @property
    def radio_log(self) -> Path:
        return self.place.folder / "radio.jsonl"

    def options(self) -> tuple[str, ...]:
        return (
            *("--simulate", "--seed", str(self.place.seed + self._starts)),
            # A number of chance would differ at each start, and messages wait for the SIM.
            *("--sim", "0:+15550001111", "--delay", "0-20", "--reply", "--delivery-reports"),
            *("--radio-log", str(self.radio_log)),
            *(("--inbound-every", "0.1") if self._mail_comes else ()),
        )

    async def kill(self) -> None:
        await super().kill()
        self._read_journal()

    async def rest(self) -> None:
        self._mail_comes = False
        await self.kill()
        await self.start()

    def on_air(self) -> Counter[str]:
        self._read_journal()
        return Counter(self._texts[sent["sha256"]] for sent in _lines(self.radio_log))

    def arrived(self) -> Counter[str]:
        self._read_journal()
        return Counter(self._mail.values())

    def _read_journal(self) -> None:
        for record in _lines(self.journal):
            match record["record"]:
                case "taken":
                    self._texts[_sha256(record["body"])] = record["body"]
                case "inbound":
                    # The texts of mail come again, the phone's own ids don't.
                    self._mail[record["id"]] = record["body"]


class TermuxPhone(LinkPhone):
    """An Android phone with Termux:API, of which the commands are fakes around a file.

    A command that runs when the program is killed goes on, as on a phone.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._device = FakeTermux(place.folder / "termux", row_after_s=0)
        self._arrived: Counter[str] = Counter()

    def options(self) -> tuple[str, ...]:
        return ("--termux", "--sim", "0:+15550001111")

    def variables(self) -> dict[str, str]:
        return {"PATH": f"{self._device.bin}{os.pathsep}{os.environ['PATH']}"}

    async def start(self) -> None:
        await super().start()
        if self._starts == 1 and self._program is not None:
            # What is in the inbox before that belongs to the phone's owner alone.
            await asyncio.to_thread(self._program.wait_for_line, "from now on each SMS")

    async def receive(self, body: str) -> None:
        self._arrived[body] += 1
        await asyncio.to_thread(self._device.receive, "+15556667777", body)

    def on_air(self) -> Counter[str]:
        return Counter(sent.body for sent in self._device.air())

    def arrived(self) -> Counter[str]:
        return self._arrived


class ModemPhone(LinkPhone):
    """A modem: the real ModemManager, with a fake modem behind it.

    Every third time its program is killed, ModemManager dies with it.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._kills = 0
        self._air: Counter[str] = Counter()
        self._arrived: Counter[str] = Counter()
        self._bus = PrivateBus(place.folder)
        self._bus.wait_until_ready()
        name = f"kills{uuid.uuid4().hex[:8]}"
        self._modem = FakeModemProcess(name, "--capacity", str(CAPACITY))
        self._modem.wait_until_ready()
        self._daemon = self._started_daemon()

    def options(self) -> tuple[str, ...]:
        return ("--modem", "--sim", "0:+15550001111")

    def variables(self) -> dict[str, str]:
        return {"DBUS_SYSTEM_BUS_ADDRESS": self._bus.address}

    async def kill(self) -> None:
        await super().kill()
        self._kills += 1
        if self._kills % DAEMON_DIES == 0:
            await self._restart_daemon()

    async def receive(self, body: str) -> None:
        if await asyncio.to_thread(self._modem.order, "receive", sender="+15550002222", text=body):
            self._arrived[body] += 1

    async def rest(self) -> None:
        # ModemManager overlooks a notice of an SMS that comes while it reads or deletes another.
        # It finds what is left when it starts.
        await self._restart_daemon()

    def on_air(self) -> Counter[str]:
        return self._air

    def arrived(self) -> Counter[str]:
        return self._arrived

    async def close(self) -> None:
        await super().close()
        self._air.update(sms["text"] for sms in self._modem.order("air"))
        for program in (self._daemon, self._modem, self._bus):
            await asyncio.to_thread(program.kill)

    def _started_daemon(self) -> ModemManager:
        daemon = ModemManager(self._bus, self.place.folder)
        daemon.wait_until_ready()
        daemon.show(self._modem)
        return daemon

    async def _restart_daemon(self) -> None:
        await asyncio.to_thread(self._daemon.kill)
        self._daemon = await asyncio.to_thread(self._started_daemon)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the whole lines of a file of JSON."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)


PHONES: Final[Mapping[str, Callable[[Place], Phone]]] = {
    "simulate": SimulatedPhone,
    "modem": ModemPhone,
    "termux": TermuxPhone,
}
