"""Who was let in and who may be: the networks of orgs, and the owner's choice about new ones."""

import sqlite3


class Registrations:
    """The rows of `org_places` and `choices`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, org: int, network: str, now: int, *, most: int, forget_before: int) -> None:
        """Notes that an org's right secret came from a network. Keeps the `most` last ones."""
        self._connection.execute(
            "INSERT INTO org_places SELECT id, ?, ? FROM orgs WHERE id = ? AND name IS NOT NULL"
            " ON CONFLICT (org, place) DO UPDATE SET seen_at = excluded.seen_at",
            (network, now, org),
        )
        self._connection.execute(
            "DELETE FROM org_places WHERE org = ?1 AND (seen_at < ?2 OR place NOT IN"
            " (SELECT place FROM org_places WHERE org = ?1 ORDER BY seen_at DESC LIMIT ?3))",
            (org, forget_before, most),
        )

    def networks(self, most: int) -> list[tuple[str, str, int]]:
        """Returns the last networks, the oldest first: name of the org, network, time."""
        rows = self._connection.execute(
            "SELECT o.name, p.place, p.seen_at FROM org_places AS p JOIN orgs AS o ON o.id = p.org"
            " WHERE o.name IS NOT NULL ORDER BY p.seen_at DESC LIMIT ?",
            (most,),
        ).fetchall()
        return rows[::-1]

    def choice(self, name: str) -> str | None:
        """Returns what the owner chose."""
        row = self._connection.execute(
            "SELECT value FROM choices WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else str(row[0])

    def choose(self, name: str, value: str) -> None:
        """Remembers what the owner chose."""
        self._connection.execute("INSERT OR REPLACE INTO choices VALUES (?, ?)", (name, value))
