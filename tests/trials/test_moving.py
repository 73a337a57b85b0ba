from pathlib import Path

import pytest

from phonegate.store import migrations
from phonegate.store.moving.org_file import Chunk, Head, Lines
from trials.moving import Broken, Noticed, require_same


def file(path: Path, *rows: list[int]) -> Path:
    head = Head(
        id="a",
        schema=migrations.VERSION,
        version="0.1.0",
        made_at=1,
        suspended_at=None,
        org={"id": 1, "name": "myorg"},
        tables={"messages": ("id",)},
        given={},
        marks={},
        messages=len(rows),
    )
    with path.open("wb") as opened:
        lines = Lines(opened)
        lines.head(head)
        lines.chunk(Chunk(number=0, table="messages", rows=[*rows]))
        lines.foot()
    return path


def test_a_row_that_is_missing_or_twice_there_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = file(tmp_path / "there.org", [1], [2])
    require_same(there, file(tmp_path / "same.org", [2], [1]))
    assert capsys.readouterr().out == "same: 2 rows of 1 tables\n"
    for name, rows in (("missing", [[1]]), ("twice", [[1], [2], [2]]), ("other", [[1], [3]])):
        with pytest.raises(Broken, match="messages"):
            require_same(there, file(tmp_path / f"{name}.org", *rows))


def test_what_a_client_waits_in_words() -> None:
    seen = Noticed(waits=[float(n) for n in range(1, 101)], failed=2)
    assert seen.words() == "median 50.5 ms, 99 % 100.0 ms, longest 100.0 ms of 100, 2 failed"
