"""Every measure, as short as it can be: that it works, and finds what it is to find."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

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
from bench.servers import Server, baseline, phonegate
from kit.load.loops import Wrong
from kit.load.org import Org

SIDES = (phonegate(), baseline())


def complete(figures: Figures, letter: str) -> bool:
    """Whether a measure gave sensible figures of both sides."""
    found = [figure for figure in figures if figure.measure == letter]
    values = [value for f in found for side in SIDES for value in figures.values(f, side.name)]
    return all(value >= 0 for value in values) and any(figures.ratio(f) for f in found)


async def _crowded(folder: Path, figures: Figures) -> None:
    for side in SIDES:
        async with Server(side, folder / f"{side.name}.db") as server:
            await sends.singles(server, TINY, figures)
            await inbound.received(server, TINY, figures)
            await fleet.connected(server, TINY, figures, 20, idle=True)
            await fairness.quiet(server, TINY, figures)
        async with Server(side, folder / f"{side.name}-queued.db") as server:
            await drain.queue(server, TINY)
            await drain.drain(server, TINY, figures)
        await startup.start(side, folder / f"{side.name}-start.db", figures, startup.VENV)


def test_each_measure_gives_figures_of_both_sides(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_crowded(tmp_path, figures))
    assert [letter for letter in "acefgi" if not complete(figures, letter)] == []


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
    for clients, batch in listening.LOADS:
        figure = figures.find("l", listening.case(clients, batch), listening.RATIO)
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


def test_pages_are_read_from_filled_tables_of_both_sides(tmp_path: Path) -> None:
    figures = Figures()
    uvloop.run(_read(tmp_path, figures))
    assert complete(figures, "d")


def test_a_run_measures_both_sides_in_each_round_and_the_machine_around_them(
    tmp_path: Path,
) -> None:
    figures = Figures()
    run = Run(tmp_path, TINY, figures, log=True)
    uvloop.run(run.measure(["b"]))
    assert complete(figures, "b")
    extra = figures.find("b", sends.batched_case(100), sends.RATE)
    assert extra is not None
    assert figures.ratio(extra)
    assert len(run.noise) == 1 + TINY.rounds


async def _lossy(database: Path) -> None:
    async with Server(baseline(), database) as server, Org(server) as org:
        await org.connect(2)
        await sends.load(org, TINY, 4)
        await org.check()
        org.deliveries.pushes[0] = 2
        await org.check()


def test_a_message_that_came_twice_makes_a_run_fail(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="0 messages missing, 1 repeated"):
        uvloop.run(_lossy(tmp_path / "lossy.db"))
