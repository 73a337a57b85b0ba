"""A store in memory, for what needs no file."""

import sqlite3
from collections.abc import Iterator

import pytest

from phonegate.model.messages import NewInbound, NewMessage
from phonegate.model.orgs import Org
from phonegate.store import migrations
from phonegate.store.tables import Tables


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


def memory() -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(opened)
    return opened


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
