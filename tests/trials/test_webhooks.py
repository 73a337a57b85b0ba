"""Short form of `trials.webhooks`."""

import asyncio
from pathlib import Path

import pytest

from trials import webhooks


def test_kill_9_in_the_midst_of_load_loses_and_mixes_up_no_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = webhooks.Trial(folder=tmp_path, seed=7, rounds=1, seconds=1.0)
    asyncio.run(trial.run())
    assert "1 kills" in capsys.readouterr().out
