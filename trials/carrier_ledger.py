"""The books of the carriers' trial: what clients were answered, and how it compares.

Every promise is about three books that are kept apart: what the clients were answered, what
the gateway has stored, and what the carriers' ledger says went on the air.
"""

import json
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from trials.carrier_requests import Order
from trials.promises import RANK, BrokenPromise

AT_CARRIER: Mapping[str, str] = {
    "accepted": "sending",
    "queued": "sending",
    "sending": "sending",
    "sent": "sent",
    "delivery_unconfirmed": "sent",
    "delivered": "delivered",
    "undelivered": "failed",
    "failed": "failed",
    "delivery_failed": "failed",
    "sending_failed": "failed",
    "expired": "failed",
}
"""What we call the carriers' states."""

UNDERWAY = frozenset({"queued", "sending", "uncertain"})
"""States that a message must leave once the carriers are well again."""

UNKNOWN = "outcome_unknown"
"""The code of an answer that says that the carrier may have the message."""


@attrs.define
class Books:
    """What clients tried and were answered, and the furthest state seen of each message."""

    orders: dict[str, Order] = attrs.field(factory=dict)
    """Idempotency-Key → what was sent under it, from before the first try."""
    answers: dict[str, tuple[int, Any]] = attrs.field(factory=dict)
    """Idempotency-Key → status and content of the first answer."""
    received: set[str] = attrs.field(factory=set)
    """Bodies of inbound messages whose callback was answered with 2xx."""
    states: dict[int, str] = attrs.field(factory=dict)
    kills: int = 0

    def examine(self, database: Path) -> str:
        """Checks a copy of the file as a kill left it; a line about it.

        Raises:
            BrokenPromise: something that was answered for is not in it as it was.
        """
        with tempfile.TemporaryDirectory() as copies:
            for path in database.parent.glob(f"{database.name}*"):
                if path.is_file():
                    shutil.copy(path, copies)
            connection = sqlite3.connect(Path(copies) / database.name)
            try:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
                if verdict != "ok":
                    raise BrokenPromise(f"integrity_check: {verdict}")
                return self.check(stored(connection))
            finally:
                connection.close()

    def check(self, rows: Mapping[int, Mapping[str, Any]]) -> str:
        """Holds what is stored against what was answered, and against what was stored before."""
        self._never_backwards(rows)
        self._sends(rows)
        self._receipts(rows)
        told = dict(sorted(Counter(row["status"] for row in rows.values()).items()))
        return f"{len(self.answers)} answered, {told}"

    def _never_backwards(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        for i, row in rows.items():
            before = self.states.get(i, row["status"])
            if RANK[row["status"]] < RANK[before] or {before, row["status"]} == {
                "failed",
                "expired",
            }:
                raise BrokenPromise(f"message {i} went back from {before} to {row['status']}")
            self.states[i] = row["status"]
        if gone := self.states.keys() - rows.keys():
            raise BrokenPromise(f"stored once and gone: {sorted(gone)}")

    def _sends(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        outbound = [row for row in rows.values() if row["direction"] == "out"]
        ids = [row["carrier_id"] for row in outbound if row["carrier_id"]]
        if shared := [i for i, n in Counter(ids).items() if n > 1]:
            raise BrokenPromise(f"two messages claim one SMS of a carrier: {shared}")
        found = Counter(_what(row) for row in outbound)
        wanted = Counter(order.what for order in self.orders.values())
        if doubled := [what for what, n in found.items() if n > wanted[what]]:
            raise BrokenPromise(f"stored more than once under one Idempotency-Key: {doubled}")
        known = {*ids, *(str(i) for i in rows)}
        for key, (status, answer) in self.answers.items():
            if status == 200 and answer["message_id"] not in known:
                raise BrokenPromise(f"answered 200 and gone: {key}, {answer['message_id']}")
            if not found[self.orders[key].what]:
                raise BrokenPromise(f"answered {status} and not stored: {key}")

    def _receipts(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        inbound = Counter(row["body"] for row in rows.values() if row["direction"] == "in")
        if lost := self.received - inbound.keys():
            raise BrokenPromise(f"received, answered and gone: {sorted(lost)}")
        if repeated := [body for body, n in inbound.items() if n > 1]:
            raise BrokenPromise(f"received twice: {repeated}")

    def on_air_once(self, ledger: Mapping[str, Any]) -> None:
        """Checks that no send went on the air twice, whatever state anything is in.

        Raises:
            BrokenPromise: one did.
        """
        wanted = Counter(order.what for order in self.orders.values())
        taken = Counter(_of_carrier(sms) for sms in ledger["accepted"])
        if twice := [what for what, n in taken.items() if n > wanted[what]]:
            raise BrokenPromise(f"on the air more often than sent: {twice}")

    def settle(self, rows: Mapping[int, Mapping[str, Any]], ledger: Mapping[str, Any]) -> list[str]:
        """What is not yet as it must be in the end: nothing underway, all equal to the carriers'.

        Returns:
            A line for each message that still differs.
        """
        taken = {sms["id"]: sms for sms in ledger["accepted"]}
        claimed = set()
        unsettled = []
        unaskable = Counter(_what(row) for row in rows.values() if is_unaskable(row))
        for i, row in rows.items():
            if row["direction"] == "in" or is_unaskable(row):
                continue
            status, sms = row["status"], taken.get(row["carrier_id"])
            about = f"message {i} is {status}"
            if sms is None:
                if status in UNDERWAY or status in {"sent", "delivered"}:
                    unsettled.append(f"{about}, at the carrier there is none ({row['error']})")
                continue
            claimed.add(sms["id"])
            if _of_carrier(sms) != _what(row) or sms["carrier"] != row["provider"]:
                unsettled.append(f"{about}, and claims {sms['id']}, which says something else")
            if status != AT_CARRIER[sms["status"]]:
                unsettled.append(f"{about}, at the carrier {sms['status']}")
            if sms["error_code"] and str(sms["error_code"]) not in str(row["error"]):
                unsettled.append(f"{about} without the carrier's error {sms['error_code']}")
        strays = []
        for sms in (sms for key, sms in taken.items() if key not in claimed):
            if unaskable[_of_carrier(sms)]:
                unaskable[_of_carrier(sms)] -= 1
            else:
                strays.append(sms)
        return unsettled + [
            f"{sms['id']} ({_key_of(sms, self.orders)}) is on the air and no message claims it"
            for sms in strays
        ]

    def replayed(self, key: str, again: tuple[int, Any]) -> None:
        """Checks the answer to a repeat under the same Idempotency-Key.

        Raises:
            BrokenPromise: it is neither the first one nor what was unknown then.
        """
        first = self.answers.get(key, again)
        if again != first and first[1].get("code") != UNKNOWN:
            raise BrokenPromise(f"{key} was answered {first}, then {again}")

    def answers_were_true(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Checks the last answer to each send against the end.

        Raises:
            BrokenPromise: a 200 names another message, or a failure is none, or is still unknown.
        """
        by_id = {str(i): row for i, row in rows.items()}
        by_id |= {row["carrier_id"]: row for row in rows.values() if row["carrier_id"]}
        for key, (status, answer) in self.answers.items():
            told = answer["message_id"] if status == 200 else str(answer["id"])
            if _what(by_id[told]) != self.orders[key].what:
                raise BrokenPromise(f"{key} was answered with the id of another message")
            unknown = answer.get("code") == UNKNOWN
            if unknown and is_unaskable(by_id[told]):
                continue
            if status != 200 and (unknown or by_id[told]["status"] != "failed"):
                raise BrokenPromise(f"{key} was answered {answer}, and is {by_id[told]['status']}")


def is_unaskable(row: Mapping[str, Any]) -> bool:
    """Whether a message must stay uncertain: Telnyx can only be asked by repeating the request.

    After the message's ttl that could send what nobody wants sent any more.
    """
    return (
        row["provider"] == "telnyx"
        and row["status"] == "uncertain"
        and row["carrier_id"] is None
        and row["expires_at"] is not None
        and row["expires_at"] < time.time() * 1000
    )


def stored(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    """Every message of the file, by id."""
    connection.row_factory = sqlite3.Row
    columns = (
        "m.id, m.direction, m.address, m.body, m.status, m.provider, m.carrier_id, m.error,"
        " m.sim, m.expires_at"
    )
    rows = connection.execute(f"SELECT {columns} FROM messages AS m ORDER BY m.id")
    return {row["id"]: dict(row) for row in rows}


def stored_now(database: Path) -> dict[int, dict[str, Any]]:
    """Every message of a file that a gateway is serving."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        return stored(connection)
    finally:
        connection.close()


def _what(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return (row["sim"], row["address"], row["body"])


def _of_carrier(sms: Mapping[str, Any]) -> tuple[str, str, str]:
    return (sms["sender"], sms["recipient"], sms["text"])


def _key_of(sms: Mapping[str, Any], orders: Mapping[str, Order]) -> str:
    keys = [order.key for order in orders.values() if order.what == _of_carrier(sms)]
    return json.dumps(keys)
