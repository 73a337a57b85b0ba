import sqlite3
from collections.abc import Iterator

import pytest

from phonegate.store import migrations


@pytest.fixture
def empty() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def _schema(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_an_empty_file_is_brought_to_today_once(empty: sqlite3.Connection) -> None:
    assert migrations.migrate(empty)
    assert migrations.version(empty) == migrations.VERSION
    assert empty.execute("PRAGMA application_id").fetchone() == (migrations.APPLICATION_ID,)
    before = _schema(empty)
    assert not migrations.migrate(empty)
    assert _schema(empty) == before


def test_only_missing_steps_run(empty: sqlite3.Connection) -> None:
    first = (("CREATE TABLE a (x)",),)
    migrations.migrate(empty, first)
    empty.execute("INSERT INTO a VALUES (1)")
    assert migrations.migrate(empty, (*first, ("ALTER TABLE a ADD y", "CREATE TABLE b (z)")))
    assert migrations.version(empty) == 2
    assert empty.execute("SELECT x, y FROM a").fetchall() == [(1, None)]


def test_a_step_that_fails_leaves_the_file_as_it_was(empty: sqlite3.Connection) -> None:
    first = (("CREATE TABLE a (x)",),)
    migrations.migrate(empty, first)
    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate(empty, (*first, ("CREATE TABLE b (y)",), ("CREATE TABLE a (x)",)))
    assert migrations.version(empty) == 1
    assert [name for name, _ in _schema(empty)] == ["a"]
    assert not empty.in_transaction


def test_every_table_is_strict(empty: sqlite3.Connection) -> None:
    migrations.migrate(empty)
    tables = [
        str(row[0])
        for name, row in (
            (row[0], row[1:])
            for row in empty.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        )
        if not name.startswith(("sqlite_", "words"))
    ]
    assert tables
    assert all("STRICT" in sql for sql in tables)
