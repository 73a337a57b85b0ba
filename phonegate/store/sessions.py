"""Sessions of the console: what is needed to recognise one, never its cookie."""

import sqlite3
from typing import Any

from phonegate.model.sessions import Session

_SELECT = "SELECT id, org, key, operator, created_at, used_at, browser, network FROM sessions"


class Sessions:
    """The rows of `sessions`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, session: Session, digest: bytes) -> Session:
        """Stores a new session, whatever its id says. Returns it with its id."""
        cursor = self._connection.execute(
            "INSERT INTO sessions"
            " (digest, org, key, operator, created_at, used_at, browser, network)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                digest,
                session.org,
                session.key,
                session.operator,
                session.created_at,
                session.used_at,
                session.browser,
                session.network,
            ),
        )
        return _session((cursor.lastrowid, *self._values(session)))

    def find(self, digest: bytes) -> Session | None:
        """Returns the session whose cookie has this digest."""
        row = self._connection.execute(f"{_SELECT} WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else _session(row)

    def of_org(self, org: int | None) -> list[Session]:
        """Returns the sessions of an org, or the operator's, the newest first."""
        rows = self._connection.execute(f"{_SELECT} WHERE org IS ? ORDER BY id DESC", (org,))
        return [_session(row) for row in rows]

    def touch(self, id: int, now: int) -> None:  # noqa: A002 - the record's own name for it
        """Notes that a session was used just now."""
        self._connection.execute("UPDATE sessions SET used_at = ? WHERE id = ?", (now, id))

    def end(self, org: int | None, id: int) -> bool:  # noqa: A002
        """Ends a session of this org, or of the operator. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM sessions WHERE org IS ? AND id = ?", (org, id)
        )
        return cursor.rowcount == 1

    def end_of_secret(self, org: int) -> None:
        """Ends the sessions that were begun by the secret of an org."""
        self._connection.execute("DELETE FROM sessions WHERE org = ? AND key IS NULL", (org,))

    def end_of_org(self, org: int) -> None:
        """Ends the sessions of an org."""
        self._connection.execute("DELETE FROM sessions WHERE org = ?", (org,))

    def end_unused(self, before: int, most: int) -> None:
        """Ends some of the sessions that were last used before a time."""
        self._connection.execute(
            "DELETE FROM sessions WHERE id IN"
            " (SELECT id FROM sessions WHERE used_at < ? ORDER BY used_at LIMIT ?)",
            (before, most),
        )

    @staticmethod
    def _values(session: Session) -> tuple[Any, ...]:
        return (
            session.org,
            session.key,
            session.operator,
            session.created_at,
            session.used_at,
            session.browser,
            session.network,
        )


def _session(row: tuple[Any, ...]) -> Session:
    names = ("id", "org", "key", "operator", "created_at", "used_at", "browser", "network")
    return Session(**dict(zip(names, row, strict=True)))
