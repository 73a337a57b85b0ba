"""The baseline's SQLite file: one aiosqlite connection, a durable commit for each change.

Tasks share the connection, so that a commit may carry the rows of another task with it: the
later commit then finds nothing to do. Messages of one call that share a commit go in one
statement, which is whole or not at all.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

SCHEMA = """
CREATE TABLE IF NOT EXISTS orgs (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS sims (
    org INTEGER NOT NULL, slot INTEGER NOT NULL, number TEXT NOT NULL, carrier TEXT,
    PRIMARY KEY (org, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, org INTEGER NOT NULL, direction TEXT NOT NULL,
    address TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL,
    sim TEXT, sim_slot INTEGER, date INTEGER, sent_at TEXT, error TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_org ON messages (org, direction, id);
CREATE INDEX IF NOT EXISTS messages_newest ON messages (org, id);
CREATE INDEX IF NOT EXISTS messages_open ON messages (org, status, sim)
    WHERE status IN ('queued', 'sending');
"""

SHOWN = "id, direction, address, body, status, created_at, sim, sim_slot, date, sent_at, error"
COLUMNS = "org, direction, address, body, status, created_at, sim, sim_slot, date"
ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"

Row = tuple[Any, ...]


class Store:
    def __init__(self, connection: aiosqlite.Connection, at_once: int) -> None:
        self._db = connection
        self._at_once = at_once

    @classmethod
    async def open(cls, path: Path, *, at_once: int = 1) -> "Store":
        """Opens the file. At most `at_once` messages of a call share a commit."""
        connection = await aiosqlite.connect(path)
        connection.row_factory = aiosqlite.Row
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        await connection.executescript(SCHEMA)
        return cls(connection, at_once)

    async def close(self) -> None:
        await self._db.close()

    async def org(self, name: str) -> aiosqlite.Row | None:
        rows = list(
            await self._db.execute_fetchall(
                "SELECT id, salt, hash FROM orgs WHERE name = ?", (name,)
            )
        )
        return rows[0] if rows else None

    async def add_org(self, name: str, salt: bytes, digest: bytes) -> None:
        await self._db.execute(
            "INSERT OR IGNORE INTO orgs (name, salt, hash) VALUES (?, ?, ?)", (name, salt, digest)
        )
        await self._db.commit()

    async def insert(self, rows: Sequence[Row]) -> AsyncIterator[list[int]]:
        """Stores messages, each alone or `at_once` together. Yields their ids once durable."""
        for begin in range(0, len(rows), self._at_once):
            yield await self._insert(rows[begin : begin + self._at_once])

    async def _insert(self, rows: Sequence[Row]) -> list[int]:
        values = ", ".join([ROW] * len(rows))
        added = await self._db.execute_fetchall(
            f"INSERT INTO messages ({COLUMNS}) VALUES {values} RETURNING id",
            [value for row in rows for value in row],
        )
        await self._db.commit()
        return sorted(row[0] for row in added)

    async def result(
        self, org: int, message: int, status: str, sent_at: str | None, error: str | None
    ) -> None:
        await self._db.execute(
            "UPDATE messages SET status = ?, sent_at = ?, error = ? WHERE id = ? AND org = ?",
            (status, sent_at, error, message, org),
        )
        await self._db.commit()

    async def page(
        self, org: int, *, limit: int, since_id: int | None, direction: str | None, sim: str | None
    ) -> list[dict[str, Any]]:
        where, values = ["org = ?"], [org]
        filters: list[tuple[str, Any]] = [
            ("direction = ?", direction),
            ("sim = ?", sim),
            ("id > ?", since_id),
        ]
        for clause, value in filters:
            if value is not None:
                where.append(clause)
                values.append(value)
        order = "DESC" if since_id is None else "ASC"
        rows = await self._db.execute_fetchall(
            f"SELECT {SHOWN} FROM messages WHERE {' AND '.join(where)} ORDER BY id {order} LIMIT ?",
            [*values, limit],
        )
        found = [dict(row) for row in rows]
        return found[::-1] if since_id is None else found

    async def set_sims(self, org: int, sims: Sequence[tuple[int, str, str | None]]) -> None:
        await self._db.executemany(
            "INSERT INTO sims VALUES (?, ?, ?, ?) ON CONFLICT (org, number)"
            " DO UPDATE SET slot = excluded.slot, carrier = excluded.carrier",
            [(org, *sim) for sim in sims],
        )
        await self._db.commit()

    async def known_sims(self, org: int) -> list[dict[str, Any]]:
        rows = await self._db.execute_fetchall(
            "SELECT slot, number, carrier FROM sims WHERE org = ?", (org,)
        )
        return [dict(row) for row in rows]

    async def take_queued(self, org: int, sims: Sequence[str], limit: int) -> list[dict[str, Any]]:
        """Marks queued messages of these SIMs, or of any, as sending, the oldest first."""
        marks = ", ".join("?" * len(sims))
        rows = await self._db.execute_fetchall(
            "UPDATE messages SET status = 'sending' WHERE id IN (SELECT id FROM messages"
            f" WHERE org = ? AND status = 'queued' AND (sim IS NULL OR sim IN ({marks}))"
            " ORDER BY id LIMIT ?) RETURNING id, address, body, sim",
            (org, *sims, limit),
        )
        await self._db.commit()
        return sorted((dict(row) for row in rows), key=lambda row: row["id"])

    async def requeue(self, org: int, sims: Sequence[str]) -> None:
        """What a phone that left never reported is queued again."""
        marks = ", ".join("?" * len(sims))
        await self._db.execute(
            "UPDATE messages SET status = 'queued'"
            f" WHERE org = ? AND status = 'sending' AND sim IN ({marks})",
            (org, *sims),
        )
        await self._db.commit()
