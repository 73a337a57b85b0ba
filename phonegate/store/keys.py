"""API keys: what is needed to recognise one, never the key itself."""

import sqlite3
from typing import Any

from phonegate.store.records import ApiKey

_SELECT = (
    "SELECT k.id, k.org, o.name, k.name, k.scopes, k.digest, k.created_at, k.last_used_at"
    " FROM api_keys AS k JOIN orgs AS o ON o.id = k.org"
)


class ApiKeys:
    """The rows of `api_keys`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Stores a key. Its `org_name` is not stored: the org knows it."""
        self._connection.execute(
            "INSERT INTO api_keys (id, org, name, scopes, digest, created_at, last_used_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                key.id,
                key.org,
                key.name,
                " ".join(key.scopes),
                key.digest,
                key.created_at,
                key.last_used_at,
            ),
        )

    def get(self, id: str) -> ApiKey | None:  # noqa: A002 - the record's own name for it
        """The key of this id, of whichever org."""
        row = self._connection.execute(f"{_SELECT} WHERE k.id = ?", (id,)).fetchone()
        return None if row is None else _key(row)

    def of_org(self, org: int) -> list[ApiKey]:
        """The keys of an org, oldest first."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE k.org = ? ORDER BY k.created_at, k.id", (org,)
        )
        return [_key(row) for row in rows]

    def remove(self, org: int, id: str) -> bool:  # noqa: A002
        """Revokes a key of this org; whether there was such a key."""
        cursor = self._connection.execute(
            "DELETE FROM api_keys WHERE org = ? AND id = ?", (org, id)
        )
        return cursor.rowcount == 1

    def touch(self, id: str, now: int) -> None:  # noqa: A002
        """Notes that the key was used just now."""
        self._connection.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (now, id))


def _key(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=row[0],
        org=row[1],
        org_name=row[2],
        name=row[3],
        scopes=tuple(row[4].split()),
        digest=row[5],
        created_at=row[6],
        last_used_at=row[7],
    )
