"""Sessions of the console: what is needed to recognise one, never its cookie."""

import sqlite3
from typing import Any, Final

from phonegate.model.sessions import Session

_STORED: Final = ("org", "key", "operator", "created_at", "used_at", "browser", "network")

_SELECT: Final = (
    f"SELECT s.id, k.name, {', '.join(f's.{column}' for column in _STORED)}"  # noqa: S608
    " FROM sessions AS s LEFT JOIN api_keys AS k ON k.id = s.key"
)

# The one that was used longest ago, of those that were begun by one credential.
_SURPLUS: Final = """
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions INDEXED BY sessions_by_org WHERE org IS ?1 AND key IS ?2
        ORDER BY used_at DESC, id DESC LIMIT -1 OFFSET ?3
    ) RETURNING id
"""

# The credential with the most sessions of an org.
_BUSIEST: Final = """
    SELECT key FROM sessions INDEXED BY sessions_by_org WHERE org IS ?
    GROUP BY key ORDER BY count(*) DESC LIMIT 1
"""


class Sessions:
    """The rows of `sessions`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def signing_key(self, new: bytes) -> bytes:
        """Returns what cookies are signed with: the same for ever, and at first the new one."""
        self._connection.execute("INSERT OR IGNORE INTO session_keys VALUES (1, ?)", (new,))
        (key,) = self._connection.execute("SELECT key FROM session_keys").fetchone()
        return bytes(key)

    def add(self, session: Session, digest: bytes) -> int:
        """Stores a new session, whatever its id says. Returns the id that it has from now on."""
        cursor = self._connection.execute(
            f"INSERT INTO sessions (digest, {', '.join(_STORED)})"  # noqa: S608 - constants
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (digest, *(getattr(session, column) for column in _STORED)),
        )
        assert cursor.lastrowid is not None  # noqa: S101 - a row was inserted
        return cursor.lastrowid

    def find(self, digest: bytes) -> Session | None:
        """Returns the session whose cookie has this digest."""
        row = self._connection.execute(f"{_SELECT} WHERE s.digest = ?", (digest,)).fetchone()
        return None if row is None else _session(row)

    def of_org(self, org: int | None) -> list[Session]:
        """Returns the sessions of an org, or the operator's, the last used one first."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE s.org IS ? ORDER BY s.used_at DESC, s.id DESC", (org,)
        )
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

    def end_of_digest(self, digest: bytes) -> None:
        """Ends the session whose cookie has this digest."""
        self._connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,))

    def end_of_secret(self, org: int) -> None:
        """Ends the sessions that were begun by the secret of an org."""
        self._connection.execute("DELETE FROM sessions WHERE org = ? AND key IS NULL", (org,))

    def end_of_org(self, org: int) -> None:
        """Ends the sessions of an org."""
        self._connection.execute("DELETE FROM sessions WHERE org = ?", (org,))

    def end_surplus(
        self, org: int | None, key: str | None, *, most_each: int, most: int
    ) -> list[int]:
        """Ends those beyond a bound that were used longest ago.

        Args:
            org: Of which org, or of the operator.
            key: The API key that a session was begun by just now.
            most_each: How many may have been begun by one credential.
            most: How many the org may have. Beyond it the credential with the most loses one, so
                that no holder of a key ends the sessions of all others.

        Returns:
            Which were ended.
        """
        ended = [id_ for (id_,) in self._connection.execute(_SURPLUS, (org, key, most_each))]
        sql = "SELECT count(*) FROM sessions WHERE org IS ?"
        while self._connection.execute(sql, (org,)).fetchone()[0] > most:
            (busiest,) = self._connection.execute(_BUSIEST, (org,)).fetchone()
            sql_of_one = "SELECT count(*) FROM sessions WHERE org IS ? AND key IS ?"
            (count,) = self._connection.execute(sql_of_one, (org, busiest)).fetchone()
            ended += [
                id_ for (id_,) in self._connection.execute(_SURPLUS, (org, busiest, count - 1))
            ]
        return ended

    def end_unused(self, before: int, most: int) -> None:
        """Ends some of the sessions that were last used before a time."""
        self._connection.execute(
            "DELETE FROM sessions WHERE id IN"
            " (SELECT id FROM sessions WHERE used_at < ? ORDER BY used_at LIMIT ?)",
            (before, most),
        )


def _session(row: tuple[Any, ...]) -> Session:
    return Session(**dict(zip(("id", "key_name", *_STORED), row, strict=True)))
