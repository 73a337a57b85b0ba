"""Readiness is found out by doing."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from phonegate.domain.alarms import Alarms, AlarmThresholds, GatewayHealth
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.operations.readiness import Readiness
from phonegate.store import data_file
from phonegate.store.database import Database
from tests.patience import PATIENCE_S


@pytest.fixture
async def database(nursery: trio.Nursery, tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database.open(tmp_path / "phonegate.db")
    await nursery.start(opened.run_writer)
    yield opened
    opened.stop_writing()
    opened.close()


async def codes(readiness: Readiness) -> list[str]:
    return [reason.code for reason in await readiness.reasons()]


async def test_a_gateway_that_writes_is_ready(database: Database) -> None:
    commits = database.statistics().commit_seconds.count
    assert await codes(Readiness(database, disk_low_bytes=0, now_ms=lambda: 7)) == []
    assert database.statistics().commit_seconds.count == commits + 1


async def test_every_reason_is_told_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object) -> None:
        raise StorageUnavailable("database or disk is full")

    readiness = Readiness(database, disk_low_bytes=1 << 60, now_ms=lambda: 7)
    readiness.draining = True
    monkeypatch.setattr(database, "write", refuse)
    assert await codes(readiness) == ["draining", "storage", "disk_low"]


async def test_a_disk_that_can_be_read_and_not_written_is_not_ready(database: Database) -> None:
    # What a full disk or a file system that turned read-only does to SQLite.
    database._writing.execute("PRAGMA query_only = ON")
    readiness = Readiness(database, disk_low_bytes=0, now_ms=lambda: 7)
    (reason,) = await readiness.reasons()
    assert reason.code == "storage"
    assert await database.read(lambda tx: tx.message_counts.by_status()) == {}
    database._writing.execute("PRAGMA query_only = OFF")
    assert await codes(readiness) == []


async def test_a_store_that_goes_down_is_not_ready(database: Database) -> None:
    database.stop_writing()
    assert await codes(Readiness(database, disk_low_bytes=0, now_ms=lambda: 7)) == ["storage"]


async def test_a_disk_that_hangs_costs_its_probes_alone(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    settable_clock: trio.testing.MockClock,
) -> None:
    back, asked = threading.Event(), []
    found: list[list[str]] = []

    def hang(path: Path, _: int) -> data_file.Space:
        asked.append(path)
        back.wait(PATIENCE_S)
        raise OSError

    monkeypatch.setattr(data_file, "space", hang)
    readiness = Readiness(database, disk_low_bytes=1, now_ms=lambda: 7)

    async def look() -> None:
        found.append(await codes(readiness))

    try:
        async with trio.open_nursery() as looking:
            looking.start_soon(look)
            with trio.fail_after(PATIENCE_S):
                while not asked:  # noqa: ASYNC110 - it happens in a thread
                    await trio.sleep(0.005)
            settable_clock.autojump_threshold = 0.05
        for _ in range(2):
            await look()
        assert found == [["storage"]] * 3
        assert len(asked) == 1
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    finally:
        back.set()


async def test_a_database_that_is_not_where_it_was_takes_nothing(
    database: Database, tmp_path: Path
) -> None:
    readiness = Readiness(database, disk_low_bytes=0, now_ms=lambda: 7)
    elsewhere = tmp_path / "moved.db"
    database.path.rename(elsewhere)
    assert await codes(readiness) == ["storage", "database_gone"]
    database.path.touch()
    assert await codes(readiness) == ["storage", "database_gone"]
    with pytest.raises(StorageUnavailable, match="deleted, moved or replaced"):
        await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))
    assert await database.read(lambda tx: tx.orgs.all()) == []
    elsewhere.replace(database.path)
    assert await codes(readiness) == []
    await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))


async def test_a_deleted_database_is_an_alarm(database: Database) -> None:
    database.path.unlink()
    space = await database.space()
    assert not space.in_place
    alarms = Alarms(AlarmThresholds())
    (news,) = alarms.look(GatewayHealth(now=0, up_s=0, in_place=space.in_place))
    assert (news.key, news.begins) == (("database_gone", ""), True)
