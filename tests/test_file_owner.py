"""Whose the files are that root makes for a service."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from phonegate import file_owner
from phonegate.local_ca.authority import LocalAuthority
from phonegate.local_ca.names import Names, usual
from phonegate.store.database import Database

SERVICE = 65_534
"""A user that is not root, and not the one that tests run as."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.chown(tmp_path, SERVICE, SERVICE)
    return tmp_path


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_uid, path.stat().st_gid)
        for path in folder.rglob("*")
    }


@pytest.fixture
def opened(folder: Path) -> Iterator[Database]:
    database = Database.open(folder / "phonegate.db")
    yield database
    database.close()


def test_a_database_that_root_makes_belongs_to_the_service_whole(
    folder: Path, opened: Database
) -> None:
    assert opened.path.parent == folder
    assert owners(folder) == dict.fromkeys(
        ("phonegate.db", "phonegate.db-wal", "phonegate.db-shm", "phonegate.db.lock"),
        (SERVICE, SERVICE),
    )


def test_a_certificate_that_root_makes_belongs_to_the_service(folder: Path) -> None:
    LocalAuthority(folder / "tls").ensure(Names(), usual("gate", ["192.168.1.5"]))
    found = owners(folder)
    assert "tls" in found
    assert len(found) > 3
    assert set(found.values()) == {(SERVICE, SERVICE)}


def test_a_lock_file_that_is_there_is_not_given_away(folder: Path) -> None:
    lock = folder / "phonegate.db.lock"
    lock.touch()
    Database.open(folder / "phonegate.db").close()
    assert lock.stat().st_uid == 0


def test_in_its_own_folder_root_s_files_are_root_s(folder: Path) -> None:
    os.chown(folder, 0, SERVICE)
    file = folder / "file"
    with file.open("w") as made:
        file_owner.like_folder(made.fileno(), file)
    assert (file.stat().st_uid, file.stat().st_gid) == (0, os.getegid())


def test_other_users_give_nothing_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    file = folder / "file"
    with file.open("w") as made:
        file_owner.like_folder(made.fileno(), file)
    assert file.stat().st_uid == 0
