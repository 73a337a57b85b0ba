"""How much each org has stored of late, and whether there is room for more.

Each org has a bucket of bytes: a day's worth may come at once, and what was stored counts less
with each moment since, until a day later it counts no more. The sums are kept in memory by the
one connection that writes, and written with the commit that they are about: one row of `orgs`
for each org in it, whatever the number of messages.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

import attrs

from phonegate.model.times import DAY_MS

LOOK_S: Final = 0.5
"""Between two looks at the room on the disk: in the meantime a fast disk takes 100 MB, and the
alarm threshold leaves more than twice as much."""

KNOWN: Final = 10_000
"""Orgs whose sums are kept in memory; of others they are read when they store something."""


WRITE: Final = "UPDATE orgs SET stored_bytes = ?, stored_at = ? WHERE id = ?"


@attrs.define
class _Sum:
    self_made: bool
    bytes: float
    at: int
    """As of when that is (ms)."""


class StorageQuota:
    """What the orgs store, as the one connection counts it that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sums: dict[int, _Sum] = {}
        self._uncommitted: list[tuple[int, int]] = []
        """What was counted since the last commit: orgs and bytes."""
        self._changed: set[int] = set()
        """Orgs to look up anew once what was counted of them is written."""
        self._looked_at = -LOOK_S
        self._free = 0

    # -- what an org may store

    def is_self_made(self, org: int) -> bool:
        """Tells whether an org came by itself, and not by its owner's command."""
        found = self._sums.get(org) or self._of(org)
        return found is not None and found.self_made

    def take(self, org: int, size: int, per_day: int, now: int) -> int:
        """Counts bytes that an org is about to store, if it may.

        Gives 0, or after how many seconds it may; then nothing was counted. More than may be
        stored in a day may be stored by an org that has stored nothing of late.
        """
        found = self._sums.get(org) or self._of(org)
        if found is None:
            return 0  # The org is gone, and nothing more is stored for it.
        before = found.bytes
        if before:
            # A clock that was set back must not make an org wait.
            aged = before - (now - found.at) * per_day / DAY_MS if now > found.at else before
            before = found.bytes = aged if aged > 0 else 0.0
        found.at = now
        excess = before + size - per_day
        if excess > 0 and before >= 1:
            return max(1, -(-int(min(excess, before)) * DAY_MS // (per_day * 1000)))
        found.bytes = before + size
        self._uncommitted.append((org, size))
        return 0

    # -- room on the disk

    def is_low(self, least: int) -> bool:
        """Tells whether fewer bytes than *least* are free on the disk of the database."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            _, _, file = self._connection.execute("PRAGMA database_list").fetchone()
            disk = os.statvfs(Path(file).parent)
            self._free = disk.f_bavail * disk.f_frsize
        return self._free < least

    # -- business of the writer

    def mark(self) -> int:
        """Returns where the counting stands, for `undo`."""
        return len(self._uncommitted)

    def undo(self, mark: int = 0) -> None:
        """Uncounts what was counted since then, in this transaction."""
        for org, size in self._uncommitted[mark:]:
            if (found := self._sums.get(org)) is not None:
                found.bytes = max(0.0, found.bytes - size)
        del self._uncommitted[mark:]

    def write(self) -> None:
        """Writes the sums that have changed. Part of every commit, before it."""
        for org in {org for org, _ in self._uncommitted}:
            found = self._sums[org]
            self._connection.execute(WRITE, (round(found.bytes), found.at, org))

    def committed(self) -> None:
        """Forgets what was written, once it is durable."""
        self._uncommitted.clear()
        while self._changed:
            self._sums.pop(self._changed.pop(), None)
        if len(self._sums) > KNOWN:
            self._sums.clear()

    def forget(self, org: int) -> None:
        """Looks an org up anew when it next stores something."""
        if any(one == org for one, _ in self._uncommitted):
            self._changed.add(org)
        else:
            self._sums.pop(org, None)

    def _of(self, org: int) -> _Sum | None:
        found = self._sums.get(org)
        if found is None:
            row = self._connection.execute(
                "SELECT self_made, stored_bytes, stored_at FROM orgs WHERE id = ?", (org,)
            ).fetchone()
            if row is not None:
                found = self._sums[org] = _Sum(bool(row[0]), row[1], row[2])
        return found
