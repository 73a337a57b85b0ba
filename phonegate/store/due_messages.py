"""What is due: held messages that may leave, queued ones that expire, results that don't come."""

import json
import sqlite3
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Final

from phonegate.model.facts import Fact, Rescheduled
from phonegate.model.messages import Message
from phonegate.store.due_orgs import DueOrgs, in_turn
from phonegate.store.orgs import SERVED
from phonegate.store.rows import SELECTED, message

# A carrier's message keeps its own time of the first try; a phone's begins to wait when it could
# leave, and not when it was accepted.
RELEASE: Final = """
    UPDATE messages SET held_until = NULL,
        first_tried_at = CASE WHEN assistant IS NULL THEN held_until ELSE first_tried_at END
    WHERE id IN (
        SELECT id FROM messages INDEXED BY messages_held_by_org
        WHERE status = 'queued' AND held_until IS NOT NULL AND org = ? AND held_until <= ?
        ORDER BY held_until LIMIT ?
    )
"""

NEXT_HELD: Final = f"""
    SELECT held_until FROM messages INDEXED BY messages_held
    WHERE status = 'queued' AND held_until IS NOT NULL AND {SERVED} ORDER BY held_until LIMIT 1
"""  # noqa: S608 - constants

EXPIRED: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_expiring_by_org
    WHERE status = 'queued' AND expires_at IS NOT NULL AND org = ? AND expires_at <= ?
    ORDER BY expires_at LIMIT ?
"""  # noqa: S608 - constants

NEXT_EXPIRY: Final = f"""
    SELECT expires_at FROM messages INDEXED BY messages_expiring
    WHERE status = 'queued' AND expires_at IS NOT NULL AND {SERVED}
    ORDER BY expires_at LIMIT 1
"""  # noqa: S608 - constants

SEGMENT_MS: Final = 5_000
"""How much longer the result of a message is waited for, for each segment after its first: radios
take one to five seconds for one."""

OVERDUE: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_pushed
    WHERE status = 'sending' AND assistant IS NULL AND coalesce(acked_at, pushed_at) < ?1
    AND coalesce(acked_at, pushed_at) < ?1 - {SEGMENT_MS} * (coalesce(segments, 1) - 1) AND (
        acked_at IS NOT NULL OR expires_at <= ?2 OR phone IN (SELECT value FROM json_each(?3))
        OR pushed_at < ?4
    ) AND {SERVED}
    ORDER BY coalesce(acked_at, pushed_at), id LIMIT ?5
"""  # noqa: S608 - constants

OLDEST_PUSH: Final = f"""
    SELECT coalesce(acked_at, pushed_at) FROM messages INDEXED BY messages_pushed
    WHERE status = 'sending' AND assistant IS NULL AND coalesce(acked_at, pushed_at) IS NOT NULL
        AND {SERVED}
    ORDER BY coalesce(acked_at, pushed_at) LIMIT 1
"""  # noqa: S608 - constants


class DueMessages:
    """The messages whose time has come or comes next, of all orgs alike."""

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts
        self._held = DueOrgs(connection, "messages_held_by_org", "held_until")
        self._expiring = DueOrgs(connection, "messages_expiring_by_org", "expires_at")

    def release_held(self, now: int, limit: int) -> AbstractSet[int]:
        """Lets up to *limit* messages leave whose `held_until` has come. Returns their orgs.

        All orgs that have some get the same part of it, as far as they need it.
        """

        def release(org: int, share: int) -> int:
            return self._connection.execute(RELEASE, (org, now, share)).rowcount

        orgs = set(in_turn(self._held.orgs(now, limit), limit, release))
        self._facts += [Rescheduled(org, None) for org in orgs]
        return orgs

    def next_held(self) -> int | None:
        """Returns when the next held message is due (ms)."""
        return self._first(NEXT_HELD)

    def next_expiry(self) -> int | None:
        """Returns when the next queued message expires (ms)."""
        return self._first(NEXT_EXPIRY)

    def oldest_push(self) -> int | None:
        """Returns when the message that has waited longest for its result was acked, or pushed."""
        return self._first(OLDEST_PUSH)

    def expired(self, now: int, limit: int) -> list[Message]:
        """Queued messages whose time has run out, of each org the earliest first.

        Orgs get their parts as in `release_held`.
        """
        found: dict[int, list[Message]] = {}

        def look(org: int, share: int) -> int:
            # From the beginning: nothing that was found before has changed.
            values = (org, now, len(found.get(org, ())) + share)
            rows = self._connection.execute(EXPIRED, values).fetchall()
            new = len(rows) - len(found.get(org, ()))
            found[org] = [message(row) for row in rows]
            return new

        in_turn(self._expiring.orgs(now, limit), limit, look)
        return [one for messages in found.values() for one in messages]

    def overdue(
        self, pushed_before: int, limit: int, *, online: Collection[int], away_before: int, now: int
    ) -> list[Message]:
        """Messages whose result was awaited since before a time, the longest first.

        One of several segments may take `SEGMENT_MS` more for each of the others.

        Left out are those that still come to something: never acked, of a phone that is not
        among *online*, pushed since *away_before*, and with time left at *now*. There may be a
        great many of them.
        """
        values = (pushed_before, now, json.dumps(list(online)), away_before, limit)
        return [message(row) for row in self._connection.execute(OVERDUE, values)]

    def _first(self, sql: str) -> int | None:
        row = self._connection.execute(sql).fetchone()
        return None if row is None else int(row[0])
