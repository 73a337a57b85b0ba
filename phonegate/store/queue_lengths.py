"""How many messages of each org wait, known well enough to bound them at no cost.

To count a queue of a million takes some 30 ms, and to keep count through every way out of it
would touch them all. So only what goes in is added up: that is no less than what waits, but for
a few that a phone or carrier gave back. A queue is counted when the sum would pass a limit.
"""

import sqlite3
from typing import Final

import attrs

RECOUNT_MS: Final = 1_000
"""Between two counts of a queue that was found full: an org that sends on must not keep the
writer counting."""

COUNT: Final = """
    SELECT count(*) FROM messages INDEXED BY messages_by_status
    WHERE org = ? AND status = 'queued'
"""


@attrs.define
class _Queue:
    most: int
    """No fewer than wait."""
    counted_at: int


class QueueLengths:
    """The queues of all orgs, as the one connection sees them that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queues: dict[int, _Queue] = {}

    def grew(self, org: int) -> None:
        """Notes that a message was queued, even if that is undone later."""
        queue = self._queues.get(org)
        if queue is not None:
            queue.most += 1

    def has_room(self, org: int, wanted: int, limit: int, now: int) -> bool:
        """Tells whether so many more may wait. A full queue is counted again after `RECOUNT_MS`."""
        queue = self._queues.get(org)
        if queue is not None and queue.most + wanted <= limit:
            return True
        if queue is None or abs(now - queue.counted_at) >= RECOUNT_MS:
            (count,) = self._connection.execute(COUNT, (org,)).fetchone()
            queue = self._queues[org] = _Queue(int(count), now)
        return queue.most + wanted <= limit
