"""The deletion of messages, words included: of removed orgs, and of those that are too old."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import Aged
from phonegate.store.conversations import Conversations
from phonegate.store.media_parts import MediaParts
from phonegate.store.word_index import WordIndex

_OF_ORG = """
    SELECT id, org, direction, address, body, status, parts
    FROM messages INDEXED BY messages_by_org WHERE org = ? LIMIT ?
"""

_NEWEST = "SELECT created_at FROM messages ORDER BY id DESC LIMIT 1"

_AGED = "SELECT id, created_at, status, next_poll_at FROM messages WHERE id > ? ORDER BY id LIMIT ?"

_WHOLE = """
    SELECT id, org, direction, address, body, status, parts, created_at, next_poll_at
    FROM messages WHERE id = ?
"""

DELETED_AT_ONCE: Final = 200_000
"""Characters of texts that are deleted in one go, since their words must be cut again: more than
a slice of ordinary ones ever has."""

BYTES_AS_CHARACTER: Final = 40
"""Bytes of a stored part that take as long to delete as one character: 2 ms for a megabyte, whose
pages must be found one by one."""


class MessageRemoval:
    """Deletes messages, a slice at a time, and records it among the facts of the transaction.

    Their parts are deleted with them, which the schema says.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        facts: list[Fact],
        word_index: WordIndex,
        conversations: Conversations,
        media_parts: MediaParts,
    ) -> None:
        self._connection = connection
        self._facts = facts
        self._word_index = word_index
        self._conversations = conversations
        self._media_parts = media_parts

    def drop(self, org: int, limit: int) -> bool:
        """Deletes up to *limit* messages of a removed org. Returns whether that was all."""
        cursor = self._connection.execute(_OF_ORG, (org, limit))
        rows = self._within(cursor, DELETED_AT_ONCE)
        complete = cursor.fetchone() is None and len(rows) < limit
        cursor.close()
        self._delete(rows)
        return complete

    def newest(self) -> int | None:
        """Returns when the message of the highest id was stored (ms)."""
        row = self._connection.execute(_NEWEST).fetchone()
        return None if row is None else int(row[0])

    def aged(self, after: int, limit: int) -> list[Aged]:
        """Returns what decides whether a message may go, of the next *limit* ones after an id."""
        return [Aged(*row) for row in self._connection.execute(_AGED, (after, limit))]

    def erase(self, ids: Sequence[int], still: Callable[[Aged], bool]) -> tuple[int, int]:
        """Deletes messages, words included, of which *still* says that they may go.

        Gives how many that were, and of how many *ids* it has made up its mind: with very long
        texts, or large parts, it leaves the rest for another time.
        """
        found = (self._connection.execute(_WHOLE, (id_,)).fetchone() for id_ in ids)
        rows = self._within(found, DELETED_AT_ONCE)
        going = [row for row in rows if row and still(Aged(row[0], row[7], row[5], row[8]))]
        self._delete(going)
        return len(going), len(rows)

    def _delete(self, rows: Sequence[Any]) -> None:
        """Deletes messages, each given as id, org, direction, address, body, status, …."""
        self._word_index.remove(rows)
        self._connection.executemany("DELETE FROM messages WHERE id = ?", [row[:1] for row in rows])
        self._conversations.without(rows)
        self._facts += [Changed(row[0], row[1], row[5], None) for row in rows]

    def _within(self, rows: Iterable[Any], chars: int) -> list[Any]:
        """Returns the first rows, until it takes as long to delete them as so many characters.

        That is one row at least.
        """
        some = []
        for row in rows:
            some.append(row)
            if row:
                chars -= len(row[4])
                if row[6]:
                    chars -= self._media_parts.bytes_of(row[0]) // BYTES_AS_CHARACTER
            if chars <= 0:
                break
        return some
