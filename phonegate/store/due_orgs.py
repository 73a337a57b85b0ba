"""Whose messages are due, org by org, so that those of one never wait behind all of another's.

An index by org and time gives the next org with its earliest message in one step, however many
it has. Each look goes on where the one before it ended, and bounds how many orgs it looks at.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from phonegate.store.orgs import SERVED

LOOKED_AT: Final = 1_000
"""Orgs that one look goes past, at most: 4 ms. Those after them come with the next."""


class DueOrgs:
    """The orgs that have something due, by one column of times and the index on it."""

    def __init__(self, connection: sqlite3.Connection, index: str, column: str) -> None:
        self._connection = connection
        self._next = f"""
            SELECT org, {column} FROM messages INDEXED BY {index}
            WHERE status = 'queued' AND {column} IS NOT NULL AND org > ? AND {SERVED}
            ORDER BY org, {column} LIMIT 1
        """  # noqa: S608 - names of ours
        self._last = 0
        """The org that the last look ended with."""

    def orgs(self, now: int, most: int) -> list[int]:
        """Returns up to *most* orgs with something due by now, those after the last ones first."""
        begin = org = self._last
        found: list[int] = []
        again = False
        for _ in range(LOOKED_AT):
            row = self._connection.execute(self._next, (org,)).fetchone()
            if row is None:
                if again:
                    break
                again, org = True, 0
                continue
            if again and row[0] > begin:
                break
            org, at = row
            if at <= now:
                found.append(org)
                if len(found) >= most:
                    break
        self._last = org
        return found


def in_turn(orgs: Sequence[int], limit: int, handle: Callable[[int, int], int]) -> list[int]:
    """Has up to *limit* messages handled, of all *orgs* as many as far as they have some.

    *handle* gets an org and how many of its messages it may handle, and says how many it did.
    Gives the orgs that had any.
    """
    had = []
    left, waiting = limit, list(orgs)
    while waiting and left > 0:
        share = max(1, left // len(waiting))
        more = []
        for org in waiting:
            count = handle(org, min(share, left))
            left -= count
            if count:
                had.append(org)
            if count == share:
                more.append(org)
            if left <= 0:
                break
        waiting = more
    return list(dict.fromkeys(had))
