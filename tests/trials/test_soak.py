"""Days in short, and what makes them fail."""

import itertools
import time
from pathlib import Path

import uvloop

from tests.patience import PATIENCE_S
from trials import soak


def test_a_soak_lives_its_day_without_a_failure(tmp_path: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    # A machine that stands still sleeps through a day of one second: then it has another.
    for number in itertools.count():
        folder = tmp_path / str(number)
        folder.mkdir()
        faults, samples = uvloop.run(soak.soak(folder, 1, 1))
        assert faults == []
        if samples and samples[-1].messages > 20:
            break
        assert time.monotonic() < end
    assert samples[-1].tasks > 0


def sample(at_s: float, rss_mb: float, tasks: int = 100) -> soak.Snapshot:
    return soak.Snapshot(
        at_s=at_s,
        rss_mb=rss_mb,
        tasks=tasks,
        threads=8,
        descriptors=100,
        wal_mb=4,
        messages=int(at_s),
    )


def test_a_soak_sees_what_grows_and_bears_what_swings() -> None:
    flat = [sample(at, 60 + at % 3) for at in range(60)]
    assert soak.grown(flat) == []
    assert soak.grown([sample(at, 60 + at) for at in range(60)]) == [
        "rss_mb grew from 83.5 to 107.5"
    ]
    leaking = [sample(at, 60, tasks=100 + at) for at in range(60)]
    assert [fault.partition(" ")[0] for fault in soak.grown(leaking)] == ["tasks"]
    assert soak.grown(flat[:3]) == ["too few samples to tell"]
