"""A store in memory, for what needs no file, and one on disk."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
import trio

from phonegate.model.messages import NewInbound, NewMessage
from phonegate.model.orgs import Org
from phonegate.model.states import Cause, advance
from phonegate.store import migrations
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from phonegate.store.writer import WriterTimings


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = memory()
    yield opened
    opened.close()


@pytest.fixture
def tables(connection: sqlite3.Connection) -> Tables:
    return Tables(connection)


@pytest.fixture
def org(tables: Tables) -> Org:
    return tables.orgs.add("myorg", "hash", 1)


@pytest.fixture
def other(tables: Tables) -> Org:
    return tables.orgs.add("other", "hash", 1)


@pytest.fixture
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A store on disk with its writer. Indirect parameters are the writer's timings."""
    timings = getattr(request, "param", WriterTimings())
    opened = Database.open(tmp_path / "phonegate.db", timings=timings)
    async with trio.open_nursery() as nursery:
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
    opened.close()


def bring(tables: Tables, id_: int, status: str, **columns: object) -> None:
    """Brings an outbound message to a status, by the shortest way that the state table has."""
    connection = tables.messages._connection
    (org,) = connection.execute("SELECT org FROM messages WHERE id = ?", (id_,)).fetchone()
    message = tables.messages.find(org, id_)
    assert message is not None
    ways: dict[str, list[Cause]] = {message.status: []}
    waiting = [message.status]
    while status not in ways:
        before = waiting.pop(0)
        for cause in Cause:
            after = advance(before, cause)
            if after is not None and after not in ways:
                ways[after] = [*ways[before], cause]
                waiting.append(after)
    for cause in ways[status]:
        last = status == advance(message.status, cause)
        moved = tables.messages.transition(message, cause, **(columns if last else {}))
        assert moved is not None
        message = moved


def memory() -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.deserialize(_migrated())
    opened.execute("PRAGMA foreign_keys = ON")
    return opened


@cache
def _migrated() -> bytes:
    """An empty database: the steps of its schema run once in each worker of pytest."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrations.migrate(made)
        return made.serialize()


def outbound(org: int, body: str = "hi", **fields: object) -> NewMessage:
    given: dict[str, object] = {"address": "+15553334444", "created_at": 1000, "segments": 1}
    return NewMessage(org=org, body=body, **(given | fields))  # type: ignore[arg-type]


def inbound(org: int, body: str = "hello", **fields: object) -> NewInbound:
    given: dict[str, object] = {
        "address": "+15551112222",
        "created_at": 1000,
        "date": 900,
        "phone": None,
        "sim_slot": None,
        "sim": None,
    }
    return NewInbound(org=org, body=body, **(given | fields))  # type: ignore[arg-type]
