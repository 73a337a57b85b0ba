import os
import sqlite3
import stat
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.messages import PageQuery
from phonegate.model.storage_errors import BackupFailed, StoreClosed
from phonegate.store import backup
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.patience import PATIENCE_S
from tests.store.conftest import outbound


def _parts(folder: Path) -> list[str]:
    """What is left of backups in a folder, half or whole."""
    return [path.name for path in folder.iterdir() if "phonegate.db" not in path.name]


async def _fill(store: Database, pairs: int) -> int:
    def fill(tx: Tables) -> int:
        org = tx.orgs.add("myorg", "hash", 1).id
        for number in range(2 * pairs):
            tx.messages.insert(outbound(org, f"{number} " + "x" * 500))
        return org

    return await store.write(fill)


async def test_a_copy_taken_while_writing_is_whole(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 20)
    org = await _fill(store, 200)
    target = tmp_path / "copies" / "backup.db"
    target.parent.mkdir()
    reports: list[tuple[int, int]] = []
    written = 0
    running = True
    some = trio.Event()

    def pair(tx: Tables) -> None:
        # Always two in one transaction: an odd number in the copy would be half of one.
        tx.messages.insert(outbound(org, "left"))
        tx.messages.insert(outbound(org, "right"))

    async def write() -> None:
        nonlocal written
        while running:
            await store.write(pair)
            written += 1
            some.set()

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await some.wait()
            before = written
            await store.backup(target, lambda done, all_: reports.append((done, all_)))
            running = False
    assert written > before
    assert len(reports) > 1
    assert reports[-1][0] == reports[-1][1]
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert [path.name for path in target.parent.iterdir()] == ["backup.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    restored = Database.open(target)
    assert restored._writing.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    page = await restored.read(lambda tx: tx.messages.page(org, PageQuery(limit=100_000)))
    assert len(page) >= 400 + 2 * before
    assert len(page) % 2 == 0
    counts = await restored.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"queued": len(page)}
    restored.close()


async def test_an_existing_target_is_refused(store: Database, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_bytes(b"precious")
    with pytest.raises(BackupFailed) as caught:
        await store.backup(target)
    assert caught.value.target == target
    assert target.read_bytes() == b"precious"
    dangling = tmp_path / "link.db"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BackupFailed):
        await store.backup(dangling)


async def test_a_target_that_appears_meanwhile_is_kept(store: Database, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"

    def appear(_done: int, _all: int) -> None:
        target.write_bytes(b"precious")

    with pytest.raises(BackupFailed):
        await store.backup(target, appear)
    assert target.read_bytes() == b"precious"
    assert _parts(tmp_path) == ["backup.db"]


async def test_without_hard_links_too(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "backup.db"
    await store.backup(target)
    Database.open(target).close()
    with pytest.raises(BackupFailed):
        await store.backup(target)


async def test_a_missing_folder_is_said(store: Database, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="nowhere is not there"):
        await store.backup(tmp_path / "nowhere" / "backup.db")


async def test_a_cancelled_copy_leaves_nothing(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    await _fill(store, 50)
    scope = trio.CancelScope()
    reports = 0

    def stop(_done: int, _all: int) -> None:
        nonlocal reports
        reports += 1
        scope.cancel()

    with trio.fail_after(PATIENCE_S), scope:
        await store.backup(tmp_path / "backup.db", stop)
    assert scope.cancelled_caught
    assert reports == 1
    assert not _parts(tmp_path)


async def test_a_full_disk_is_said(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, _temporary: Path, _progress: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(backup, "_copy", full)
    with pytest.raises(BackupFailed, match="full"):
        await store.backup(tmp_path / "backup.db")
    assert not _parts(tmp_path)


async def test_a_closed_store_makes_none(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "phonegate.db")
    store.close()
    with pytest.raises(StoreClosed):
        await store.backup(tmp_path / "backup.db")


DATED = st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1000)


@given(times=st.sets(DATED, max_size=12), keep=st.integers(1, 12), others=st.sets(st.text()))
def test_the_newest_copies_stay_and_other_files_too(
    times: set[int], keep: int, others: set[str]
) -> None:
    database, folder = Path("/var/my.gateway.db"), Path("/backups")
    copies = {backup.dated(database, folder, time).name: time for time in times}
    dated = "20300131T080000Z.db"
    near = {"my.gateway.db", f"my.gateway-{dated}.part", f"my_gateway-{dated}"}
    gone = backup.outdated([*near, *copies, *(others - set(copies))], database, keep)
    assert set(gone) <= set(copies)
    assert sorted(times - {copies[name] for name in gone}) == sorted(times)[-keep:]


def test_a_dated_copy_sorts_by_its_time() -> None:
    at = 1_900_000_000_000
    made = [backup.dated(Path("x.db"), Path("f"), at + step * 1000) for step in range(100_000)]
    assert made[0] == Path("f/x-20300317T174640Z.db")
    assert made == sorted(made)


async def test_only_copies_beyond_those_to_keep_are_removed(
    store: Database, tmp_path: Path
) -> None:
    await _fill(store, 1)
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for day in range(4):
        target, removed = await store.backup_dated(folder, day * 86_400_000, keep=2)
        assert target.exists()
        assert len(removed) == (day > 1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "notes.txt",
        "phonegate-19700103T000000Z.db",
        "phonegate-19700104T000000Z.db",
    ]


async def test_a_copy_that_fails_removes_nothing(store: Database, tmp_path: Path) -> None:
    await _fill(store, 1)
    await store.backup_dated(tmp_path, 1000, keep=5)
    taken, _ = await store.backup_dated(tmp_path, 2000, keep=5)
    with pytest.raises(BackupFailed):
        await store.backup_dated(tmp_path, 2000, keep=1)
    assert taken.exists()
    assert backup.dated(store.path, tmp_path, 1000).exists()
