"""The parts of received MMS. They are deleted with their message."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from phonegate.model.media import Part

_INSERT: Final = """
    INSERT INTO media_parts (message, number, content_type, name, digest, data)
    VALUES (?, ?, ?, ?, ?, ?)
"""

_GET: Final = """
    SELECT content_type, name, data FROM media_parts WHERE message = ? AND number = ?
"""

_TYPES: Final = "SELECT content_type FROM media_parts WHERE message = ? ORDER BY number"
_OUTLINE: Final = """
    SELECT number, content_type, name, length(data) FROM media_parts WHERE message = ?
    ORDER BY number
"""

_DIGESTS: Final = "SELECT digest FROM media_parts WHERE message = ?"

_BYTES: Final = "SELECT coalesce(sum(length(data)), 0) FROM media_parts WHERE message = ?"


class MediaParts:
    """The rows of `media_parts`. How many a message has is also in its own row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, message: int, first: int, parts: Sequence[Part]) -> None:
        """Stores parts of a message, with ascending numbers from *first* on."""
        rows: list[tuple[Any, ...]] = [
            (message, number, one.content_type, one.name, one.digest, one.data)
            for number, one in enumerate(parts, first)
        ]
        self._connection.executemany(_INSERT, rows)

    def get(self, message: int, number: int) -> Part | None:
        """Returns a part of a message."""
        row = self._connection.execute(_GET, (message, number)).fetchone()
        return None if row is None else Part(content_type=row[0], name=row[1], data=row[2])

    def outline(self, message: int) -> list[tuple[int, str, str | None, int]]:
        """Returns number, type, name and size of the parts of a message, without reading them."""
        return list(self._connection.execute(_OUTLINE, (message,)))

    def content_types(self, message: int) -> tuple[str, ...]:
        """Returns what the parts of a message are, by their numbers."""
        return tuple(row[0] for row in self._connection.execute(_TYPES, (message,)))

    def digests(self, message: int) -> set[bytes]:
        """Returns the digests of all parts of a message."""
        return {row[0] for row in self._connection.execute(_DIGESTS, (message,))}

    def bytes_of(self, message: int) -> int:
        """Counts the bytes of all parts of a message, without reading them."""
        return int(self._connection.execute(_BYTES, (message,)).fetchone()[0])
