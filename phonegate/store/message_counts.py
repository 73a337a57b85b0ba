"""How many messages there are of each status, and what waits in the queue."""

import sqlite3
from collections import Counter
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
"""

HELD: Final = """
    SELECT count(*) FILTER (WHERE held_until < ?1), count(*) FILTER (WHERE held_until >= ?1)
    FROM messages INDEXED BY messages_held
    WHERE status = 'queued' AND held_until IS NOT NULL
"""

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
