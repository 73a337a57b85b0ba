"""The past of phones: how they said that they were, and when each was connected.

A phone has a reading for each quarter hour at most, and a bounded number of presences. What is old,
or of a phone that is no more, is deleted in small steps (see `domain.phone_history`).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from phonegate.model.phone_history import Presence, Reading
from phonegate.model.phones import Health

BRIEF_MS: Final = 60_000
"""An absence that is shorter is none: a phone that changes its network is back within seconds."""

MOST_PRESENCES: Final = 500
"""Of one phone, the newest: sixteen a day for a month. A phone whose link breaks more often than
that is one to look after, and its last days show it."""

_NEWEST: Final = (
    "SELECT came_at, went_at FROM phone_presence WHERE phone = ? ORDER BY came_at DESC LIMIT 1"
)

_SURPLUS: Final = """
    DELETE FROM phone_presence WHERE phone = ?1 AND came_at <= (
        SELECT came_at FROM phone_presence WHERE phone = ?1 ORDER BY came_at DESC LIMIT 1 OFFSET ?2
    )
"""

_READ: Final = "SELECT at, battery, charging, signal, network FROM phone_health"

_CHANGED: Final = "SELECT id FROM phones WHERE id > ? AND health_at >= ? ORDER BY id LIMIT ?"

_TAKE: Final = """
    INSERT OR REPLACE INTO phone_health (phone, at, battery, charging, signal, network)
    SELECT id, health_at, battery, charging, signal, network FROM phones
    WHERE id = ? AND health_at IS NOT NULL
"""

_STALE: Final = """
    WITH RECURSIVE known (phone) AS (
        SELECT min(phone) FROM {table} WHERE phone > ?1
        UNION ALL
        SELECT (SELECT min(phone) FROM {table} AS other WHERE other.phone > known.phone)
        FROM known WHERE known.phone IS NOT NULL
    )
    SELECT phone, NOT EXISTS (SELECT 1 FROM phones WHERE id = known.phone) AS gone FROM known
    WHERE phone IS NOT NULL AND (
        gone OR (SELECT {ended} FROM {table} AS first WHERE first.phone = known.phone
                 ORDER BY {began} LIMIT 1) < ?2
    ) LIMIT ?3
"""
"""Steps from phone to phone by the primary key, so that no row but the first of each is read."""

_DROP: Final = """
    DELETE FROM {table} WHERE (phone, {began}) IN (
        SELECT phone, {began} FROM {table} WHERE phone = ? AND (? OR {ended} < ?)
        ORDER BY {began} LIMIT ?
    )
"""

_TABLES: Final = (
    {"table": "phone_health", "began": "at", "ended": "at"},
    {"table": "phone_presence", "began": "came_at", "ended": "went_at"},
)


class Stale(NamedTuple):
    """A phone of which something is to be deleted."""

    phone: int
    gone: bool
    """The phone is no more: all of it is."""


class PhoneHistory:
    """The rows of `phone_health` and `phone_presence`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def came(self, phone: int, now: int) -> None:
        """Notes that a phone has connected. A brief absence before that was none."""
        last = self._connection.execute(_NEWEST, (phone,)).fetchone()
        if last is not None and (last[1] is None or 0 <= now - last[1] < BRIEF_MS):
            self._connection.execute(
                "UPDATE phone_presence SET went_at = NULL WHERE phone = ? AND came_at = ?",
                (phone, last[0]),
            )
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO phone_presence (phone, came_at) VALUES (?, ?)", (phone, now)
        )
        self._connection.execute(_SURPLUS, (phone, MOST_PRESENCES))

    def went(self, phone: int, now: int) -> None:
        """Notes that a phone is connected no more."""
        self._connection.execute(
            "UPDATE phone_presence SET went_at = max(came_at, ?)"
            " WHERE phone = ? AND went_at IS NULL",
            (now, phone),
        )

    def presences(self, phone: int, since: int) -> list[Presence]:
        """Returns when a phone was connected since a time, oldest first."""
        rows = self._connection.execute(
            "SELECT came_at, went_at FROM phone_presence"
            " WHERE phone = ? AND (went_at IS NULL OR went_at > ?) ORDER BY came_at",
            (phone, since),
        )
        return [Presence(came_at=came, went_at=went) for came, went in rows]

    def known_since(self, phone: int) -> int | None:
        """Returns since when it is known when a phone was connected. None: nothing is."""
        row = self._connection.execute(
            "SELECT min(came_at) FROM phone_presence WHERE phone = ?", (phone,)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def readings(self, phone: int, since: int) -> list[Reading]:
        """Returns how a phone said that it was since a time, and last before that, oldest first."""
        before = self._connection.execute(
            f"{_READ} WHERE phone = ? AND at < ? ORDER BY at DESC LIMIT 1", (phone, since)
        ).fetchall()
        rows = self._connection.execute(
            f"{_READ} WHERE phone = ? AND at >= ? ORDER BY at", (phone, since)
        )
        return [_reading(row) for row in (*before, *rows)]

    def changed(self, after: int, since: int, limit: int) -> list[int]:
        """Returns phones of which something new was stored since a time, the next after an id."""
        return [row[0] for row in self._connection.execute(_CHANGED, (after, since, limit))]

    def take(self, phones: Sequence[int]) -> None:
        """Keeps how these phones said last that they are."""
        self._connection.executemany(_TAKE, [(phone,) for phone in phones])

    def stale(self, after: int, cutoff: int, limit: int) -> list[Stale]:
        """Returns phones of which something is to be deleted, the next after an id.

        That is what ended before a time, and all of a phone that is no more.
        """
        found = [
            Stale(phone, bool(gone))
            for names in _TABLES
            for phone, gone in self._connection.execute(
                _STALE.format_map(names), (after, cutoff, limit)
            )
        ]
        return sorted(set(found))[:limit]

    def drop(self, stale: Stale, cutoff: int, limit: int) -> int:
        """Deletes some of that, up to *limit* rows. Returns how many."""
        dropped = 0
        for names in _TABLES:
            cursor = self._connection.execute(
                _DROP.format_map(names), (stale.phone, stale.gone, cutoff, limit - dropped)
            )
            dropped += cursor.rowcount
        return dropped


def _reading(row: tuple[Any, ...]) -> Reading:
    charging = None if row[2] is None else bool(row[2])
    health = Health(battery=row[1], charging=charging, signal=row[3], network=row[4])
    return Reading(at=row[0], health=health)
