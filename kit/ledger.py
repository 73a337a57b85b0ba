"""The ledger of a trial: what clients were answered, held against what is stored."""

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

Row = Mapping[str, Any]
Rows = Mapping[int, Row]

RANK = {
    "queued": 0,
    "sending": 1,
    "uncertain": 2,
    "cancelled": 3,
    "sent": 4,
    "failed": 5,
    "expired": 5,
    "delivered": 6,
    "received": 0,
}
"""How far a message has come by its state: it never goes back. What proves that it left lifts a
cancellation or a failure."""

INBOUND = "inbound "
"""What the body of every received message begins with that a client pushed."""


class BrokenPromise(AssertionError):
    """The gateway lost, doubled, regressed or misreported something."""


@attrs.frozen
class Event:
    """What was recorded of a message."""

    org: int
    message: int
    type: str
    """Without `message.`."""
    status: str
    """As its data has it."""


@attrs.define
class Ledger:
    """What was tried, what was answered, and the furthest state seen of each message.

    Each check raises `BrokenPromise`.
    """

    tried: Counter[Hashable] = attrs.field(factory=Counter)
    """How often each SMS was asked for, repeats under its key aside, from before the first try."""
    received: set[str] = attrs.field(factory=set)
    """Bodies of inbound messages that the gateway said it has."""
    states: dict[int, str] = attrs.field(factory=dict)
    kills: int = 0

    def sms(self, row: Row) -> Hashable:
        """Returns what makes a stored message the same SMS as another."""
        body: str = row["body"]
        return body

    def examine(self, database: Path) -> str:
        """Checks a copy of the file as a kill left it, and returns a line about it."""
        with tempfile.TemporaryDirectory() as copies:
            for path in database.parent.glob(f"{database.name}*"):
                if path.is_file():
                    shutil.copy(path, copies)
            connection = sqlite3.connect(Path(copies) / database.name)
            try:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
                if verdict != "ok":
                    raise BrokenPromise(f"integrity_check: {verdict}")
                rows = stored(connection)
                events = recorded(connection)
                counted = totals(connection)
            finally:
                connection.close()
        self.check(rows)
        check_events(rows, events)
        check_figures(rows, counted)
        found = Counter(row["status"] for row in rows.values())
        heard = f", {len(events)} events" if events else ""
        return f"{self.tried.total()} tried, {dict(sorted(found.items()))}{heard}"

    def check(self, rows: Rows) -> None:
        """Holds what is stored against what was answered, and against what was stored before."""
        for i, row in rows.items():
            now: str = row["status"]
            before = self.states.get(i, now)
            if RANK[now] < RANK[before] or {before, now} == {"failed", "expired"}:
                raise BrokenPromise(f"message {i} went back from {before} to {now}")
            self.states[i] = now
        if gone := self.states.keys() - rows.keys():
            raise BrokenPromise(f"stored once and gone: {sorted(gone)}")
        found = Counter(self.sms(row) for row in rows.values() if row["direction"] == "out")
        if doubled := [sms for sms, times in found.items() if times > self.tried[sms]]:
            raise BrokenPromise(f"stored more often than it was asked for: {doubled}")
        inbound = Counter(row["body"] for row in rows.values() if row["direction"] == "in")
        if lost := self.received - inbound.keys():
            raise BrokenPromise(f"received, answered and gone: {sorted(lost)}")
        if repeated := [b for b, n in inbound.items() if n > 1 and b.startswith(INBOUND)]:
            raise BrokenPromise(f"received twice: {repeated}")


def check_events(rows: Rows, events: Sequence[Event]) -> None:
    """Holds the events of messages against what is stored: neither is there without the other.

    Messages from before their org listened have none. From the first that has one on, each must
    have had one for its storing and one for each change, of which the last is its state.
    """
    chains: dict[int, list[str]] = {}
    since: dict[int, int] = {}
    for event in events:
        row = rows.get(event.message)
        if row is None or row["org"] != event.org or event.status != event.type:
            raise BrokenPromise(f"an event of no message, or of another org's: {event}")
        chains.setdefault(event.message, []).append(event.type)
        since[event.org] = min(since.get(event.org, event.message), event.message)
    for i, row in rows.items():
        if row["org"] not in since or i < since[row["org"]]:
            continue
        chain = chains.get(i, [])
        if not chain or chain[0] not in {"queued", "sending", "received"}:
            raise BrokenPromise(f"message {i} was stored without an event: {chain}")
        if chain[-1] != row["status"]:
            raise BrokenPromise(f"message {i} is {row['status']}, and its events are {chain}")
        ranks = [RANK[status] for status in chain]
        if any(later <= earlier for earlier, later in pairwise(ranks)):
            raise BrokenPromise(f"message {i} has an event twice, or out of order: {chain}")


def check_figures(rows: Rows, counted: Mapping[str, int]) -> None:
    """Holds the figures of all hours against the messages, of which none was deleted."""
    wanted = {
        "sent": sum(row["sent_at"] is not None for row in rows.values()),
        "delivered": sum(row["status"] == "delivered" for row in rows.values()),
        "received": sum(row["status"] == "received" for row in rows.values()),
    }
    if wanted != dict(counted):
        raise BrokenPromise(f"the figures say {dict(counted)}, the messages {wanted}")


def totals(connection: sqlite3.Connection) -> dict[str, int]:
    """Returns the sums of the figures of all hours."""
    names = ("sent", "delivered", "received")
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    row = connection.execute(f"SELECT {sums} FROM figures").fetchone()
    return dict(zip(names, row, strict=True))


def recorded(connection: sqlite3.Connection) -> list[Event]:
    """Returns every event of a message, in their order."""
    rows = connection.execute(
        "SELECT org, message, substr(type, 9), json_extract(data, '$.status') FROM events"
        " WHERE message IS NOT NULL ORDER BY id"
    )
    return [Event(*row) for row in rows]


def stored(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    """Returns every message of the file, by id."""
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM messages ORDER BY id")
    return {row["id"]: dict(row) for row in rows}


def stored_now(database: Path) -> dict[int, dict[str, Any]]:
    """Returns every message of a file that a gateway is serving."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        return stored(connection)
    finally:
        connection.close()
