"""The world of the console's pictures has something for each screen to show."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.end_to_end import console_world

NOW = 1_800_000_000_000


def test_the_world_is_made_of_what_happened_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_world, "DAYS", 3)
    trio.run(console_world.build, tmp_path / "world.db", NOW)
    with closing(sqlite3.connect(tmp_path / "world.db")) as file:

        def values(sql: str) -> set[object]:
            return {row[0] for row in file.execute(sql)}

        assert {"received", "delivered"} <= values("SELECT status FROM messages")
        (first, last), *_ = file.execute("SELECT min(created_at), max(created_at) FROM messages")
        assert NOW - 3 * console_world.DAY_MS < first < last < NOW
        # These two are not read yet.
        newest = values("SELECT address FROM messages ORDER BY id DESC LIMIT 2")
        assert newest == {console_world.ANNA, console_world.PARENTS}
        assert len(values("SELECT phone FROM phone_health")) == 3
        assert values("SELECT name FROM contacts") >= {"Anna", "נועה"}
        assert values("SELECT value FROM choices WHERE name = 'registration'") == {"closed"}
