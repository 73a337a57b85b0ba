"""How many steps of the schema a file has seen, and a copy that gets no more of them."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from phonegate.config.settings import Settings
from phonegate.model.storage_errors import StoreError
from phonegate.operations import offline, schema_steps
from phonegate.operations.control_client import OwnerRequest
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
    copy = Path(offline.back_up(source, folder)["file"])
    assert (schema_steps.of_file(copy), schema_steps.of_file(source)) == (3, 3)
    assert copy.parent == folder
    assert copy.stat().st_mode & 0o777 == 0o600
    # It has let the lock go, and makes none beside a gateway that has it.
    held = data_file.lock(source)
    with pytest.raises(StoreError):
        offline.back_up(source, folder)
    os.close(held)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("way", ["link", "hard link"])
def test_a_copy_gives_no_other_file_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Root makes it in a folder of the gateway's user, who may put something in its place."""
    source = database(tmp_path / "x.db", 3)
    others, folder = tmp_path / "shadow", tmp_path / "copies"
    others.write_text("root's")
    os.chown(source, 1, 1)
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
        offline.back_up(source, folder)
    assert not given


def test_a_backup_leaves_a_database_of_before_as_it_is(tmp_path: Path) -> None:
    source = database(tmp_path / "x.db", 3)
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "x-20200101T000000Z.db").touch()
    steps: list[tuple[int, int]] = []
    order = OwnerRequest("POST", "/backups", {"file": str(folder), "keep": 1})
    answer = offline.carry_out(Settings(), source, order, lambda *step: steps.append(step))
    copy = Path(answer["file"])
    assert (schema_steps.of_file(copy), schema_steps.of_file(source)) == (3, 3)
    assert answer["bytes"] == copy.stat().st_size
    assert answer["removed"] == [str(folder / "x-20200101T000000Z.db")]
    assert steps[-1][0] == steps[-1][1]
    named = OwnerRequest("POST", "/backups", {"file": str(tmp_path / "one.db")})
    answer = offline.carry_out(Settings(), source, named)
    assert answer == {"file": str(tmp_path / "one.db"), "bytes": copy.stat().st_size}
    assert schema_steps.of_file(source) == 3
