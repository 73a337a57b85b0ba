"""The rounds: each measure for each side in turns, on fresh servers and fresh files."""

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import machine, profile
from bench.figures import Figures
from bench.load.org import Org
from bench.machine import Noise
from bench.measures import fleet, sends
from bench.plan import Plan
from bench.servers import Server, Side, baseline, phonegate

LETTERS = "abe"
PROFILED_CLIENTS = 64
PROFILE_S = 15.0

Measure = Callable[[Server, Plan, Figures], Awaitable[None]]


class Run:
    """One run of the bench."""

    def __init__(self, folder: Path, plan: Plan, figures: Figures, *, log: bool) -> None:
        self.noise: list[Noise] = []
        self._folder = folder
        self._plan = plan
        self._figures = figures
        self._sides = (phonegate(log=log), baseline(log=log))
        self._files = 0
        self._end = time.monotonic() + plan.minutes * 60

    async def measure(self, letters: list[str]) -> None:
        """Round after round, while there is time."""
        self.noise.append(machine.noise(self._folder))
        for number in range(self._plan.rounds):
            if number and time.monotonic() > self._end:
                self._figures.note(f"Time was over after {number} of {self._plan.rounds} rounds.")
                break
            for letter in letters:
                await self._turn(letter, number)
            self.noise.append(machine.noise(self._folder))

    async def profile(self, output: Path) -> None:
        """Watches phonegate alone while single sends come from 64 clients."""
        async with Server(self._sides[0], self._file()) as server, Org(server) as org:
            await org.connect(self._plan.phones)
            senders = sends.Senders(org, PROFILED_CLIENTS)
            try:
                await senders.run(self._plan.warm_s)
                async with profile.watched(server.pid, output):
                    await senders.run(PROFILE_S)
                await org.all_sent()
            finally:
                senders.close()

    async def _turn(self, letter: str, number: int) -> None:
        match letter:
            case "a":
                await self._each(letter, number, sends.singles)
            case "b":
                await self._each(letter, number, sends.batches)
            case "e":
                for phones in self._plan.fleets:

                    async def connected(
                        server: Server, plan: Plan, figures: Figures, phones: int = phones
                    ) -> None:
                        await fleet.connected(server, plan, figures, phones, idle=not number)

                    await self._each(f"{letter}, {phones} phones", number, connected)

    async def _each(self, what: str, number: int, measure: Measure) -> None:
        """A measure for each side, on fresh files; the first side changes with the round."""
        sides = self._sides if number % 2 == 0 else self._sides[::-1]
        for side in sides:
            begun = time.monotonic()
            _tell(f"round {number + 1}: ({what}) {side.name} ...")
            async with self._server(side) as server:
                await measure(server, self._plan, self._figures)
            _tell(f" {time.monotonic() - begun:.1f} s\n")

    def _server(self, side: Side) -> Server:
        return Server(side, self._file())

    def _file(self) -> Path:
        self._files += 1
        return self._folder / f"{self._files}.db"


def _tell(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
