"""Answers kept for requests that carried an Idempotency-Key."""

import sqlite3

from phonegate.model.orgs import KeptAnswer

PRUNE_AT_ONCE = 5_000
"""Rows that one `prune` deletes: some 50 ms, which is what other writes may have to wait."""


class KeptAnswers:
    """The rows of `replies`, by org, route and key."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, org: int, route: str, key: str) -> KeptAnswer | None:
        """Returns the kept answer, however old."""
        row = self._connection.execute(
            "SELECT fingerprint, status, body, created_at FROM replies"
            " WHERE org = ? AND route = ? AND key = ?",
            (org, route, key),
        ).fetchone()
        if row is None:
            return None
        return KeptAnswer(fingerprint=row[0], status=row[1], body=row[2], created_at=row[3])

    def put(self, org: int, route: str, key: str, reply: KeptAnswer) -> None:
        """Keeps an answer, in place of an older one of the same key."""
        self._connection.execute(
            "INSERT INTO replies (org, route, key, fingerprint, status, body, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (org, route, key) DO UPDATE SET"
            " fingerprint = excluded.fingerprint, status = excluded.status,"
            " body = excluded.body, created_at = excluded.created_at",
            (org, route, key, reply.fingerprint, reply.status, reply.body, reply.created_at),
        )

    def oldest(self) -> int | None:
        """Returns when the oldest kept answer was given (ms)."""
        (time,) = self._connection.execute("SELECT min(created_at) FROM replies").fetchone()
        return None if time is None else int(time)

    def prune(self, before: int, limit: int = PRUNE_AT_ONCE) -> int:
        """Deletes answers older than *before* (ms), the oldest first. Returns how many.

        As many as *limit* means that there may be more: call again in another operation.
        """
        cursor = self._connection.execute(
            "DELETE FROM replies WHERE id IN"
            " (SELECT id FROM replies WHERE created_at < ? ORDER BY created_at LIMIT ?)",
            (before, limit),
        )
        return cursor.rowcount

    def drop(self, org: int, limit: int) -> bool:
        """Deletes up to *limit* answers of a removed org. Returns whether that was all."""
        cursor = self._connection.execute(
            "DELETE FROM replies WHERE id IN (SELECT id FROM replies WHERE org = ? LIMIT ?)",
            (org, limit),
        )
        return cursor.rowcount < limit
