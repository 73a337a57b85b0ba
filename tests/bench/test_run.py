"""Every measure, as short as it can be: that it works, and finds what it is to find."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest
import uvloop

from bench.figures import Figures
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
from bench.plan import TINY
from bench.run import Run
from bench.servers import Server, Side, bare, before, fuller, phonegate
from kit.load.loops import Wrong
from kit.load.org import Org

SIDES = (phonegate(), bare(), fuller())


def complete(figures: Figures, letter: str) -> bool:
    """Whether a measure gave sensible figures of all sides."""
    found = [figure for figure in figures if figure.measure == letter]
    values = [value for f in found for side in SIDES for value in figures.values(f, side.name)]
    return all(value >= 0 for value in values) and all(
        any(figures.ratio(f, side.name) for f in found) for side in SIDES[1:]
    )


async def _measured(folder: Path, figures: Figures) -> None:
    async with AsyncExitStack() as stack:
        servers = []
        for side in SIDES:
            path = folder / f"{side.name}.db"
            await asyncio.to_thread(reading.fill, side.name, path, TINY.rows[0])
            servers.append(await stack.enter_async_context(Server(side, path)))
        readers = [reading.Reader(server, TINY.rows[0]) for server in servers]
        await reading.read(readers, TINY, figures)
        await inbound.received(servers, TINY, figures)
        for server in servers:
            await fleet.connected(server, TINY, figures, 20, idle=True)
            await fairness.quiet(server, TINY, figures)
    for side in SIDES:
        async with Server(side, folder / f"{side.name}-queued.db") as server:
            await drain.queue(server, TINY)
            await drain.drain(server, TINY, figures)
        await startup.start(side, folder / f"{side.name}-start.db", figures, startup.VENV)
        await startup.grown(side, folder / f"{side.name}-grown.db", TINY, figures)


def test_each_measure_gives_figures_of_all_sides(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_measured(tmp_path, figures))
    assert [letter for letter in "cdefgi" if not complete(figures, letter)] == []


async def _measured_alone(database: Path, figures: Figures) -> None:
    async with Server(phonegate(), database) as server:
        await apps.beside_links(server, TINY, figures)
        await streams.crowd(server, TINY, figures)
        await listening.beside(server, TINY, figures)


def test_each_measure_of_what_no_baseline_has_gives_figures(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_measured_alone(tmp_path / "phonegate.db", figures))
    for letter, case, name in (
        ("j", apps.case(TINY.apps, apps.LINKS), "API to phone p50"),
        ("j", apps.case(TINY.apps, apps.APPS), "API to phone p50"),
        ("k", streams.case(1), streams.P50),
        ("k", streams.case(TINY.streams), streams.P50),
        *(("l", str(load), listening.RATIO) for load in listening.LOADS),
    ):
        figure = figures.find(letter, case, name)
        assert figure is not None, case
        assert figures.values(figure, "phonegate")[0] > 0, case


def test_a_run_measures_all_sides_in_each_round_and_the_machine_around_them(
    tmp_path: Path,
) -> None:
    figures = Figures()
    sides = (*SIDES, fuller(batched=True))
    run = Run(tmp_path, attrs.evolve(TINY, match="100, one core"), figures, sides)
    uvloop.run(run.measure(["b"]))
    assert figures.faults == []
    assert complete(figures, "b")
    rate = figures.find("b", sends.case(sends.HUNDREDS, sends.PINNED), sends.RATE)
    assert rate is not None
    assert all(figures.values(rate, side.name) for side in sides)
    assert len(run.noise) == 1 + TINY.rounds


def test_a_run_measures_two_revisions_of_phonegate_with_the_loads_that_match(
    tmp_path: Path,
) -> None:
    figures = Figures()
    sides = (phonegate(), attrs.evolve(phonegate(), name="before"))
    plan = attrs.evolve(TINY, match="64 clients")
    uvloop.run(Run(tmp_path, plan, figures, sides).measure(["a"]))
    assert figures.faults == []
    assert {figure.case.split(",")[0] for figure in figures} == {"64 clients"}
    paired = figures.find("a", sends.case(sends.MANY, sends.FREE), sends.PAIRED)
    assert paired is not None
    assert figures.values(paired, "phonegate")[0] > 0


def test_the_tree_of_a_revision_is_what_runs_as_before(tmp_path: Path) -> None:
    side = before("HEAD", tmp_path)
    assert side.folder == tmp_path
    assert (tmp_path / "phonegate" / "__main__.py").is_file()


def test_a_side_that_does_not_start_costs_itself_alone(tmp_path: Path) -> None:
    figures = Figures()
    broken = Side("bare", (sys.executable, "-c", "raise SystemExit('broken')"))
    plan = attrs.evolve(TINY, match="1 client, one core")
    uvloop.run(Run(tmp_path, plan, figures, (phonegate(), broken)).measure(["a"]))
    assert figures.sides("a") == ["phonegate"]
    assert all(fault.startswith("(a) bare failed: DidNotStart") for fault in figures.faults)
    assert figures.faults


async def _lossy(database: Path) -> None:
    async with Server(bare(), database) as server, Org(server) as org:
        await org.connect(2)
        await sends.alone(org, sends.Load(4), 0.02, 0.1)
        await org.check()
        org.deliveries.pushes[0] = 2
        await org.check()


def test_a_message_that_came_twice_makes_a_run_fail(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="0 messages missing, 1 repeated"):
        uvloop.run(_lossy(tmp_path / "lossy.db"))
