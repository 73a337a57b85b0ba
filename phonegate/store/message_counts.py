"""How many messages there are of each status, and what waits in the queue."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import FAR_AHEAD_MS, Backlog, WaitingQueue

# The message with a queue's lowest id began to wait first, unless it had a `send_at`. In that case
# some others are read, but not all: this must not read the rows of a whole queue.
BACKLOG: Final = """
    SELECT queue.org, orgs.name, queue.sim_selector, queue.phone, oldest.assistant, queue.n,
        CASE WHEN oldest.first_tried_at IS NULL THEN oldest.created_at ELSE min(
            oldest.first_tried_at,
            (SELECT min(coalesce(first_tried_at, created_at)) FROM (
                SELECT first_tried_at, created_at FROM messages INDEXED BY messages_ready
                WHERE status = 'queued' AND held_until IS NULL
                    AND org = queue.org AND phone IS queue.phone
                    AND sim_selector = queue.sim_selector
                LIMIT 100
            ))
        ) END
    FROM (
        SELECT org, sim_selector, phone, count(*) AS n, min(id) AS first
        FROM messages INDEXED BY messages_ready
        WHERE status = 'queued' AND held_until IS NULL GROUP BY org, sim_selector, phone LIMIT ?
    ) AS queue
    JOIN messages AS oldest ON oldest.id = queue.first
    JOIN orgs ON orgs.id = queue.org AND orgs.name IS NOT NULL
        AND orgs.suspended_at IS NULL
"""

HELD: Final = """
    SELECT count(*) FILTER (WHERE held_until < ?1), count(*) FILTER (WHERE held_until >= ?1)
    FROM messages INDEXED BY messages_held
    WHERE status = 'queued' AND held_until IS NOT NULL
"""

STRANDED: Final = """
    SELECT pushed.org, orgs.name, '', pushed.phone, NULL, count(*),
        min(coalesce(pushed.pushed_at, pushed.created_at))
    FROM (
        SELECT org, phone, acked_at, pushed_at, created_at
        FROM messages INDEXED BY messages_unsettled
        WHERE status = 'sending' AND phone IS NOT NULL
            AND phone NOT IN (SELECT value FROM json_each(?))
        LIMIT ?
    ) AS pushed
    JOIN orgs ON orgs.id = pushed.org AND orgs.name IS NOT NULL
        AND orgs.suspended_at IS NULL
    WHERE pushed.acked_at IS NULL GROUP BY pushed.org, pushed.phone
"""

MAX_STRANDED: Final = 20_000
"""Most messages of absent phones that are looked at. Those of one phone are a window at most."""

MAX_QUEUES: Final = 10_000
"""Most queues that are counted separately: every SIM of a very large gateway."""


class MessageCounts:
    """The counts of messages over all orgs.

    They follow the facts of a transaction, once for all of it.
    """

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts

    def by_status(self) -> dict[str, int]:
        """Returns the number of messages of each status, over all orgs, as of the last commit."""
        return dict(self._connection.execute("SELECT status, n FROM tallies WHERE n <> 0"))

    def backlog(self) -> Backlog:
        """Returns what waits in the queue, over all orgs.

        Reads the whole queue, but nothing else.
        """
        rows = self._connection.execute(BACKLOG, (MAX_QUEUES,))
        timed, asked = self._connection.execute(HELD, (FAR_AHEAD_MS,)).fetchone()
        return Backlog(queues=tuple(WaitingQueue(*row) for row in rows), timed=timed, asked=asked)

    def stranded(self, online: Sequence[int]) -> tuple[WaitingQueue, ...]:
        """Returns what was pushed to phones that left before they acknowledged it, by phone.

        Args:
            online: The phones that are connected.
        """
        rows = self._connection.execute(STRANDED, (json.dumps(list(online)), MAX_STRANDED))
        return tuple(WaitingQueue(*row) for row in rows)

    # -- chores of the writer

    def write(self) -> None:
        """Writes the counts of what has changed. Part of every commit, before it."""
        sums: Counter[str] = Counter()
        for fact in self._facts:
            if type(fact) is Changed:
                if fact.before is not None:
                    sums[fact.before] -= 1
                if fact.after is not None:
                    sums[fact.after] += 1
        self._connection.executemany(
            "INSERT INTO tallies VALUES (?, ?)"
            " ON CONFLICT (status) DO UPDATE SET n = n + excluded.n",
            [item for item in sums.items() if item[1]],
        )
