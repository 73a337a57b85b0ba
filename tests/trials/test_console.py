"""Short form of `trials.console`."""

import asyncio
from pathlib import Path

import pytest

from trials import console


def test_kill_9_beside_open_consoles_loses_and_doubles_nothing_that_they_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "TURNS", 1)
    trial = console.Trial(folder=tmp_path, seed=7, rounds=1, seconds=1.0, consoles=3, rate=20.0)
    asyncio.run(trial.run())
    assert "1 kills, 3 consoles with 6 streams saw each of" in capsys.readouterr().out
