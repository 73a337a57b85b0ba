"""Short form of `trials.crash`."""

import asyncio
from pathlib import Path

import pytest

from trials import crash


def test_kill_9_in_the_midst_of_load_breaks_no_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = crash.Trial(folder=tmp_path, seed=7, rounds=1, seconds=1.0)
    asyncio.run(trial.run())
    assert "1 kills" in capsys.readouterr().out
