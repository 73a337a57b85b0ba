"""API keys: what is needed to recognise one, never the key itself; and what each may send."""

import json
import sqlite3
from typing import Any, Final

import attrs

from phonegate.model.orgs import ApiKey, KeyLimits, QuietHours

_SELECT = (
    "SELECT k.id, k.org, o.name, k.name, k.scopes, k.digest, k.created_at, k.last_used_at,"
    " k.limits FROM api_keys AS k JOIN orgs AS o ON o.id = k.org"
)


KEY_HOLDS: Final = """(
            key IS NULL OR NOT EXISTS (SELECT 1 FROM ended_keys WHERE ended_keys.key = messages.key)
        )"""
"""The condition that the API key of a row of `messages` was not revoked. Where there is no key,
nothing is looked up."""

MAX_WAITING: Final = 10_000
"""Most waiting messages of a key that are counted."""

WAITING: Final = """
    SELECT id, (SELECT count(*) FROM (
        SELECT 1 FROM messages INDEXED BY messages_waiting_of_key
        WHERE key = api_keys.id AND status = 'queued' LIMIT ?
    ))
    FROM api_keys WHERE org = ?
"""

SENT: Final = "SELECT sum(n) FROM key_sends WHERE key = ? AND at > ? AND at <= ?"

FORGET: Final = (
    "DELETE FROM key_sends WHERE key = ? AND at < ?",
    "DELETE FROM key_sends WHERE key = ? AND at > ?",
)
"""Two: for both ends at once SQLite would look at all that lies between."""


class ApiKeys:
    """The rows of `api_keys`, and of what keys with limits have sent of late."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Stores a key. Its `org_name` is not stored: the org knows it."""
        self._connection.execute(
            "INSERT INTO api_keys"
            " (id, org, name, scopes, digest, created_at, last_used_at, limits)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.id,
                key.org,
                key.name,
                " ".join(key.scopes),
                key.digest,
                key.created_at,
                key.last_used_at,
                _written(key.limits),
            ),
        )

    def get(self, id: str) -> ApiKey | None:  # noqa: A002 - the record's own name for it
        """Returns the key of this id, of whichever org."""
        row = self._connection.execute(f"{_SELECT} WHERE k.id = ?", (id,)).fetchone()
        return None if row is None else _key(row)

    def of_org(self, org: int) -> list[ApiKey]:
        """Returns the keys of an org, oldest first."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE k.org = ? ORDER BY k.created_at, k.id", (org,)
        )
        return [_key(row) for row in rows]

    def count_of_org(self, org: int) -> int:
        """Returns how many keys an org has."""
        sql = "SELECT count(*) FROM api_keys WHERE org = ?"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def remove(self, org: int, id: str) -> bool:  # noqa: A002
        """Revokes a key of this org. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM api_keys WHERE org = ? AND id = ?", (org, id)
        )
        return cursor.rowcount == 1

    def waiting(self, org: int) -> dict[str, int]:
        """Returns how many messages of each key of an org wait to leave, up to a bound each."""
        return dict(self._connection.execute(WAITING, (MAX_WAITING, org)))

    def exists(self, id: str) -> bool:  # noqa: A002
        """Tells whether there is such a key, of whichever org."""
        sql = "SELECT 1 FROM api_keys WHERE id = ?"
        return self._connection.execute(sql, (id,)).fetchone() is not None

    def touch(self, id: str, now: int) -> None:  # noqa: A002
        """Notes that the key was used just now."""
        self._connection.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (now, id))

    def limit(self, id: str, limits: KeyLimits | None) -> None:  # noqa: A002
        """Gives a key other limits, or none."""
        self._connection.execute(
            "UPDATE api_keys SET limits = ? WHERE id = ?", (_written(limits), id)
        )

    # -- keys that were revoked

    def end(self, id: str, now: int) -> None:  # noqa: A002
        """Notes that messages of a revoked key are still to be cancelled."""
        self._connection.execute("INSERT OR REPLACE INTO ended_keys VALUES (?, ?)", (id, now))

    def ended(self, before: int) -> str | None:
        """Returns a key that was revoked before this time and still has messages to cancel."""
        row = self._connection.execute(
            "SELECT key FROM ended_keys WHERE ended_at < ? LIMIT 1", (before,)
        ).fetchone()
        return None if row is None else str(row[0])

    def is_ending(self, id: str) -> bool:  # noqa: A002
        """Tells whether this key was revoked, and messages of it may still wait."""
        sql = "SELECT 1 FROM ended_keys WHERE key = ?"
        return self._connection.execute(sql, (id,)).fetchone() is not None

    def cleared(self, id: str) -> None:  # noqa: A002
        """Notes that none of a revoked key's messages waits any more."""
        self._connection.execute("DELETE FROM ended_keys WHERE key = ?", (id,))

    # -- what keys have sent

    def sent(self, key: str, after: int, until: int) -> int:
        """Returns how many messages a key has sent since a time, until another."""
        (total,) = self._connection.execute(SENT, (key, after, until)).fetchone()
        return int(total or 0)

    def sends(self, key: str, after: int, until: int) -> list[tuple[int, int]]:
        """Returns when, and how much, a key has sent since a time and until another, by time."""
        return self._connection.execute(
            "SELECT at, n FROM key_sends WHERE key = ? AND at > ? AND at <= ? ORDER BY at",
            (key, after, until),
        ).fetchall()

    def count(self, key: str, at: int, n: int) -> None:
        """Notes that a key has sent *n* messages."""
        self._connection.execute(
            "INSERT INTO key_sends VALUES (?, ?, ?)"
            " ON CONFLICT (key, at) DO UPDATE SET n = n + excluded.n",
            (key, at, n),
        )

    def forget_sends(self, key: str, *, before: int, after: int) -> None:
        """Drops what a key has sent outside of a span of time, both ends of which stay."""
        for sql, edge in zip(FORGET, (before, after), strict=True):
            self._connection.execute(sql, (key, edge))


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
        limits=_read(row[8]),
    )


def _written(limits: KeyLimits | None) -> str | None:
    return None if limits is None else json.dumps(attrs.asdict(limits))


def _read(text: str | None) -> KeyLimits | None:
    if text is None:
        return None
    kept = json.loads(text)
    quiet = kept.pop("quiet")
    # KeyLimits of earlier versions lack what came later.
    lists = {name: tuple(kept.get(name, ())) for name in ("to", "sees")}
    return KeyLimits(**kept | lists, quiet=None if quiet is None else QuietHours(**quiet))
