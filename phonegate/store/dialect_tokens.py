"""Tokens of dialects: what is needed to recognise one, never the token itself."""

import sqlite3
from typing import Any, Final

from phonegate.model.dialect_tokens import DialectToken

_COLUMNS: Final = ("id", "org", "key", "grants", "expires_at", "refresh_until", "created_at")

_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM dialect_tokens"  # noqa: S608 - constants

_END_OLDEST: Final = """
    DELETE FROM dialect_tokens WHERE id IN (
        SELECT id FROM dialect_tokens WHERE org = ?1 AND key IS ?2
        ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?3
    )
"""


class DialectTokens:
    """The rows of `dialect_tokens`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, token: DialectToken, *, access: bytes, refresh: bytes) -> None:
        """Stores a pair, by the digests of both."""
        values = [getattr(token, name) for name in _COLUMNS]
        values[_COLUMNS.index("grants")] = " ".join(token.grants)
        self._connection.execute(
            f"INSERT INTO dialect_tokens ({', '.join(_COLUMNS)}, access, refresh)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, access, refresh),
        )

    def by_access(self, digest: bytes) -> DialectToken | None:
        """Returns the pair whose access token has this digest."""
        return self._one("access = ?", digest)

    def by_refresh(self, digest: bytes) -> DialectToken | None:
        """Returns the pair whose refresh token has this digest and was not used."""
        return self._one("refresh = ?", digest)

    def use_refresh(self, id: str) -> None:  # noqa: A002 - the record's own name for it
        """Notes that a refresh token was used. Its access token goes on."""
        self._connection.execute("UPDATE dialect_tokens SET refresh = NULL WHERE id = ?", (id,))

    def end(self, org: int, key: str | None, id: str) -> bool:  # noqa: A002
        """Ends a pair of this org.

        Args:
            org: Whose pair.
            key: Only one that was given for this API key, if it is one.
            id: Which pair.

        Returns:
            Whether there was one.
        """
        cursor = self._connection.execute(
            "DELETE FROM dialect_tokens WHERE id = ?1 AND org = ?2 AND (?3 IS NULL OR key = ?3)",
            (id, org, key),
        )
        return cursor.rowcount == 1

    def end_of_secret(self, org: int) -> None:
        """Ends the pairs that were given for the secret of an org."""
        self._connection.execute("DELETE FROM dialect_tokens WHERE org = ? AND key IS NULL", (org,))

    def end_of_org(self, org: int) -> None:
        """Ends the pairs of an org."""
        self._connection.execute("DELETE FROM dialect_tokens WHERE org = ?", (org,))

    def end_surplus(self, org: int, key: str | None, most: int, now: int) -> None:
        """Ends the pairs of an org that are over, and the oldest ones of a credential.

        Args:
            org: Whose pairs.
            key: The API key, or None for the secret, that may have so many.
            most: How many those are.
            now: The time, in ms.
        """
        self._connection.execute(
            "DELETE FROM dialect_tokens"
            " WHERE org = ?1 AND expires_at <= ?2 AND (refresh IS NULL OR refresh_until <= ?2)",
            (org, now),
        )
        self._connection.execute(_END_OLDEST, (org, key, most))

    def _one(self, where: str, value: object) -> DialectToken | None:
        row: tuple[Any, ...] | None = self._connection.execute(
            f"{_SELECT} WHERE {where}", (value,)
        ).fetchone()
        if row is None:
            return None
        columns = dict(zip(_COLUMNS, row, strict=True))
        return DialectToken(**{**columns, "grants": tuple(columns["grants"].split())})
