"""The bench of capacity fills a file, serves it, and measures all of its columns."""

import asyncio
from pathlib import Path

from bench.capacity import COLUMNS, measure


def test_each_column_is_measured(tmp_path: Path) -> None:
    cells = asyncio.run(measure(tmp_path, 2_000, 0.2, warm_s=0.02))
    assert len(cells) == len(COLUMNS)
    assert cells[0] == "2,000"
    assert all(float(cell.replace(",", "")) > 0 for cell in cells)
