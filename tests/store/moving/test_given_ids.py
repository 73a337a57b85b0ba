from pathlib import Path

import pytest

from phonegate.store.database import Database
from phonegate.store.moving.contents import SPACES
from phonegate.store.moving.given_ids import given, keep_above
from tests import new_database


@pytest.mark.parametrize("before", [0, 5, 2_000])
def test_ids_begin_where_the_settings_say(tmp_path: Path, before: int) -> None:
    path = new_database.make(tmp_path / "phonegate.db")
    opened = Database.open(path)
    if before:
        for space in SPACES:
            keep_above(opened._writing, space, before)
    opened.close()
    for _ in range(2):
        opened = Database.open(path, first_id=1_000)
        for space in SPACES:
            assert given(opened._writing, space) == max(before, 999), space
        opened.close()
    opened = Database.open(path)
    opened._writing.execute(
        "INSERT INTO orgs (name, secret_hash, created_at) VALUES ('myorg', 'x', 1)"
    )
    assert opened._writing.execute("SELECT id FROM orgs").fetchone() == (max(before, 999) + 1,)
    opened.close()
