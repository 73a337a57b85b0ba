"""The ids that a gateway has given, which it counts up for all its orgs."""

import sqlite3
from typing import Final

from phonegate.store import events
from phonegate.store.moving.contents import EVENTS, SPACES

_GIVEN: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)"


def given(connection: sqlite3.Connection, space: str) -> int:
    """Returns the highest id that was given in a space."""
    if space == EVENTS:
        return int(connection.execute(events.LAST).fetchone()[0])
    return int(connection.execute(_GIVEN, (space,)).fetchone()[0])


def keep_above(connection: sqlite3.Connection, space: str, id_: int) -> None:
    """Gives no id up to this one in a space from now on.

    The writer counts events in memory: while it runs, `Events.keep_above` is for them.
    """
    if space == EVENTS:
        connection.execute(events.KEEP, (id_,))
        return
    changed = connection.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (id_, space)
    )
    if not changed.rowcount:
        connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (space, id_))


def begin_at(connection: sqlite3.Connection, first_id: int) -> None:
    """Has all ids begin at a number, unless they are beyond it already.

    Raises:
        sqlite3.Error: It can't be written.
    """
    behind = [space for space in SPACES if given(connection, space) < first_id - 1]
    if not behind:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for space in behind:
            keep_above(connection, space, first_id - 1)
