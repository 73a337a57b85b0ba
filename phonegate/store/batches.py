"""Batches: what messages that were written together are made from, and what became of them."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

import attrs

from phonegate.model.batches import Batch, StateCount

_COLUMNS: Final = tuple(field.name for field in attrs.fields(Batch))

_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM batches"  # noqa: S608 - the model's own names

# The ranges come first: each is a stretch of the table of messages.
_MESSAGES: Final = """
    FROM batch_ranges AS r CROSS JOIN messages AS m
    WHERE r.batch = :batch AND m.id BETWEEN r.first AND r.last
        AND m.org = :org AND m.direction = 'out'
"""

_COUNTS: Final = (
    f"SELECT m.status, count(*), sum(m.approval IS 'asked') {_MESSAGES} GROUP BY m.status"
)

_IDS: Final = (
    f"SELECT m.id {_MESSAGES} AND m.id > :after"  # noqa: S608 - constants
    " AND m.status IN (SELECT value FROM json_each(:states)) ORDER BY m.id LIMIT :limit"
)

_BY_CARRIER_ID: Final = """
    SELECT id FROM messages
    WHERE carrier_id = :id AND assistant IN (SELECT id FROM assistants WHERE org = :org)
"""


class Batches:
    """The rows of `batches` and `batch_ranges`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, org: int, key: str | None, token: str, now: int, draft: bytes) -> None:
        """Stores a draft."""
        self._connection.execute(
            "INSERT INTO batches (org, key, token, created_at, draft) VALUES (?, ?, ?, ?, ?)",
            (org, key, token, now, draft),
        )

    def find(self, org: int, token: str) -> Batch | None:
        """Returns the batch of this token, where it is this org's."""
        row = self._connection.execute(
            f"{_SELECT} WHERE token = ? AND org = ?", (token, org)
        ).fetchone()
        return None if row is None else _batch(row)

    def begun(self, org: int, *, key: str | None, every: bool, limit: int) -> list[Batch]:
        """Returns the batches that were sent, newest first: every one, or those of a key."""
        mine = "" if every else " AND key IS :key"
        rows = self._connection.execute(
            f"{_SELECT} WHERE org = :org AND begun_at IS NOT NULL{mine} ORDER BY id DESC LIMIT :n",
            {"org": org, "key": key, "n": limit},
        )
        return [_batch(row) for row in rows]

    def same(self, org: int, digest: bytes, since: int) -> Batch | None:
        """Returns the last batch that sent the same since a time."""
        row = self._connection.execute(
            f"{_SELECT} WHERE org = ? AND digest = ? AND begun_at >= ? ORDER BY id DESC LIMIT 1",
            (org, digest, since),
        ).fetchone()
        return None if row is None else _batch(row)

    def rewrite(self, id: int, draft: bytes) -> None:  # noqa: A002 - the record's own name for it
        """Gives a batch another draft."""
        self._connection.execute("UPDATE batches SET draft = ? WHERE id = ?", (draft, id))

    def begin(self, id: int, now: int, digest: bytes, total: int, draft: bytes) -> None:  # noqa: A002
        """Notes that a draft is sent, and what is sent."""
        self._connection.execute(
            "UPDATE batches SET begun_at = ?, digest = ?, total = ?, draft = ?"
            " WHERE id = ? AND begun_at IS NULL",
            (now, digest, total, draft, id),
        )

    def accept(self, id: int, accepted: int, ids: Collection[int]) -> None:  # noqa: A002
        """Notes that so many messages are accepted by now, and the ids of the last of them."""
        self._connection.executemany(
            "INSERT INTO batch_ranges VALUES (?, ?, ?) ON CONFLICT (batch, first)"
            " DO UPDATE SET last = max(last, excluded.last)",
            [(id, first, last) for first, last in _ranges(ids)],
        )
        self._connection.execute(
            "UPDATE batches SET accepted = max(accepted, ?) WHERE id = ?", (accepted, id)
        )

    def end(self, id: int, total: int) -> None:  # noqa: A002
        """Notes that a batch has no more messages than these."""
        self._connection.execute("UPDATE batches SET total = ? WHERE id = ?", (total, id))

    def prune(self, org: int, *, drafts: int, begun: int, size: int) -> None:
        """Removes the oldest batches of an org, so that no more than these are left.

        Args:
            org: The org.
            drafts: How many drafts may stay.
            begun: How many may stay of those that were sent.
            size: The bytes that all of them may take.
        """
        self._connection.execute(
            "DELETE FROM batches WHERE id IN (SELECT id FROM (SELECT id, sum(length(draft))"
            " OVER (ORDER BY id DESC) AS so_far FROM batches WHERE org = ?) WHERE so_far > ?)",
            (org, size),
        )
        for condition, most in (("IS NULL", drafts), ("IS NOT NULL", begun)):
            self._connection.execute(
                "DELETE FROM batches WHERE id IN (SELECT id FROM batches"  # noqa: S608 - constants
                f" WHERE org = ? AND begun_at {condition} ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (org, most),
            )

    def prune_drafts(self, org: int, key: str | None, *, most: int, size: int) -> None:
        """Removes the oldest drafts that were made by one credential, beyond so many or large."""
        self._connection.execute(
            "DELETE FROM batches WHERE id IN (SELECT id FROM (SELECT id, sum(length(draft))"
            " OVER newest AS so_far, row_number() OVER newest AS nth FROM batches"
            " WHERE org = ? AND key IS ? AND begun_at IS NULL"
            " WINDOW newest AS (ORDER BY id DESC)) WHERE so_far > ? OR nth > ?)",
            (org, key, size, most),
        )

    def counts(self, org: int, id: int) -> list[StateCount]:  # noqa: A002
        """Counts the messages of a batch by their state."""
        rows = self._connection.execute(_COUNTS, {"batch": id, "org": org})
        return [StateCount(status, count, held or 0) for status, count, held in rows]

    def message_ids(
        self,
        org: int,
        id: int,  # noqa: A002
        states: Iterable[str],
        *,
        after: int = 0,
        limit: int,
    ) -> list[int]:
        """Returns the messages of a batch that are in one of these states, in their order."""
        given = {"batch": id, "org": org, "states": json.dumps(list(states))}
        rows = self._connection.execute(_IDS, given | {"after": after, "limit": limit})
        return [row[0] for row in rows]

    def by_carrier_id(self, org: int, carrier_id: str) -> int | None:
        """Returns the message of an org that its carrier calls so."""
        row = self._connection.execute(_BY_CARRIER_ID, {"id": carrier_id, "org": org}).fetchone()
        return None if row is None else int(row[0])


def _ranges(ids: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yields the stretches of numbers that follow one another."""
    first = last = None
    for one in sorted(ids):
        if last is not None and one == last + 1:
            last = one
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = one
    if first is not None and last is not None:
        yield first, last


def _batch(row: tuple[Any, ...]) -> Batch:
    return Batch(**dict(zip(_COLUMNS, row, strict=True)))
