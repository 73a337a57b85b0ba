"""How many steps of the schema a file has seen, and a copy that gets no more of them."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from phonegate.model.storage_errors import StoreError
from phonegate.operations import offline, schema_steps
from phonegate.store import backup, data_file


def database(path: Path, steps: int) -> Path:
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE x (y)")
        made.execute(f"PRAGMA user_version = {steps}")
    return path


def test_a_file_shows_its_steps(tmp_path: Path) -> None:
    assert schema_steps.of_file(database(tmp_path / "x.db", 7)) == 7
    assert schema_steps.of_file(tmp_path / "none.db") is None
    (tmp_path / "text").write_text("SQLite format 3")
    assert schema_steps.of_file(tmp_path / "text") is None
    (tmp_path / "other").write_bytes(b"x" * 100)
    assert schema_steps.of_file(tmp_path / "other") is None


def test_a_copy_is_of_the_version_that_was_there(tmp_path: Path) -> None:
    source = database(tmp_path / "x.db", 3)
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = offline.copy_unchanged(source, folder)
    assert (schema_steps.of_file(copy), schema_steps.of_file(source)) == (3, 3)
    assert copy.parent == folder
    assert copy.stat().st_mode & 0o777 == 0o600
    # It has let the lock go, and makes none beside a gateway that has it.
    held = data_file.lock(source)
    with pytest.raises(StoreError):
        offline.copy_unchanged(source, folder)
    os.close(held)


@pytest.mark.parametrize("way", ["link", "hard link"])
def test_a_copy_gives_no_other_file_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Root makes it in a folder of the gateway's user, who may put something in its place."""
    source = database(tmp_path / "x.db", 3)
    others, folder = tmp_path / "shadow", tmp_path / "copies"
    others.write_text("root's")
    folder.mkdir()
    given: list[object] = []

    def swapped(_source: Path, target: Path, _progress: object) -> None:
        if way == "link":
            target.symlink_to(others)
        else:
            target.hardlink_to(others)

    monkeypatch.setattr(backup, "copy", swapped)
    monkeypatch.setattr(os, "chown", lambda *given_: given.append(given_))
    monkeypatch.setattr(os, "fchown", lambda *given_: given.append(given_))
    with pytest.raises((StoreError, OSError)):
        offline.copy_unchanged(source, folder)
    assert not given
