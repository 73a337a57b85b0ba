"""Marks: single numbers that the store keeps by name."""

import sqlite3


class Counters:
    """The rows of `marks` that belong to no other table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def prove(self, now: int) -> None:
        """Writes a time, so that the commit which holds it proves that the disk takes writes."""
        self._connection.execute(
            "INSERT INTO marks VALUES ('proved', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (now,),
        )

    def note_alive(self, now: int) -> None:
        """Writes a time at which the gateway served."""
        self._connection.execute(
            "INSERT INTO marks VALUES ('alive', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (now,),
        )

    def alive(self) -> int | None:
        """Returns the last time that is known at which the gateway served."""
        row = self._connection.execute("SELECT value FROM marks WHERE name = 'alive'").fetchone()
        return None if row is None else int(row[0])

    def plain_fingerprints(self) -> int:
        """Returns the highest id of received messages whose fingerprint may lack SIM and media."""
        row = self._connection.execute(
            "SELECT value FROM marks WHERE name = 'plain_fingerprints'"
        ).fetchone()
        return 0 if row is None else int(row[0])
