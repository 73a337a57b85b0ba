"""Days in short, and what makes them fail."""

from pathlib import Path

import pytest
import uvloop

from bench import soak
from bench.load.loops import Wrong
from bench.load.org import Org
from bench.measures import sends
from bench.plan import TINY
from bench.servers import Server, baseline


async def _lossy(database: Path) -> None:
    async with Server(baseline(), database) as server, Org(server) as org:
        await org.connect(2)
        await sends.load(org, TINY, 4)
        await org.check()
        org.book.pushes[0] = 2
        await org.check()


def test_a_message_that_came_twice_makes_a_run_fail(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="0 messages missing, 1 repeated"):
        uvloop.run(_lossy(tmp_path / "lossy.db"))


def test_a_soak_lives_its_day_without_a_failure(tmp_path: Path) -> None:
    faults, samples = uvloop.run(soak.soak(tmp_path, 1, 1))
    assert faults == []
    assert samples[-1].messages > 20
    assert samples[-1].tasks > 0
