"""Short form of `trials.smsgate`."""

import asyncio
from pathlib import Path

import pytest

from trials import smsgate


def test_kill_9_of_gateway_and_phones_with_the_app_breaks_no_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = smsgate.Trial(folder=tmp_path, seed=7, rounds=2, seconds=1.0, haste=200, clients=1)
    asyncio.run(trial.run())
    told = capsys.readouterr().out
    assert "2 kills" in told
    assert "each stored once; promises kept" in told
