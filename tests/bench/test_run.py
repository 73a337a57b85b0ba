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


async def _crowded(folder: Path, figures: Figures) -> None:
    for side in SIDES:
        async with Server(side, folder / f"{side.name}.db") as server:
            await inbound.received([server], TINY, figures)
            await fleet.connected(server, TINY, figures, 20, idle=True)
            await fairness.quiet(server, TINY, figures)
        async with Server(side, folder / f"{side.name}-queued.db") as server:
            await drain.queue(server, TINY)
            await drain.drain(server, TINY, figures)
        await startup.start(side, folder / f"{side.name}-start.db", figures, startup.VENV)
        await startup.grown(side, folder / f"{side.name}-grown.db", TINY, figures)


def test_each_measure_gives_figures_of_all_sides(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_crowded(tmp_path, figures))
    assert [letter for letter in "cefgi" if not complete(figures, letter)] == []


async def _with_apps(database: Path, figures: Figures) -> None:
    async with Server(phonegate(), database) as server:
        await apps.beside_links(server, TINY, figures)


def test_phones_with_the_app_are_measured_beside_links(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_with_apps(tmp_path / "apps.db", figures))
    for kind in (apps.LINKS, apps.APPS):
        figure = figures.find("j", apps.case(TINY.apps, kind), "API to phone p50")
        assert figure is not None
        assert figures.values(figure, "phonegate")[0] > 0


async def _with_streams(database: Path, figures: Figures) -> None:
    async with Server(phonegate(), database) as server:
        await streams.crowd(server, TINY, figures)


def test_streams_of_events_are_measured_and_another_org_beside_them(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_with_streams(tmp_path / "streams.db", figures))
    for case in (streams.case(1), streams.case(TINY.streams)):
        figure = figures.find("k", case, streams.P50)
        assert figure is not None
        assert figures.values(figure, "phonegate")[0] > 0


async def _with_a_listener(database: Path, figures: Figures) -> None:
    async with Server(phonegate(), database) as server:
        await listening.beside(server, TINY, figures)


def test_an_org_that_listens_is_compared_with_one_that_does_not(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_with_a_listener(tmp_path / "listening.db", figures))
    for load in listening.LOADS:
        figure = figures.find("l", str(load), listening.RATIO)
        assert figure is not None
        assert figures.values(figure, "phonegate")[0] > 0


async def _read(folder: Path, figures: Figures) -> None:
    async with AsyncExitStack() as stack:
        readers = []
        for side in SIDES:
            path = folder / f"{side.name}.db"
            await asyncio.to_thread(reading.fill, side.name, path, TINY.rows[0])
            server = await stack.enter_async_context(Server(side, path))
            readers.append(reading.Reader(server, TINY.rows[0]))
        await reading.read(readers, TINY, figures)


def test_pages_are_read_from_filled_tables_of_all_sides(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_read(tmp_path, figures))
    assert complete(figures, "d")


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
    plan = attrs.evolve(TINY, match="1 client")
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
