"""(f): from the start of the program to its first answer, and its memory then."""

import asyncio
import subprocess
import sys
from pathlib import Path

import attrs

from bench.figures import Figure, Figures
from bench.measures.sends import MANY, PINNED, alone
from bench.plan import Plan
from bench.servers import Server, Side
from kit.program import ROOT

TIME, MEMORY = "start to first answer", "memory"
SECRETS, LOADED = "20 orgs, their first secrets checked", "20 orgs, 64 clients sending"
VENV, FIRST, LATER = "from a venv", "zipapp, first start", "zipapp, later starts"


def build_zipapp(folder: Path) -> Path:
    """Builds the zipapp of the checkout.

    Raises:
        subprocess.CalledProcessError: It can't be built here, as without the package index.
    """
    path = folder / "phonegate.pyz"
    subprocess.run(
        [sys.executable, str(ROOT / "release" / "zipapp.py"), "--output", str(path)],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    return path


def of_zipapp(side: Side, zipapp: Path, unpacked: Path) -> Side:
    """Makes phonegate from that file. Its first start puts the packages into `unpacked`."""
    return attrs.evolve(
        side,
        command=(sys.executable, str(zipapp), "serve"),
        environment={**side.environment, "SHIV_ROOT": str(unpacked)},
    )


async def start(side: Side, database: Path, figures: Figures, case: str) -> None:
    async with Server(side, database) as server:
        figures.add(side.name, Figure("f", case, TIME, "s"), server.started_s)
        figures.add(side.name, Figure("f", case, MEMORY, "MB"), server.rss_bytes() / 1e6)


async def grown(side: Side, database: Path, plan: Plan, figures: Figures) -> None:
    """Its memory once there is something to do."""
    async with (
        Server(side, database) as server,
        PINNED.of(server, plan, "grown") as orgs,
    ):
        await asyncio.sleep(plan.settle_s)
        for case, at in ((SECRETS, 0.0), (LOADED, plan.seconds)):
            if at:
                await alone(orgs, MANY, plan.warm_s, at)
            figures.add(side.name, Figure("f", case, MEMORY, "MB"), server.rss_bytes() / 1e6)
