import contextlib
import errno
import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.model.messages import PageQuery
from phonegate.model.storage_errors import (
    DatabaseBusy,
    DatabaseUnusable,
    StorageUnavailable,
    StoreClosed,
)
from phonegate.store import data_file, group_commit, migrations
from phonegate.store.database import Database
from tests.patience import PATIENCE_S
from tests.store.conftest import outbound


def _state(folder: Path) -> dict[str, tuple[str, int]]:
    """Everything in a folder: names, contents, times of change."""
    return {
        path.name: (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in folder.iterdir()
    }


def _refusal(path: Path) -> DatabaseUnusable:
    before = _state(path.parent) if path.parent.is_dir() else None
    with pytest.raises(DatabaseUnusable) as caught:
        Database.open(path)
    if before is not None:
        assert _state(path.parent) == before
    error = caught.value
    assert error.path == path
    sentence = str(error)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    assert error.problem
    assert error.remedy
    return error


# -- opening


def test_a_new_database_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    old = os.umask(0)
    try:
        opened = Database.open(path)
    finally:
        os.umask(old)
    opened._writing.execute("INSERT INTO marks VALUES ('x', 1)")
    names = {found.name: stat.S_IMODE(found.stat().st_mode) for found in tmp_path.iterdir()}
    assert names == dict.fromkeys(
        ("phonegate.db", "phonegate.db-wal", "phonegate.db-shm", "phonegate.db.lock"), 0o600
    )
    for pragma, value in (
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", group_commit.BUSY_MS),
    ):
        assert opened._writing.execute(f"PRAGMA {pragma}").fetchone() == (value,), pragma
    opened.close()
    opened.close()
    assert {found.name for found in tmp_path.iterdir()} == {"phonegate.db", "phonegate.db.lock"}


def test_rights_of_others_are_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    Database.open(path).close()
    path.chmod(0o664)
    Database.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_with_signs_of_uris(tmp_path: Path) -> None:
    path = tmp_path / "a ?b#c%41.db"
    Database.open(path).close()
    assert path.exists()
    Database.open(path).close()


def test_a_link_leads_to_the_database(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real.db")
    opened = Database.open(link)
    with pytest.raises(DatabaseBusy):
        Database.open(tmp_path / "real.db")
    opened.close()
    assert link.is_symlink()


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    path.touch()
    Database.open(path).close()
    assert path.stat().st_size > 0


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    first = Database.open(path)
    with pytest.raises(DatabaseBusy) as caught:
        Database.open(path)
    assert caught.value.path == path
    assert f"another phonegate (process {os.getpid()}) is using" in str(caught.value)
    first.close()
    data_file.lock_path(path).write_text("no number")
    first = Database.open(path)
    data_file.lock_path(path).write_text("")
    with pytest.raises(DatabaseBusy, match="another phonegate is using"):
        Database.open(path)
    first.close()
    Database.open(path).close()


def test_one_owner_among_processes(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    first = Database.open(path)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from phonegate.store.database import Database\n"
        "from phonegate.model.storage_errors import DatabaseBusy\n"
        "try:\n    Database.open(Path(sys.argv[1]))\n"
        "except DatabaseBusy:\n    sys.exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 7
    # Nor has the attempt harmed what the owner holds.
    first._writing.execute("INSERT INTO marks VALUES ('x', 1)")
    first.close()


# -- what is refused, and left alone


def test_a_missing_folder(tmp_path: Path) -> None:
    error = _refusal(tmp_path / "nowhere" / "phonegate.db")
    assert "does not exist" in error.problem


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "folder" in _refusal(tmp_path / "data").problem


@pytest.mark.parametrize(
    "content", [b"x", b"hello world" * 500, b"SQLite format 3\0", b"\0" * 4096]
)
def test_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert "not a database" in _refusal(path).problem


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with contextlib.closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE photos (x)")
        theirs.commit()
    assert "another program" in _refusal(path).problem


def test_a_newer_database(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    Database.open(path).close()
    data_file.lock_path(path).unlink()
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
        newer.commit()
    error = _refusal(path)
    assert "newer" in error.problem
    assert str(migrations.VERSION + 1) in error.problem


def test_a_newer_database_whose_update_is_only_in_its_log(tmp_path: Path) -> None:
    # As a newer program leaves it that was killed just after its migration.
    path = tmp_path / "phonegate.db"
    Database.open(path).close()
    data_file.lock_path(path).unlink()
    newer = sqlite3.connect(path, isolation_level=None)
    newer.execute("PRAGMA wal_autocheckpoint = 0")
    newer.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("phonegate.db", "phonegate.db-wal"):
        (killed / name).write_bytes((tmp_path / name).read_bytes())
    newer.close()
    assert (killed / "phonegate.db").read_bytes()[60:64] == migrations.VERSION.to_bytes(4)
    assert "newer" in _refusal(killed / "phonegate.db").problem


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    Database.open(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    data_file.lock_path(path).unlink()
    assert "damaged" in _refusal(path).problem


def test_a_log_without_its_database(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    (tmp_path / "phonegate.db-wal").write_bytes(b"x" * 100)
    assert "write-ahead log" in _refusal(path).problem


@contextlib.contextmanager
def _as_a_user_without_rights() -> Iterator[Path]:
    """A folder in the hands of somebody for whom rights count: root may write anywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if os.geteuid() != 0:
            yield folder
            folder.chmod(0o755)
            return
        try:
            yield folder
        finally:
            os.seteuid(0)
            folder.chmod(0o755)


def _drop_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_a_folder_that_cannot_be_written() -> None:
    with _as_a_user_without_rights() as folder:
        path = folder / "phonegate.db"
        folder.chmod(0o555)
        _drop_rights()
        assert "can't be written" in _refusal(path).problem


def test_a_file_that_cannot_be_written() -> None:
    with _as_a_user_without_rights() as folder:
        path = folder / "phonegate.db"
        Database.open(path).close()
        data_file.lock_path(path).unlink()
        folder.chmod(0o777)
        path.chmod(0o444)
        _drop_rights()
        error = _refusal(path)
        assert "can't be written" in error.problem
        assert "Permission denied" in error.problem


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((*real[:3], 5, 5, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    path = tmp_path / "phonegate.db"
    assert "full" in _refusal(path).problem
    monkeypatch.undo()
    Database.open(path).close()
    data_file.lock_path(path).unlink()
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert "full" in _refusal(path).problem


_SMALL = """
import resource, sys
from pathlib import Path
from phonegate.store.database import Database
from phonegate.model.storage_errors import DatabaseUnusable
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    Database.open(Path(sys.argv[1])).close()
except DatabaseUnusable as error:
    print(error)
    sys.exit(9)
"""


@pytest.mark.parametrize("room", [0, 4096, 20_000])
def test_a_disk_that_fills_while_the_database_is_made(tmp_path: Path, room: int) -> None:
    path = tmp_path / "phonegate.db"
    done = subprocess.run(
        [sys.executable, "-c", _SMALL, str(path), str(room)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    assert done.stdout.startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == []


def test_a_migration_that_fails_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "phonegate.db"
    Database.open(path).close()
    data_file.lock_path(path).unlink()
    broken = (*migrations.STEPS, ("CREATE TABLE extra (x)", "CREATE TABLE orgs (x)"))
    monkeypatch.setattr(migrations, "STEPS", broken)
    assert "opened" in _refusal(path).problem


def test_an_old_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert "SQLite" in _refusal(tmp_path / "phonegate.db").problem


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "Read-only file system"), (errno.EACCES, "denied")],
)
def test_what_the_system_refuses_is_said(tmp_path: Path, number: int, says: str) -> None:
    assert says in str(data_file.refused(tmp_path, OSError(number, "")))


# -- reading


async def test_reads_see_commits_and_can_write_nothing(store: Database) -> None:
    await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))
    assert await store.read(lambda tx: tx.orgs.get("myorg")) is not None
    with pytest.raises(StorageUnavailable):
        await store.read(lambda tx: tx.orgs.add("another", "hash", 1))
    assert [org.name for org in await store.read(lambda tx: tx.orgs.all())] == ["myorg"]


async def test_a_read_sees_one_state_throughout(store: Database) -> None:
    org = (await store.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id

    def twice(tx: Any) -> tuple[int, int]:
        before = len(tx.messages.page(org, PageQuery()))
        trio.from_thread.run(store.write, lambda w: w.messages.insert(outbound(org)))
        return before, len(tx.messages.page(org, PageQuery()))

    with trio.fail_after(PATIENCE_S):
        assert await store.read(twice) == (0, 0)
        assert await store.read(lambda tx: len(tx.messages.page(org, PageQuery()))) == 1


_ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT sum(x) FROM n"


async def test_a_long_read_ends_when_cancelled_and_frees_its_place(store: Database) -> None:
    entered = trio.Event()

    def endless(tx: Any) -> None:
        trio.from_thread.run_sync(entered.set)
        tx.orgs._connection.execute(_ENDLESS).fetchone()

    with trio.fail_after(PATIENCE_S):
        for _ in range(6):  # More often than there are readers.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.read, endless)
                await entered.wait()
                nursery.cancel_scope.cancel()
        assert await store.read(lambda tx: tx.orgs.all()) == []


async def test_readers_are_as_many_as_asked_for(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "phonegate.db", readers=2)
    seen: set[int] = set()

    def look(tx: Any) -> None:
        seen.add(id(tx))

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(store.read, look)
    assert len(seen) <= 2
    store.close()
    with pytest.raises(StoreClosed):
        await store.read(look)


async def test_what_a_read_raises_is_its_callers(store: Database) -> None:
    def wrong(_tx: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await store.read(wrong)


async def test_a_look_ends_when_it_is_given_up_and_frees_its_place(store: Database) -> None:
    token = trio.lowlevel.current_trio_token()
    entered, ended = trio.Event(), trio.Event()
    came: list[tuple[object, Exception | None]] = []

    def endless(tx: Any) -> None:
        token.run_sync_soon(entered.set)
        tx.orgs._connection.execute(_ENDLESS).fetchone()

    def done(result: object, error: Exception | None) -> None:
        came.append((result, error))
        ended.set()
        raise ValueError("the loop goes on")

    with trio.fail_after(PATIENCE_S):
        for _ in range(6):  # More often than there are readers.
            entered, ended = trio.Event(), trio.Event()
            look = store.look(endless, done)
            assert look is not None
            await entered.wait()
            look.give_up()
            await ended.wait()
        assert await store.read(lambda tx: tx.orgs.all()) == []
    assert [result for result, _ in came] == [None] * 6
    assert all(isinstance(error, sqlite3.OperationalError) for _, error in came)


async def test_looks_are_as_many_as_readers_and_give_what_a_read_does(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "phonegate.db", readers=2)
    free, came, all_came = threading.Event(), [], trio.Event()

    def slow(tx: Any) -> object:
        assert free.wait(PATIENCE_S)
        return tx.orgs.all()

    def done(*outcome: object) -> None:
        came.append(outcome)
        if len(came) == 2:
            all_came.set()

    with trio.fail_after(PATIENCE_S):
        looks = [store.look(slow, done) for _ in range(3)]
        assert [look is None for look in looks] == [False, False, True]
        free.set()
        await all_came.wait()
        assert came == [([], None)] * 2
        assert store.look(slow, done) is not None
    store.close()
    assert store.look(slow, done) is None


async def test_closing_ends_a_look(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "phonegate.db")
    ended = trio.Event()
    with trio.fail_after(PATIENCE_S):
        store.look(
            lambda tx: tx.orgs._connection.execute(_ENDLESS).fetchone(), lambda *_: ended.set()
        )
        store.close()
        await ended.wait()


async def test_a_file_that_cannot_be_read_is_said(store: Database) -> None:
    def fails(_tx: Any) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    with pytest.raises(StorageUnavailable, match="disk I/O error"):
        await store.read(fails)


# -- closing


def test_close_empties_the_log_and_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    store = Database.open(path)
    store._writing.execute("INSERT INTO marks VALUES ('x', 1)")
    assert (tmp_path / "phonegate.db-wal").stat().st_size > 0
    store.close()
    assert not (tmp_path / "phonegate.db-wal").exists()
    again = Database.open(path)
    assert again._writing.execute("SELECT value FROM marks WHERE name = 'x'").fetchone() == (1,)
    again.close()
