"""The copies of the database that were made: when, and where they were put."""

import sqlite3
from typing import Final, NamedTuple

MOST: Final = 20
"""Copies that are remembered."""


class MadeCopy(NamedTuple):
    """A copy as it was made. It may have been removed since."""

    at: int
    """In ms."""
    file: str
    size: int


class Copies:
    """The rows of `copies`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, copy: MadeCopy) -> None:
        """Notes a copy, and forgets what is older than the last `MOST`."""
        self._connection.execute("INSERT INTO copies (at, file, bytes) VALUES (?, ?, ?)", copy)
        self._connection.execute(
            "DELETE FROM copies WHERE id <= (SELECT max(id) FROM copies) - ?", (MOST,)
        )

    def last(self, most: int) -> list[MadeCopy]:
        """Returns the last copies, the newest first."""
        rows = self._connection.execute(
            "SELECT at, file, bytes FROM copies ORDER BY id DESC LIMIT ?", (most,)
        )
        return [MadeCopy(*row) for row in rows]
