"""Enrolments: the apps that may be phones, and what each was given."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import attrs

from phonegate.model.enrolments import Enrolment, SimCard

_ENROLMENT: Final = (
    "e.phone, e.org, e.key, e.app_id, p.device_id, e.token, e.hook, e.signing_key, e.name, e.sims,"
    " e.agent, e.enrolled_at, e.used_at, e.pushed_at, e.streamed_at, e.heard_at, p.first_seen"
)
_FROM: Final = "FROM enrolments AS e JOIN phones AS p ON p.id = e.phone"


class Enrolments:
    """The rows of `enrolments`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, one: Enrolment) -> None:
        """Stores an enrolment, in place of an earlier one of its phone."""
        self._connection.execute(
            "INSERT OR REPLACE INTO enrolments (phone, org, key, app_id, token, hook, signing_key,"
            " name, sims, agent, enrolled_at, used_at, pushed_at, streamed_at, heard_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                one.phone,
                one.org,
                one.key,
                one.app_id,
                one.token,
                one.hook,
                one.signing_key,
                one.name,
                _written(one.sims),
                one.agent,
                one.enrolled_at,
                one.used_at,
                one.pushed_at,
                one.streamed_at,
                one.heard_at,
            ),
        )

    def by_token(self, token: bytes) -> Enrolment | None:
        """Returns the enrolment with a token of this digest."""
        return self._one("e.token = ?", token)

    def by_hook(self, hook: str) -> Enrolment | None:
        """Returns the enrolment of an app that was given this address to call."""
        return self._one("e.hook = ?", hook)

    def of_phone(self, phone: int) -> Enrolment | None:
        """Returns the enrolment of a phone."""
        return self._one("e.phone = ?", phone)

    def named(self, org: int, name: str | None) -> list[Enrolment]:
        """Returns the org's enrolments of apps that call their phone so, the newest first."""
        rows = self._connection.execute(
            f"SELECT {_ENROLMENT} {_FROM} WHERE e.org = ? AND e.name IS ?"
            " ORDER BY e.enrolled_at DESC, e.phone DESC",
            (org, name),
        )
        return [_enrolment(row) for row in rows]

    def note(
        self,
        phone: int,
        *,
        used_at: int | None = None,
        streamed_at: int | None = None,
        heard_at: int | None = None,
        agent: str | None = None,
    ) -> None:
        """Notes times of an enrolment, and what the app calls itself. None stays as it was."""
        self._connection.execute(
            "UPDATE enrolments SET used_at = coalesce(used_at, ?),"
            " streamed_at = coalesce(?, streamed_at), heard_at = coalesce(?, heard_at),"
            " agent = coalesce(?, agent) WHERE phone = ?",
            (used_at, streamed_at, heard_at, agent, phone),
        )

    def report(self, phone: int, *, pushed_at: int | None, sims: Sequence[SimCard]) -> None:
        """Stores what an app says of itself as it starts."""
        self._connection.execute(
            "UPDATE enrolments SET pushed_at = ? WHERE phone = ?", (pushed_at, phone)
        )
        self.show_sims(phone, sims)

    def show_sims(self, phone: int, sims: Sequence[SimCard]) -> None:
        """Stores the SIM cards of a phone, in place of those that it had."""
        self._connection.execute(
            "UPDATE enrolments SET sims = ? WHERE phone = ?", (_written(sims), phone)
        )

    def _one(self, condition: str, value: Any) -> Enrolment | None:
        row = self._connection.execute(
            f"SELECT {_ENROLMENT} {_FROM} WHERE {condition}",
            (value,),
        ).fetchone()
        return None if row is None else _enrolment(row)


def _enrolment(row: tuple[Any, ...]) -> Enrolment:
    return Enrolment(
        phone=row[0],
        org=row[1],
        key=row[2],
        app_id=row[3],
        device_id=row[4],
        token=row[5],
        hook=row[6],
        signing_key=row[7],
        name=row[8],
        sims=_read(row[9]),
        agent=row[10],
        enrolled_at=row[11],
        used_at=row[12],
        pushed_at=row[13],
        streamed_at=row[14],
        heard_at=row[15],
        known_since=row[16],
    )


def _written(sims: Sequence[SimCard]) -> str:
    return json.dumps([attrs.asdict(sim) for sim in sims])


def _read(text: str) -> tuple[SimCard, ...]:
    return tuple(SimCard(**{**kept, "traits": tuple(kept["traits"])}) for kept in json.loads(text))
