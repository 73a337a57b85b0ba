"""Copies of the database: ordered, made one at a time, and noted."""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from phonegate.api.endpoint import Request
from phonegate.api.inner_calls import InnerCalls
from phonegate.model.principal import OWNER_SCOPE, Principal
from phonegate.model.refusals import BadInput, Conflict
from phonegate.model.times import iso
from phonegate.operations.copies_api import copies_endpoints
from phonegate.operations.copying import CopyDesk, make_copy
from phonegate.store.copies import MOST, MadeCopy
from phonegate.store.database import Database
from tests.api.conftest import NOW, Web, database, web

__all__ = ["database", "web"]

OWNER = Principal(org=0, org_name="*", scopes=(OWNER_SCOPE,))


class Desk:
    """The desk as the operator's page uses it."""

    def __init__(self, web: Web) -> None:
        self.desk = CopyDesk(web.database, now_ms=web.services.now_ms)
        self._calls = InnerCalls(web.services, copies_endpoints(self.desk))

    async def call(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        request = Request(method="GET", path="/")
        return await self._calls.content(OWNER, name, request, body=body)

    async def settled(self) -> Any:
        """What it tells once nothing is being made."""
        while (told := await self.call("list_copies"))["running"] is not None:
            await trio.lowlevel.checkpoint()
        return told


@pytest.fixture
async def desk(web: Web, nursery: trio.Nursery) -> Desk:
    desk = Desk(web)
    await nursery.start(desk.desk.run)
    return desk


async def test_a_copy_is_made_where_it_was_ordered_and_noted(desk: Desk, tmp_path: Path) -> None:
    assert await desk.settled() == {
        "ok": True,
        "copies": [],
        "running": None,
        "percent": 0,
        "problem": None,
    }
    told = await desk.call("order_copy", {"folder": str(tmp_path)})
    assert told["running"] == str(tmp_path)
    told = await desk.settled()
    (copy,) = told["copies"]
    (file,) = files(tmp_path)
    assert copy == {"at": iso(NOW), "file": str(file), "bytes": file.stat().st_size}
    assert (told["problem"], told["percent"]) == (None, 100)
    with sqlite3.connect(file) as made:
        assert made.execute("SELECT name FROM orgs").fetchall() == [("myorg",)]


async def test_only_a_folder_that_is_there_is_taken(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in ("backups", str(tmp_path / "none"), str(file), "/" + "a" * 300, "/a\0b"):
        with pytest.raises(BadInput) as caught:
            await desk.call("order_copy", {"folder": folder})
        assert [problem.field for problem in caught.value.problems] == ["folder"]
    assert (await desk.settled())["copies"] == []
    assert files(tmp_path) == [file]


async def test_no_copy_fills_the_disk(
    web: Web, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = web.database.path.stat().st_size
    usage = type(shutil.disk_usage(tmp_path))
    free = [2 * takes - 1, 2 * takes + 1_000_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, free.pop(0)))
    with pytest.raises(BadInput, match="too little room"):
        await desk.call("order_copy", {"folder": str(tmp_path)})
    await desk.call("order_copy", {"folder": str(tmp_path)})
    assert len((await desk.settled())["copies"]) == 1


async def test_one_is_made_at_a_time(web: Web, tmp_path: Path, nursery: trio.Nursery) -> None:
    desk = Desk(web)
    await desk.call("order_copy", {"folder": str(tmp_path)})
    with pytest.raises(Conflict, match="already"):
        await desk.call("order_copy", {"folder": str(tmp_path)})
    await nursery.start(desk.desk.run)
    assert len((await desk.settled())["copies"]) == 1


async def test_why_there_is_no_copy_is_told_and_the_next_order_is_taken(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("phonegate.store.backup.install", _full)
        await desk.call("order_copy", {"folder": str(tmp_path)})
        told = await desk.settled()
    assert "No space left" in told["problem"]
    assert told["copies"] == []
    await desk.call("order_copy", {"folder": str(tmp_path)})
    told = await desk.settled()
    assert (told["problem"], len(told["copies"])) == (None, 1)
    await wait_all_tasks_blocked()


async def test_a_command_is_noted_too(web: Web, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    copy = await make_copy(web.database, target, NOW, into_folder=False, progress=lambda *_: None)
    noted = await web.database.read(lambda tx: tx.copies.last(5))
    assert noted == [MadeCopy(NOW, str(target), copy.size)]


async def test_the_last_ones_are_remembered(database: Database) -> None:
    for at in range(MOST + 5):
        await database.write(lambda tx, at=at: tx.copies.note(MadeCopy(at, f"/{at}", 1)))  # type: ignore[misc] # a default
    assert [one.at for one in await database.read(lambda tx: tx.copies.last(100))] == list(
        range(MOST + 4, 4, -1)
    )


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
