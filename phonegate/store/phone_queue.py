"""The queue of phones: what may leave now, what a phone was given, and what it said of it."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from phonegate.model.bounds import MAX_ID, MAX_SLOT
from phonegate.model.facts import Changed, Fact, Sent
from phonegate.model.messages import Candidate, Leased, Message, Queue
from phonegate.model.states import CANCELLED, QUEUED, SENDING, SENT, Cause
from phonegate.store.keys import KEY_HOLDS
from phonegate.store.messages import bulk_change
from phonegate.store.rows import SELECTED, leased, message

CANDIDATES: Final = """
    SELECT id, segments, priority FROM messages INDEXED BY messages_ready
    WHERE status = 'queued' AND held_until IS NULL AND org = ? AND sim_selector = ? AND phone IS ?
        AND priority >= ?
    ORDER BY priority DESC, id LIMIT ?
"""

ANY_READY: Final = """
    SELECT 1 FROM messages INDEXED BY messages_ready
    WHERE status = 'queued' AND held_until IS NULL AND org = ? LIMIT 1
"""

WAITING: Final = """
    SELECT sum(segments) FROM (
        SELECT segments FROM messages INDEXED BY messages_ready
        WHERE status = 'queued' AND held_until IS NULL AND org = ? AND sim_selector = ?
            AND phone IS ? AND priority >= ?
        LIMIT ?
    )
"""

_PUSHED, _TO_PUSH = bulk_change(QUEUED, Cause.PUSHED)
LEASE: Final = f"""
    UPDATE messages SET {_PUSHED}, phone = ?, sim_slot = ?, sim = ?,
        attempts = attempts + 1, pushed_at = ?, acked_at = NULL
    WHERE id IN (SELECT value FROM json_each(?)) AND {_TO_PUSH} AND held_until IS NULL
        AND (expires_at IS NULL OR expires_at > ?)
        AND {KEY_HOLDS}
    RETURNING {", ".join(Leased._fields)}
"""  # noqa: S608 - constants

_NOT_NOTED: Final = "attempts > 0 AND acked_at IS NULL"
ACKNOWLEDGE: Final = f"""
    UPDATE messages SET acked_at = ? WHERE id = ? AND org = ? AND phone = ? AND {_NOT_NOTED}
"""  # noqa: S608 - constants

_SENT, _TO_SEND = bulk_change(SENDING, Cause.RADIOED)
_STORED_SENT: Final = f"{_SENT}, sent_at = ?, acked_at = coalesce(acked_at, ?), error = NULL"
_CHANGED: Final = "RETURNING messages.id, messages.org, messages.phone"
_COUNTED: Final = f"""
    {_CHANGED}, messages.sent_at, coalesce(messages.first_tried_at, messages.created_at),
        messages.segments, messages.sim_slot, messages.sim
"""
"""What is counted of it, as a `Sent`."""

STORE_SENT: Final = f"""
    UPDATE messages SET {_STORED_SENT}, segments = coalesce(?, segments)
    WHERE id = ? AND org = ? AND phone = ? AND {_TO_SEND}
    {_COUNTED}
"""  # noqa: S608 - constants

_OF_REPORTS: Final = """
    FROM report
    WHERE messages.id = report.id AND messages.org = report.org AND messages.phone = report.phone
"""
AT_ONCE: Final = (64, 32, 16, 8)
"""Reports of one statement. In groups of 32 they cost four fifths of 32 by themselves, and give
Python's lock away once; fewer than 8 cost more."""

ACKNOWLEDGE_TOGETHER: Final = {
    count: f"""
        WITH report (id, org, phone) AS (VALUES {", ".join(["(?, ?, ?)"] * count)})
        UPDATE messages SET acked_at = ? {_OF_REPORTS} AND {_NOT_NOTED} {_CHANGED}
    """  # noqa: S608 - constants
    for count in AT_ONCE
}

STORE_SENT_TOGETHER: Final = {
    count: f"""
        WITH report (id, org, phone, segments)
            AS (VALUES {", ".join(["(?, ?, ?, ?)"] * count)})
        UPDATE messages SET {_STORED_SENT}, segments = coalesce(report.segments, messages.segments)
        {_OF_REPORTS} AND {_TO_SEND} {_COUNTED}
    """  # noqa: S608 - constants
    for count in AT_ONCE
}

AWAITED: Final = """
    SELECT id FROM messages INDEXED BY messages_unsettled WHERE status = 'sending' AND phone = ?
"""

AWAITING_RESULT: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_unsettled
    WHERE status = 'sending' AND phone = ? ORDER BY id
"""  # noqa: S608 - constants

BY_QUEUE: Final = """
    SELECT phone, sim_selector, count(*) FROM messages INDEXED BY messages_ready
    WHERE status = 'queued' AND held_until IS NULL AND org = ? GROUP BY sim_selector, phone
"""

GIVEN: Final = """
    SELECT count(*) FROM messages INDEXED BY messages_unsettled
    WHERE status = 'sending' AND phone = ?
"""

_WITHDRAWN, _TO_WITHDRAW = bulk_change(QUEUED, Cause.WITHDRAWN)
QUEUED_FOR: Final = f"""
    SELECT id FROM messages INDEXED BY messages_ready
    WHERE {_TO_WITHDRAW} AND held_until IS NULL AND org = ?
        AND sim_selector IN (SELECT value FROM json_each(?)) AND phone IS ?
    LIMIT ?
"""  # noqa: S608 - constants

HELD_FOR: Final = f"""
    SELECT id FROM messages INDEXED BY messages_held_by_org
    WHERE {_TO_WITHDRAW} AND held_until IS NOT NULL AND org = ?
        AND (phone = ? OR (phone IS NULL AND sim_selector IN (SELECT value FROM json_each(?))))
    LIMIT ?
"""  # noqa: S608 - constants

WITHDRAW: Final = f"""
    UPDATE messages SET {_WITHDRAWN}, error = ?
    WHERE id IN (SELECT value FROM json_each(?)) AND {_TO_WITHDRAW}
    RETURNING id
"""  # noqa: S608 - constants

SLOTS: Final = json.dumps([str(slot) for slot in range(MAX_SLOT + 1)])
"""The selectors of all slots there can be, so that none has to be looked for."""

LEAST_PRIORITY: Final = -MAX_ID
"""Below that of every message."""

_new: Final = tuple.__new__

_Row = TypeVar("_Row", bound=tuple[int | None, ...])


class PhoneQueue:
    """The messages that wait for phones, and those that phones have and whose result is awaited.

    What happens to them is recorded among the facts of the transaction.
    """

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts

    def candidates(
        self,
        org: int,
        *,
        phone: int | None,
        sim_selector: str,
        limit: int,
        priority: int = LEAST_PRIORITY,
    ) -> list[Candidate]:
        """Returns the messages that may leave now for these, first things first.

        Left out are those of a lower *priority*.
        """
        rows = self._connection.execute(CANDIDATES, (org, sim_selector, phone, priority, limit))
        return [Candidate(id=row[0], segments=row[1], priority=row[2]) for row in rows]

    def any_ready(self, org: int) -> bool:
        """Tells whether any message of an org is queued that may leave now."""
        return self._connection.execute(ANY_READY, (org,)).fetchone() is not None

    def waiting_segments(
        self,
        org: int,
        *,
        phone: int | None,
        sim_selector: str,
        cap: int,
        priority: int = LEAST_PRIORITY,
    ) -> int:
        """Returns the segments that `candidates` would return in all, counted up to *cap*."""
        # Each message has a segment at least, so `cap` rows are enough to reach the cap.
        values = (org, sim_selector, phone, priority, cap)
        (total,) = self._connection.execute(WAITING, values).fetchone()
        return min(total or 0, cap)

    def lease(
        self,
        ids: Sequence[int],
        *,
        phone: int,
        sim_slot: int | None,
        sim: str | None,
        now: int,
    ) -> list[Leased]:
        """Turns queued messages to `sending`, for one more attempt by this phone and SIM.

        Left out are those that aren't queued any more, are held, or whose time has run out, and
        those of a revoked key.
        They come in no order.
        """
        values = (phone, sim_slot, sim, now, json.dumps(ids), now)
        found = [leased(row) for row in self._connection.execute(LEASE, values)]
        self._facts += [Changed(one.id, one.org, QUEUED, SENDING) for one in found]
        return found

    def acknowledge_all(self, rows: Sequence[tuple[int, int, int]], now: int) -> list[bool]:
        """Notes messages that phones said they have: ids, with their orgs and the phones.

        Returns of which of the rows that was not noted yet.
        """
        changed: list[tuple[Any, ...]] = []
        left = self._together(ACKNOWLEDGE_TOGETHER, rows, (now,), changed)
        changed += [
            row for row in left if self._connection.execute(ACKNOWLEDGE, (now, *row)).rowcount
        ]
        if len(changed) == len(rows):
            return [True] * len(rows)
        first = dict.fromkeys(changed, True)
        return [first.pop(row, False) for row in rows]

    def store_sent_all(
        self, rows: Sequence[tuple[int, int, int, int | None]], now: int
    ) -> list[bool]:
        """Notes that phones have sent messages whose results were awaited of them.

        Args:
            rows: The ids of the messages, whose they are, which phone has sent each and, where it
                is known, its number of segments.
            now: When they were sent, in ms.

        Returns:
            Which of the rows were awaited. Of two for the same message only the first was.
        """
        changed: list[tuple[Any, ...]] = []
        left = self._together(STORE_SENT_TOGETHER, rows, (now, now), changed)
        for id_, org, phone, segments in left:
            values = (now, now, segments, id_, org, phone)
            changed += self._connection.execute(STORE_SENT, values).fetchall()
        # Of several rows for one message the first was awaited.
        first = {row[:3]: row for row in changed}
        found = [first.pop(row[:3], None) for row in rows]
        self._facts += [
            Changed(row[0], row[1], SENDING, SENT, None, None, _new(Sent, row))
            for row in found
            if row is not None
        ]
        return [row is not None for row in found]

    def _together(
        self,
        statements: Mapping[int, str],
        rows: Sequence[_Row],
        values: tuple[int, ...],
        changed: list[tuple[Any, ...]],
    ) -> Sequence[_Row]:
        """Changes the messages of as many rows as it can at once, and returns the others.

        Adds to *changed* what the statement returns of each message that it has changed.
        """
        if len(rows) < AT_ONCE[-1]:
            return rows
        # Of several rows for a message a statement takes any: it is to be the first.
        unique: dict[tuple[int | None, ...], _Row] = {}
        for row in rows:
            unique.setdefault(row[:3], row)
        left = list(unique.values())
        for count in AT_ONCE:
            while len(left) >= count:
                given = [value for row in left[:count] for value in row]
                changed += self._connection.execute(statements[count], (*given, *values))
                del left[:count]
        return left

    def awaiting_result(self, phone: int) -> list[Message]:
        """Returns the messages that were pushed to this phone and have no result, by id."""
        return [message(row) for row in self._connection.execute(AWAITING_RESULT, (phone,))]

    def awaited(self, phone: int) -> list[int]:
        """Returns the ids of what `awaiting_result` returns, in no order."""
        return [row[0] for row in self._connection.execute(AWAITED, (phone,))]

    def count_given(self, phone: int) -> int:
        """Returns how many messages were pushed to this phone and have no result."""
        return int(self._connection.execute(GIVEN, (phone,)).fetchone()[0])

    def count_queued(self, org: int) -> dict[Queue, int]:
        """Returns how many messages that may leave now wait in each of an org's queues."""
        rows = self._connection.execute(BY_QUEUE, (org,))
        return {Queue(phone, selector): count for phone, selector, count in rows}

    def withdraw(
        self, org: int, phone: int, forms: Sequence[str], limit: int, *, error: str
    ) -> int:
        """Cancels up to *limit* queued messages that no other phone can send.

        These are those that ask for a slot of this phone, or for one of its numbers, given as
        *forms* that are compared. Returns how many there were.
        """
        numbers = json.dumps(forms)
        found: list[int] = []
        for sql, values in (
            (QUEUED_FOR, (org, SLOTS, phone)),
            (QUEUED_FOR, (org, numbers, None)),
            (HELD_FOR, (org, phone, numbers)),
        ):
            left = limit - len(found)
            found += [row[0] for row in self._connection.execute(sql, (*values, left))]
        rows = self._connection.execute(WITHDRAW, (error, json.dumps(found))).fetchall()
        self._facts += [Changed(row[0], org, QUEUED, CANCELLED) for row in rows]
        return len(rows)
