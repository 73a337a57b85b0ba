"""Short form of `bench.pages`."""

import re
from pathlib import Path

import pytest

from bench import pages


async def test_every_filter_is_timed_on_both_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await pages.measure(tmp_path, 200, turns=2)
    printed = capsys.readouterr().out
    assert "built 200 rows" in printed
    for name in pages.queries(200):
        assert re.search(rf"^{re.escape(name)}( +[\d.]+){{4}}$", printed, re.MULTILINE)
