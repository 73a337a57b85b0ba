"""Assistants: who owns which sender numbers, and by which provider they send."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from phonegate.model.assistants import Assistant
from phonegate.model.storage_errors import NumberTaken

_SELECT = (
    "SELECT a.id, a.org, o.name, a.name, a.provider, a.credentials, a.token, a.from_file,"
    " a.created_at, (SELECT json_group_array(number) FROM"
    "  (SELECT number FROM assistant_numbers WHERE assistant = a.id ORDER BY number))"
    " FROM assistants AS a JOIN orgs AS o ON o.id = a.org"
)


class Assistants:
    """The rows of `assistants` and of their numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self,
        org: int,
        *,
        name: str,
        provider: str,
        phone_numbers: Sequence[str],
        credentials: Mapping[str, str],
        token: str,
        from_file: bool,
        now: int,
    ) -> int:
        """Stores an assistant. Returns its id.

        Raises:
            NumberTaken: one of the numbers is another assistant's of this org.
        """
        cursor = self._connection.execute(
            "INSERT INTO assistants (org, name, provider, credentials, token, from_file,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (org, name, provider, json.dumps(dict(credentials)), token, from_file, now),
        )
        assert cursor.lastrowid is not None, "an INSERT of one row"  # noqa: S101
        self._own(org, cursor.lastrowid, phone_numbers)
        return cursor.lastrowid

    def change(
        self,
        assistant: Assistant,
        *,
        name: str,
        provider: str,
        phone_numbers: Sequence[str],
        credentials: Mapping[str, str],
        from_file: bool,
    ) -> None:
        """Puts new values in place of an assistant's old ones.

        Raises:
            NumberTaken: one of the numbers is another assistant's of this org.
        """
        self._connection.execute(
            "UPDATE assistants SET name = ?, provider = ?, credentials = ?, from_file = ?"
            " WHERE id = ?",
            (name, provider, json.dumps(dict(credentials)), from_file, assistant.id),
        )
        self._connection.execute(
            "DELETE FROM assistant_numbers WHERE assistant = ?", (assistant.id,)
        )
        self._own(assistant.org, assistant.id, phone_numbers)

    def remove(self, org: int, id: int) -> bool:  # noqa: A002 - the record's own name for it
        """Removes an assistant of this org. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM assistants WHERE org = ? AND id = ?", (org, id)
        )
        return cursor.rowcount > 0

    def get(self, id: int) -> Assistant | None:  # noqa: A002
        """Returns the assistant of this id, of whichever org."""
        return self._one(f"{_SELECT} WHERE a.id = ?", (id,))

    def of_org(self, org: int) -> list[Assistant]:
        """Returns the assistants of an org, oldest first."""
        rows = self._connection.execute(f"{_SELECT} WHERE a.org = ? ORDER BY a.id", (org,))
        return [_assistant(row) for row in rows]

    def count_of_org(self, org: int) -> int:
        """Returns how many assistants an org has."""
        sql = "SELECT count(*) FROM assistants WHERE org = ?"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def from_file(self) -> list[Assistant]:
        """Returns all that the configuration file has declared, by org and id."""
        rows = self._connection.execute(f"{_SELECT} WHERE a.from_file = 1 ORDER BY a.org, a.id")
        return [_assistant(row) for row in rows]

    def by_number(self, org: int, number: str) -> Assistant | None:
        """Returns the assistant of the org that owns a sender number."""
        return self._one(
            f"{_SELECT} JOIN assistant_numbers AS n ON n.assistant = a.id"
            " WHERE n.org = ? AND n.number = ?",
            (org, number),
        )

    def _own(self, org: int, assistant: int, numbers: Sequence[str]) -> None:
        for number in numbers:
            cursor = self._connection.execute(
                "INSERT INTO assistant_numbers (org, number, assistant) VALUES (?, ?, ?)"
                " ON CONFLICT (org, number) DO NOTHING",
                (org, number, assistant),
            )
            if cursor.rowcount == 0:
                raise NumberTaken(number)

    def _one(self, sql: str, values: tuple[Any, ...]) -> Assistant | None:
        row = self._connection.execute(sql, values).fetchone()
        return None if row is None else _assistant(row)


def _assistant(row: tuple[Any, ...]) -> Assistant:
    return Assistant(
        id=row[0],
        org=row[1],
        org_name=row[2],
        name=row[3],
        provider=row[4],
        credentials=json.loads(row[5]),
        token=row[6],
        from_file=bool(row[7]),
        created_at=row[8],
        phone_numbers=tuple(json.loads(row[9])),
    )
