"""The index of words of messages, which follows behind what is stored."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from phonegate.store import search

_UNINDEXED = """
    SELECT id, org, direction, address, body FROM messages WHERE id > ? ORDER BY id LIMIT ?
"""

_WHOLE_UPTO = "SELECT value FROM marks WHERE name = 'indexed_whole'"

_INDEX = "INSERT INTO words (rowid, tokens) VALUES (?, ?)"

_UNINDEX = "INSERT INTO words (words, rowid, tokens) VALUES ('delete', ?, ?)"

_MERGE = "INSERT INTO words (words, rank) VALUES ('merge', ?)"

MERGED_PAGES: Final = 64
"""Pages that are merged in one go: some 15 ms."""

INDEXED_AT_ONCE: Final = 80_000
"""Characters of texts that are added to the index of words in one go: 500 full ones of one part,
10 ms. The dearest characters cost ten times as much."""


class WordIndex:
    """The rows of `words`. Which messages it has is the writer's business."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.missing = 0
        """About how many messages the index lacks; never fewer than it does."""

    def complete_upto(self) -> int:
        """Returns the id up to which the index is complete."""
        row = self._connection.execute("SELECT value FROM marks WHERE name = 'indexed'").fetchone()
        return int(row[0])

    def add_missing(self, limit: int, chars: int = INDEXED_AT_ONCE) -> tuple[int, bool]:
        """Adds the oldest messages that the index lacks. Returns how many, and if all.

        It takes up to *limit* messages, and stops once their texts have *chars* characters.
        """
        upto = self.complete_upto()
        documents = []
        left = chars
        cursor = self._connection.execute(_UNINDEXED, (upto, limit))
        for row in cursor:
            documents.append((row[0], search.document(*row)))
            left -= min(len(row[4]), search.MAX_TEXT)
            if left <= 0:
                break
        complete = left > 0 and len(documents) < limit
        cursor.close()
        if documents:
            self._connection.executemany(_INDEX, documents)
            self._connection.execute(
                "UPDATE marks SET value = ? WHERE name = 'indexed'", (documents[-1][0],)
            )
        return len(documents), complete

    def add(self, rows: Sequence[Any]) -> None:
        """Adds messages that were stored under ids of before: id, org, direction, address, body, ….

        Those above the id up to which the index is complete are added with all others.
        """
        upto = self.complete_upto()
        (whole_upto,) = self._connection.execute(_WHOLE_UPTO).fetchone()
        passed = [row for row in rows if row[0] <= upto]
        self._connection.executemany(
            _INDEX,
            [(row[0], search.document(*row[:5], whole=row[0] <= whole_upto)) for row in passed],
        )
        self.missing += len(rows) - len(passed)

    def change(self, row: Sequence[Any], body: str) -> None:
        """Gives a message, as id, org, direction, address and body, the words of another body."""
        if row[0] <= self.complete_upto():
            self.remove([row])
            id_, org, direction, address = row[:4]
            words = search.document(id_, org, direction, address, body)
            self._connection.execute(_INDEX, (id_, words))

    def remove(self, rows: Sequence[Any]) -> None:
        """Removes the words of messages that are deleted: id, org, direction, address, body, …."""
        upto = self.complete_upto()
        (whole_upto,) = self._connection.execute(_WHOLE_UPTO).fetchone()
        self._connection.executemany(
            _UNINDEX,
            [
                (row[0], search.document(*row[:5], whole=row[0] <= whole_upto))
                for row in rows
                if row[0] <= upto
            ],
        )

    def merge(self) -> bool:
        """Merges a part of the index. Returns whether there is no more to merge.

        The words of messages that are gone are found no more, but leave the file by this alone.
        """
        before = self._connection.total_changes
        self._connection.execute(_MERGE, (-MERGED_PAGES,))
        # The command itself counts as one (sqlite.org/fts5.html#the_merge_command).
        return self._connection.total_changes - before < 2  # noqa: PLR2004
