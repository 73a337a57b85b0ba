"""The rounds: each measure for each side in turns, on fresh servers and fresh files."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from bench import flush, machine, profile
from bench.figures import Figures
from bench.machine import Noise
from bench.measures import (
    apps,
    drain,
    fairness,
    fleet,
    inbound,
    listening,
    reading,
    sends,
    startup,
    streams,
)
from bench.plan import Plan
from bench.servers import Server, Side, baseline, phonegate
from kit.load import http
from kit.load.loops import Wrong
from kit.load.org import Org
from kit.load.phones import Refused
from kit.program import ROOT, DidNotStart, DidNotStop, cores, on_core

LETTERS = "abcdefghijkl"
PROFILED_CLIENTS = 64
PROFILE_S = 15.0

Measure = Callable[[Server, Plan, Figures], Awaitable[None]]

FAULTS = (Wrong, DidNotStart, DidNotStop, http.AnswerLost, Refused, TimeoutError)
"""What costs one measure of one round, and not the run."""

SIMPLE: dict[str, Measure] = {
    "a": sends.singles,
    "b": sends.batches,
    "c": inbound.received,
    "h": sends.slow_disk,
    "i": fairness.quiet,
}
"""The measures that need one fresh server."""

OURS_ALONE: dict[str, Measure] = {
    "j": apps.beside_links,
    "k": streams.crowd,
    "l": listening.beside,
}
"""The measures of what the baseline does not have."""


class Run:
    """One run of the bench."""

    def __init__(self, folder: Path, plan: Plan, figures: Figures, *, log: bool) -> None:
        self.noise: list[Noise] = []
        self._folder = folder
        self._plan = plan
        self._figures = figures
        self._sides = (phonegate(log=log), baseline(log=log))
        self._batched = baseline(log=log, batched=True)
        self._files = 0
        self._slow_disk: Path | None = None
        self._zipapp: Path | None = None
        self._end = time.monotonic() + plan.minutes * 60

    async def measure(self, letters: list[str]) -> None:
        """Round after round, while there is time."""
        await self._prepare(letters)
        self.noise.append(machine.noise(self._folder))
        for number in range(self._plan.rounds):
            begun = time.monotonic()
            for letter in letters:
                try:
                    await self._turn(letter, number)
                except FAULTS as error:
                    _print(" failed\n")
                    self._figures.fault(f"({letter}) failed in round {number + 1}: {error!r}")
            self.noise.append(machine.noise(self._folder))
            lasted = time.monotonic() - begun
            left = self._plan.rounds - number - 1
            if left and time.monotonic() + lasted > self._end:
                self._figures.note(f"Time was over {left} rounds early.")
                break

    async def profile(self, letter: str, output: Path) -> None:
        """Watches only phonegate during one measure, (a) with 64 clients throughout.

        Raises:
            ValueError: The measure has no one server to be watched.
        """
        side = self._sides[0]
        file = self._file()
        match letter:
            case "a":
                measure: Measure = _many_sends
            case "e":
                measure = partial(fleet.connected, phones=self._plan.fleets[-1], idle=False)
            case "g":
                measure, file = drain.drain, self._queued(side)
                await self._prepare([letter])
            case _ if letter in SIMPLE | OURS_ALONE:
                measure = (SIMPLE | OURS_ALONE)[letter]
                await self._prepare([letter])
            case _:
                raise ValueError(f"({letter}) can't be profiled")
        preload = self._slow_disk if letter == "h" else None
        async with (
            Server(side, file, preload=preload) as server,
            profile.watched(server.process.pid, output),
        ):
            await measure(server, self._plan, self._figures)

    # --- what is made once, before the rounds

    async def _prepare(self, letters: list[str]) -> None:
        if "h" in letters:
            _print("compiling the slow disk ...\n")
            self._slow_disk = await asyncio.to_thread(flush.build, self._folder)
        if "f" in letters and self._plan.zipapp:
            _print("building the zipapp ...\n")
            try:
                self._zipapp = await asyncio.to_thread(startup.build_zipapp, self._folder)
            except subprocess.CalledProcessError:
                self._figures.note("The zipapp could not be built here, so it was not started.")
        if "d" in letters:
            _print("filling the tables ...\n")
            # Both sides at once: nothing is timed, and each has a core.
            await asyncio.gather(
                *(self._fill(side, core) for side, core in zip(self._sides, cores(), strict=True))
            )
        if "g" in letters:
            for side in self._sides:
                _print(f"queueing for {side.name} ...\n")
                async with Server(side, self._queued(side)) as server:
                    await drain.queue(server, self._plan)

    async def _fill(self, side: Side, core: int) -> None:
        for rows in self._plan.rows:
            with on_core(core):
                filler = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "bench.measures.reading",
                    side.name,
                    str(self._filled(side, rows)),
                    str(rows),
                    cwd=ROOT,
                )
            if await filler.wait():
                raise RuntimeError(f"filling a table of {side.name} failed")

    def _filled(self, side: Side, rows: int) -> Path:
        return self._folder / f"{side.name}-{rows}.db"

    def _queued(self, side: Side) -> Path:
        return self._folder / f"{side.name}-queued.db"

    # --- one measure in one round

    async def _turn(self, letter: str, number: int) -> None:
        # Who goes first changes with the round.
        sides = self._sides if number % 2 == 0 else self._sides[::-1]
        match letter:
            case "d":
                await self._read(sides)
            case "e":
                for phones in self._plan.fleets:
                    idle = not number and phones == self._plan.fleets[-1]
                    measure = partial(fleet.connected, phones=phones, idle=idle)
                    for side in sides:
                        await self._one(letter, side, measure)
            case "f":
                await self._start(sides, number)
            case "g":
                for side in sides:
                    file = self._file()
                    shutil.copyfile(self._queued(side), file)
                    await self._one(letter, side, drain.drain, file=file)
            case _ if letter in OURS_ALONE:
                await self._one(letter, self._sides[0], OURS_ALONE[letter])
            case _:
                for side in (*sides, self._batched) if letter == "b" else sides:
                    await self._one(letter, side, SIMPLE[letter])

    async def _one(
        self, letter: str, side: Side, measure: Measure, *, file: Path | None = None
    ) -> None:
        begun = time.monotonic()
        _print(f"({letter}) {side.name} ...")
        preload = self._slow_disk if letter == "h" else None
        async with Server(side, file or self._file(), preload=preload) as server:
            await measure(server, self._plan, self._figures)
        _print(f" {time.monotonic() - begun:.1f} s\n")

    async def _read(self, sides: Sequence[Side]) -> None:
        """All tables of both sides in slices of one stretch of time: their ratios are a bar."""
        _print("(d) both ...")
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            books = [
                reading.Reader(
                    await stack.enter_async_context(Server(side, self._filled(side, rows))), rows
                )
                for rows in self._plan.rows
                for side in sides
            ]
            await reading.read(books, self._plan, self._figures)
        _print(f" {time.monotonic() - begun:.1f} s\n")

    async def _start(self, sides: Sequence[Side], number: int) -> None:
        _print("(f) both\n")
        for _ in range(self._plan.starts):
            for side in sides:
                await startup.start(side, self._file(), self._figures, startup.VENV)
        if self._zipapp is None:
            return
        unpacked = self._folder / f"unpacked-{number}"
        zipped = startup.of_zipapp(self._sides[0], self._zipapp, unpacked)
        await startup.start(zipped, self._file(), self._figures, startup.FIRST)
        for _ in range(self._plan.starts):
            await startup.start(zipped, self._file(), self._figures, startup.LATER)

    def _file(self) -> Path:
        self._files += 1
        return self._folder / f"{self._files}.db"


async def _many_sends(server: Server, plan: Plan, _: Figures) -> None:
    async with Org(server) as org:
        await org.connect(plan.phones)
        loops = sends.senders(org, PROFILED_CLIENTS)
        try:
            await loops.run(PROFILE_S)
            await org.all_sent()
        finally:
            loops.close()


def _print(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
