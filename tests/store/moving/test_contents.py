import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from phonegate.store import migrations
from phonegate.store.moving import contents


@pytest.fixture
def schema() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrations.migrate(connection)
        yield connection


def _tables(schema: sqlite3.Connection) -> set[str]:
    return {
        name
        for (name,) in schema.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'words_%'"
        )
    }


def _columns(schema: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in schema.execute(f"PRAGMA table_info({table})")]


def test_no_table_is_forgotten(schema: sqlite3.Connection) -> None:
    kept = set(contents.every_part())
    left = set(contents.NOT_OF_ORGS)
    assert not kept & left
    assert kept | left | {contents.ORGS} == _tables(schema)


def test_no_column_is_forgotten(schema: sqlite3.Connection) -> None:
    for table, part in contents.every_part().items():
        assert sorted((*part.columns, *part.left_out)) == sorted(_columns(schema, table)), table
        assert set(part.ids) | set(part.key) <= {*part.columns, "org"}, table
    of_org = {*contents.ORG_COLUMNS, "suspended_at"}
    assert of_org == set(_columns(schema, contents.ORGS))


def test_every_column_that_refers_to_something_moves_with_it(schema: sqlite3.Connection) -> None:
    """A column that has the name of another table's rows holds their ids."""
    named = {"phone": "phones", "message": "messages", "webhook": "webhooks", "batch": "batches"}
    for table, part in contents.every_part().items():
        expected = {name: space for name, space in named.items() if name in part.columns}
        assert expected.items() <= part.ids.items(), table
        for _, _, to, column, *_ in schema.execute(f"PRAGMA foreign_key_list({table})"):
            if to in contents.SPACES and column != "org":
                assert part.ids[column] == to, table
        assert set(part.ids.values()) <= set(contents.SPACES), table


def test_every_number_that_a_gateway_counts_up_is_a_space(schema: sqlite3.Connection) -> None:
    counted = {
        name
        for (name,) in schema.execute(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
        )
    }
    # Events are counted by the writer.
    assert {*counted - set(contents.NOT_OF_ORGS), "events"} == set(contents.SPACES)


_GIVES_A_RIGHT = re.compile(
    "secret|token|digest|credential|signing|header|verification|url|callback|access|refresh|answer"
)

_GIVES_NONE = {
    ("media_parts", "digest"): "of a picture",
    ("batches", "digest"): "of a list of recipients",
    ("messages", "media_urls"): "the pictures of a message",
    ("webhooks", "old_secret_until"): "a time",
}


def test_what_gives_a_right_stands_in_no_file_for_reading() -> None:
    kept = {
        (part.table, column)
        for top in contents.without_credentials()
        for part in (top, *top.children)
        for column in part.columns
    }
    assert {one for one in kept if _GIVES_A_RIGHT.search(one[1])} == set(_GIVES_NONE)
    left = {name for name in contents.ORG_COLUMNS if _GIVES_A_RIGHT.search(name)}
    assert left == set(contents.ORG_CREDENTIALS)


def test_every_credential_is_a_column() -> None:
    for table, part in contents.every_part().items():
        assert set(part.credentials) <= set(part.columns) - set(part.key), table
