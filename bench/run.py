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
from bench.figures import BARE, FULLER, FULLER_BATCHED, OURS, Figures
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
from bench.measures.sends import CROWD, FREE, HUNDREDS, LARGEST, MANY, ONE, PINNED, Load, Shape
from bench.plan import Plan
from bench.servers import FAULTS, Server, Side
from kit.program import USABLE, DidNotStart, cores, on_core

LETTERS = "abcdefghijkl"
PROFILE_S = 15.0

Measure = Callable[[Server, Plan, Figures], Awaitable[None]]

COMPARED: dict[str, Sequence[tuple[Shape, Sequence[Load]]]] = {
    "a": (
        (FREE, (ONE, MANY)),
        (PINNED, (ONE, MANY, CROWD)),
        (Shape(one_org=True), (MANY,)),
        (Shape(acks=True), (MANY,)),
    ),
    "b": ((FREE, (HUNDREDS,)), (PINNED, (HUNDREDS, LARGEST))),
    "h": ((PINNED, (ONE, MANY)),),
}
"""The sends: all sides take turns with each load."""

SIMPLE: dict[str, Measure] = {"i": fairness.quiet}
"""The measures that need one fresh server."""

OURS_ALONE: dict[str, Measure] = {
    "j": apps.beside_links,
    "k": streams.crowd,
    "l": listening.beside,
}
"""The measures of what no baseline has, in the first round alone."""

LEFT_OUT = {
    BARE: "hjkl",
    FULLER: "defgijkl",
    FULLER_BATCHED: "acdefghijkl",
}
"""The measures that a side has no bar or no part in: a run is to be short."""


class Run:
    """One run of the bench."""

    def __init__(self, folder: Path, plan: Plan, figures: Figures, sides: Sequence[Side]) -> None:
        self.noise: list[Noise] = []
        self._folder = folder
        self._plan = plan
        self._figures = figures
        self._sides = sides
        """Phonegate first."""
        self._files = 0
        self._slow_disk: Path | None = None
        self._zipapp: Path | None = None
        self._end = time.monotonic() + plan.minutes * 60

    async def measure(self, letters: list[str]) -> None:
        """Round after round, while there is time."""
        letters = [letter for letter in letters if await self._prepared(letter)]
        self.noise.append(machine.noise(self._folder))
        for number in range(self._plan.rounds):
            begun = time.monotonic()
            for letter in letters:
                with self._figures.faults_of(f"round {number + 1}", letter, FAULTS):
                    await self._turn(letter, number)
            self.noise.append(machine.noise(self._folder))
            lasted = time.monotonic() - begun
            left = self._plan.rounds - number - 1
            if left and time.monotonic() + lasted > self._end:
                self._figures.note(f"Time was over {left} rounds early.")
                break

    async def profile(self, letter: str, output: Path) -> None:
        """Watches only phonegate during one measure, sends with 64 clients or batches of 100.

        Raises:
            ValueError: The measure has no one server to be watched.
        """
        side = self._sides[0]
        match letter:
            case "a" | "b" | "h":
                measure: Measure | None = None
            case "c":
                measure = _inbound
            case "e":
                measure = partial(fleet.connected, phones=self._plan.fleets[-1], idle=False)
            case "g":
                measure = drain.drain
            case _ if letter in SIMPLE | OURS_ALONE:
                measure = (SIMPLE | OURS_ALONE)[letter]
            case _:
                raise ValueError(f"({letter}) can't be profiled")
        await self._prepare(letter)
        file = self._queued(side) if letter == "g" else self._file()
        preload = self._slow_disk if letter == "h" else None
        async with Server(side, file, preload=preload) as server, AsyncExitStack() as stack:
            watching = profile.watched(server.process.pid, output)
            if measure is None:
                orgs = await stack.enter_async_context(PINNED.of(server, self._plan, "profile"))
                load = HUNDREDS if letter == "b" else MANY
                await sends.alone(orgs, load, 0.0, self._plan.warm_s)
                await stack.enter_async_context(watching)
                await sends.alone(orgs, load, 0.0, PROFILE_S)
            else:
                await stack.enter_async_context(watching)
                await measure(server, self._plan, self._figures)

    # --- what is made once, before the rounds

    async def _prepared(self, letter: str) -> bool:
        """Makes what a measure needs. Returns whether that worked."""
        with self._figures.faults_of("preparing", letter, (*FAULTS, flush.NoSlowDisk)):
            await self._prepare(letter)
            return True
        return False

    async def _prepare(self, letter: str) -> None:
        match letter:
            case "h":
                _print("compiling the slow disk ...\n")
                self._slow_disk = await asyncio.to_thread(flush.build, self._folder)
            case "f":
                await self._prepare_starts()
            case "d":
                _print("filling the tables ...\n")
                # Two at once: nothing is timed, and each has a core.
                fillings = [
                    self._fill(side, cores()[at % 2])
                    for at, side in enumerate(self._sides_of(letter))
                ]
                await asyncio.gather(*fillings)
            case "g":
                for side in self._sides_of(letter):
                    _print(f"queueing for {side.name} ...\n")
                    async with Server(side, self._queued(side)) as server:
                        await drain.queue(server, self._plan)

    async def _prepare_starts(self) -> None:
        for side in self._sides_of("f"):
            # Modules are compiled when they are first imported.
            async with Server(side, self._file()):
                pass
        if not self._plan.zipapp:
            return
        _print("building the zipapp ...\n")
        try:
            self._zipapp = await asyncio.to_thread(startup.build_zipapp, self._folder)
        except subprocess.CalledProcessError:
            self._figures.note("The zipapp could not be built here, so it was not started.")

    async def _fill(self, side: Side, core: int) -> None:
        for rows in self._plan.rows:
            with on_core(core):
                filler = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "bench.measures.reading",
                    OURS if side.is_phonegate else side.name,
                    str(self._filled(side, rows)),
                    str(rows),
                    # A revision fills its own tables.
                    cwd=side.folder,
                )
            if await filler.wait():
                raise DidNotStart(f"filling a table of {side.name} failed")

    def _filled(self, side: Side, rows: int) -> Path:
        return self._folder / f"{side.name}-{rows}.db"

    def _queued(self, side: Side) -> Path:
        return self._folder / f"{side.name}-queued.db"

    # --- one measure in one round

    def _sides_of(self, letter: str) -> list[Side]:
        return [side for side in self._sides if letter not in LEFT_OUT.get(side.name, "")]

    async def _turn(self, letter: str, number: int) -> None:
        sides = self._sides_of(letter)
        # Who goes first changes with the round.
        first = number % len(sides)
        sides = sides[first:] + sides[:first]
        match letter:
            case "c":
                await self._receive(sides)
            case "d":
                await self._read(sides)
            case "e":
                await self._connect(sides, number)
            case "f":
                await self._start(sides, number)
            case "g":
                await self._drain(sides)
            case _ if letter in COMPARED:
                await self._compare(letter, sides)
            case _ if letter in SIMPLE or not number:
                for side in sides:
                    await self._one(letter, side, (SIMPLE | OURS_ALONE)[letter])

    async def _one(
        self, letter: str, side: Side, measure: Measure, *, file: Path | None = None
    ) -> None:
        begun = time.monotonic()
        _print(f"({letter}) {side.name} ...")
        with self._figures.faults_of(side.name, letter, FAULTS):
            async with Server(side, file or self._file()) as server:
                await measure(server, self._plan, self._figures)
        _print(f" {time.monotonic() - begun:.1f} s\n")

    async def _connect(self, sides: Sequence[Side], number: int) -> None:
        for phones in self._plan.fleets:
            idle = not number and phones == self._plan.fleets[-1]
            measure = partial(fleet.connected, phones=phones, idle=idle)
            for side in sides:
                await self._one("e", side, measure)

    async def _drain(self, sides: Sequence[Side]) -> None:
        for side in sides:
            file = self._file()
            shutil.copyfile(self._queued(side), file)
            await self._one("g", side, drain.drain, file=file)

    async def _compare(self, letter: str, sides: Sequence[Side]) -> None:
        for pinned in (False, True):
            shapes = [
                (shape, matching)
                for shape, loads in COMPARED[letter]
                if shape.pinned == pinned
                and (matching := [ld for ld in loads if self._plan.match in sends.case(ld, shape)])
            ]
            if not shapes:
                continue
            begun = time.monotonic()
            _print(f"({letter}) all, {'one core' if pinned else 'both cores'} ...")
            async with AsyncExitStack() as stack:
                if not pinned:
                    stack.enter_context(on_core(*USABLE))
                servers = await self._started(letter, sides, stack, pinned=pinned)
                for shape, loads in shapes:
                    able = [s for s in servers if s.side.is_phonegate or not shape.acks]
                    await sends.compare(
                        letter, able, shape, loads, plan=self._plan, figures=self._figures
                    )
            _print(f" {time.monotonic() - begun:.1f} s\n")

    async def _receive(self, sides: Sequence[Side]) -> None:
        begun = time.monotonic()
        _print("(c) all ...")
        async with AsyncExitStack() as stack:
            servers = await self._started("c", sides, stack)
            await inbound.received(servers, self._plan, self._figures)
        _print(f" {time.monotonic() - begun:.1f} s\n")

    async def _started(
        self, letter: str, sides: Sequence[Side], stack: AsyncExitStack, *, pinned: bool = True
    ) -> list[Server]:
        """Starts them all. One that does not start is a fault of its side."""
        preload = self._slow_disk if letter == "h" else None
        servers = []
        for side in sides:
            server = Server(side, self._file(), preload=preload, pinned=pinned)
            with self._figures.faults_of(side.name, letter, FAULTS):
                servers.append(await stack.enter_async_context(server))
        return servers

    async def _read(self, sides: Sequence[Side]) -> None:
        """All tables of all sides in slices of one stretch of time: their ratios are a bar."""
        _print("(d) all ...")
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
        _print("(f) all\n")
        for _ in range(self._plan.starts):
            for side in sides:
                with self._figures.faults_of(side.name, "f", FAULTS):
                    await startup.start(side, self._file(), self._figures, startup.VENV)
        for side in sides:
            with self._figures.faults_of(side.name, "f", FAULTS):
                await startup.grown(side, self._file(), self._plan, self._figures)
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


async def _inbound(server: Server, plan: Plan, figures: Figures) -> None:
    await inbound.received([server], plan, figures)


def _print(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
