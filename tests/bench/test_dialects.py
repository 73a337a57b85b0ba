"""The bench of dialects sends by each of them, and loses nothing."""

from pathlib import Path

import uvloop

from bench.dialects import measure


def test_each_api_sends(tmp_path: Path) -> None:
    lines = uvloop.run(measure(tmp_path, 0.1, 1, warm_s=0.02))
    rates = {line.split("|")[1].strip(): float(line.split("|")[2]) for line in lines[2:]}
    assert len(rates) == 6
    assert min(rates.values()) > 0
