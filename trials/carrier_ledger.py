"""The ledger of the carriers' trial: what clients were answered, and how it compares.

Every promise is about three accounts of the same messages that are kept apart: what the clients
were answered, what the gateway has stored, and what the carriers say went on the air.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from kit.ledger import BrokenPromise, Ledger, Row, Rows
from trials.carrier_requests import Request

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
class CarrierLedger(Ledger):
    """Also what each client was answered last. Each check raises `BrokenPromise`."""

    requests: dict[str, Request] = attrs.field(factory=dict)
    """Idempotency-Key → what was sent under it, from before the first try."""
    answers: dict[str, tuple[int, Any]] = attrs.field(factory=dict)
    """Idempotency-Key → status and content of the first answer."""

    def begin(self, request: Request) -> None:
        self.requests[request.key] = request
        self.tried[request.sms] += 1

    def sms(self, row: Row) -> tuple[str, str, str]:
        return (row["sim"], row["address"], row["body"])

    def check(self, rows: Rows) -> None:
        super().check(rows)
        outbound = [row for row in rows.values() if row["direction"] == "out"]
        ids = [row["carrier_id"] for row in outbound if row["carrier_id"]]
        if shared := [i for i, n in Counter(ids).items() if n > 1]:
            raise BrokenPromise(f"two messages claim one SMS of a carrier: {shared}")
        found = {self.sms(row) for row in outbound}
        known = {*ids, *(str(i) for i in rows)}
        for key, (status, answer) in self.answers.items():
            if status == 200 and answer["message_id"] not in known:
                raise BrokenPromise(f"answered 200 and gone: {key}, {answer['message_id']}")
            if self.requests[key].sms not in found:
                raise BrokenPromise(f"answered {status} and not stored: {key}")

    def on_air_once(self, ledger: Mapping[str, Any]) -> None:
        """Checks that no send went on the air twice, whatever state anything is in."""
        taken = Counter(_of_carrier(sms) for sms in ledger["accepted"])
        if twice := [sms for sms, n in taken.items() if n > self.tried[sms]]:
            raise BrokenPromise(f"on the air more often than sent: {twice}")

    def differences(self, rows: Rows, ledger: Mapping[str, Any]) -> list[str]:
        """Returns a line for each message that is underway, or not as the carriers have it."""
        taken = {sms["id"]: sms for sms in ledger["accepted"]}
        claimed = set()
        unsettled = []
        unaskable = Counter(self.sms(row) for row in rows.values() if is_unaskable(row))
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
            if _of_carrier(sms) != self.sms(row) or sms["carrier"] != row["provider"]:
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
            f"{sms['id']} ({self._keys(sms)}) is on the air and no message claims it"
            for sms in strays
        ]

    def replayed(self, key: str, again: tuple[int, Any]) -> None:
        """Checks the answer to a repeat under the same Idempotency-Key.

        It must be the first one, or tell what was unknown then.
        """
        first = self.answers.get(key, again)
        if again != first and first[1].get("code") != UNKNOWN:
            raise BrokenPromise(f"{key} was answered {first}, then {again}")

    def answers_were_true(self, rows: Rows) -> None:
        """Checks the last answer to each send against the end.

        A 200 must name its message, and a failure must be one and not be unknown any more.
        """
        by_id = {str(i): row for i, row in rows.items()}
        by_id |= {row["carrier_id"]: row for row in rows.values() if row["carrier_id"]}
        for key, (status, answer) in self.answers.items():
            row = by_id[answer["message_id"] if status == 200 else str(answer["id"])]
            if self.sms(row) != self.requests[key].sms:
                raise BrokenPromise(f"{key} was answered with the id of another message")
            unknown = answer.get("code") == UNKNOWN
            if unknown and is_unaskable(row):
                continue
            if status != 200 and (unknown or row["status"] != "failed"):
                raise BrokenPromise(f"{key} was answered {answer}, and is {row['status']}")

    def _keys(self, sms: Mapping[str, Any]) -> list[str]:
        return [r.key for r in self.requests.values() if r.sms == _of_carrier(sms)]


def is_unaskable(row: Row) -> bool:
    """Tells whether a message must stay uncertain.

    Telnyx can only be asked by repeating the request, which after the message's ttl could send
    what must not be sent any more.
    """
    return (
        row["provider"] == "telnyx"
        and row["status"] == "uncertain"
        and row["carrier_id"] is None
        and row["expires_at"] is not None
        and row["expires_at"] < time.time() * 1000
    )


def _of_carrier(sms: Mapping[str, Any]) -> tuple[str, str, str]:
    return (sms["sender"], sms["recipient"], sms["text"])
