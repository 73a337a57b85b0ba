"""Short form of `bench.console`."""

import argparse
import asyncio
from pathlib import Path

import pytest

from bench import console


def test_every_page_is_timed_over_both_inboxes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "SMALL", (50, 5))
    monkeypatch.setattr(console, "WARM", 0)
    chosen = argparse.Namespace(messages=200, conversations=20, turns=1, browser=False)
    asyncio.run(console.run(chosen, tmp_path))
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("list, first page", "search, a number", "mark read"))
