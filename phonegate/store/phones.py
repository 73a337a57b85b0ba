"""Phones that have connected, and the SIMs that they reported."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from phonegate.model.phones import Phone, Sim
from phonegate.model.storage_errors import TooMany

_PHONE = "id, org, device_id, name, model, app, first_seen, last_seen, numbered, acks"
_SIM = "slot, number, carrier, phone"

NAMED: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NOT NULL"
UNKNOWN: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NULL AND numbered = 0"
NUMBERED: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NULL AND numbered = 1"
OTHER_SIMS: Final = "SELECT count(*) FROM sims WHERE org = ? AND phone <> ?"


class Phones:
    """The rows of `phones` and `sims`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def connect(
        self,
        org: int,
        device_id: str | None,
        now: int,
        *,
        phone: int | None = None,
        most: int = 0,
    ) -> Phone:
        """Returns the row of a phone that has just connected, new if need be.

        With a *device_id* it is the row of that device; *phone* may then name the row that the
        phone had before it sent its id, which becomes the device's unless that has one.
        Without, it is the row *phone*, if that is an unnamed phone of this org, else a new one.

        Raises:
            TooMany: The row would be one more than *most* of the org's phones that have sent an
                id, or of those that have sent neither an id nor a number. 0 is any number.
        """
        row = None
        if device_id is not None:
            row = self._update(
                "UPDATE phones SET last_seen = ? WHERE org = ? AND device_id = ?",
                (now, org, device_id),
            )
            if row is None:
                self._require_room(NAMED, org, most)
        if row is None and phone is not None:
            row = self._update(
                "UPDATE phones SET last_seen = ?, device_id = ?"
                " WHERE id = ? AND org = ? AND device_id IS NULL",
                (now, device_id, phone, org),
            )
        if row is None:
            if device_id is None:
                self._require_room(UNKNOWN, org, most)
            row = self._update(
                "INSERT INTO phones (org, device_id, first_seen, last_seen) VALUES (?, ?, ?, ?)",
                (org, device_id, now, now),
            )
        assert row is not None, "an INSERT gives its row or raises"  # noqa: S101
        return _phone(row)

    def get(self, phone: int) -> Phone | None:
        """Returns the phone of this id."""
        row = self._connection.execute(
            f"SELECT {_PHONE} FROM phones WHERE id = ?",  # noqa: S608 - a constant
            (phone,),
        ).fetchone()
        return None if row is None else _phone(row)

    def has_device(self, org: int, device_id: str | None) -> bool:
        """Tells whether a device of this name has connected before."""
        found = self._connection.execute(
            "SELECT 1 FROM phones WHERE org = ? AND device_id = ?", (org, device_id)
        )
        return found.fetchone() is not None

    def has_known(self, org: int) -> bool:
        """Tells whether any phone of the org has ever sent an id or a number."""
        found = self._connection.execute(
            "SELECT 1 FROM phones WHERE org = ? AND (device_id IS NOT NULL OR numbered = 1)",
            (org,),
        )
        return found.fetchone() is not None

    def anonymous(self, org: int) -> list[Phone]:
        """Returns the org's phones that never sent a device id, the one seen last first."""
        rows = self._connection.execute(
            f"SELECT {_PHONE} FROM phones"  # noqa: S608
            " WHERE org = ? AND device_id IS NULL ORDER BY last_seen DESC, id DESC",
            (org,),
        )
        return [_phone(row) for row in rows]

    def describe(
        self,
        phone: int,
        *,
        name: str | None = None,
        model: str | None = None,
        app: str | None = None,
        acks: bool | None = None,
        now: int,
    ) -> None:
        """Stores what a phone says of itself. What it leaves out stays as it was."""
        self._connection.execute(
            "UPDATE phones SET name = coalesce(?, name), model = coalesce(?, model),"
            " app = coalesce(?, app), acks = coalesce(?, acks), last_seen = ? WHERE id = ?",
            (name, model, app, acks, now, phone),
        )

    def seen(self, phone: int, now: int) -> None:
        """Notes that the phone was there just now."""
        self._connection.execute("UPDATE phones SET last_seen = ? WHERE id = ?", (now, phone))

    def report_sims(
        self, org: int, phone: int, sims: Sequence[Sim], now: int, *, most: int = 0
    ) -> None:
        """Puts *sims* in place of all that the phone reported before.

        A number, however it is written, belongs to one phone of an org: the one that reported
        it last. Of two entries for one slot the last counts.

        Raises:
            TooMany: The org's phones would have more than *most* together, or so many phones
                would be known by their numbers alone. 0 is any number.
        """
        slots = {sim.slot: attrs.evolve(sim, phone=phone) for sim in sims}
        self.seen(phone, now)
        # Phones report at each reconnect, nearly always the same.
        if [slots[slot] for slot in sorted(slots)] == self.sims_of(phone):
            return
        if most:
            (others,) = self._connection.execute(OTHER_SIMS, (org, phone)).fetchone()
            # A number that another phone had is that phone's no more.
            forms = {sim.form for sim in slots.values() if sim.form is not None}
            others -= sum(sim.phone != phone for sim in self.holding(org, forms))
            if others + len(slots) > most:
                raise TooMany(most)
            if any(sim.number is not None for sim in slots.values()) and self._is_unknown(phone):
                self._require_room(NUMBERED, org, most)
        self._connection.execute("DELETE FROM sims WHERE phone = ?", (phone,))
        for sim in slots.values():
            if sim.form is not None:
                self._connection.execute(
                    "DELETE FROM sims WHERE org = ? AND form = ? AND phone <> ?",
                    (org, sim.form, phone),
                )
            self._connection.execute(
                "INSERT INTO sims (phone, slot, org, number, form, carrier)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (phone, sim.slot, org, sim.number, sim.form, sim.carrier),
            )
        if any(sim.number is not None for sim in slots.values()):
            self._connection.execute("UPDATE phones SET numbered = 1 WHERE id = ?", (phone,))

    def forget(self, org: int, phone: int) -> None:
        """Removes an unnamed phone that had numbers and has no SIM left, if no message waits."""
        self._connection.execute(
            "DELETE FROM phones WHERE id = ? AND org = ? AND device_id IS NULL AND numbered = 1"
            " AND NOT EXISTS (SELECT 1 FROM sims WHERE phone = phones.id)"
            " AND NOT EXISTS (SELECT 1 FROM messages"
            " WHERE phone = phones.id AND status = 'sending')"
            " AND NOT EXISTS (SELECT 1 FROM messages"
            " WHERE org = phones.org AND status = 'queued' AND phone = phones.id)",
            (phone, org),
        )

    def known_sims(self, org: int) -> list[Sim]:
        """Returns every SIM of the org's phones, online or not, by phone and slot."""
        rows = self._connection.execute(
            f"SELECT {_SIM} FROM sims WHERE org = ? ORDER BY phone, slot",  # noqa: S608
            (org,),
        )
        return [_sim(row) for row in rows]

    def sims_of(self, phone: int) -> list[Sim]:
        """Returns the SIMs of one phone, by slot."""
        rows = self._connection.execute(
            f"SELECT {_SIM} FROM sims WHERE phone = ? ORDER BY slot",  # noqa: S608
            (phone,),
        )
        return [_sim(row) for row in rows]

    def holding(self, org: int, forms: Iterable[str]) -> list[Sim]:
        """Returns the org's SIMs of these numbers, each given in the form that is compared."""
        return [
            _sim(row)
            for form in forms
            for row in self._connection.execute(
                f"SELECT {_SIM} FROM sims WHERE org = ? AND form = ? ORDER BY phone, slot",  # noqa: S608
                (org, form),
            )
        ]

    def _is_unknown(self, phone: int) -> bool:
        """Tells whether a phone has sent neither an id nor a number so far."""
        row = self.get(phone)
        return row is not None and row.device_id is None and not row.numbered

    def _require_room(self, counted: str, org: int, most: int) -> None:
        if most:
            (count,) = self._connection.execute(counted, (org,)).fetchone()
            if count >= most:
                raise TooMany(most)

    def _update(self, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        rows = self._connection.execute(f"{sql} RETURNING {_PHONE}", values).fetchall()
        return rows[0] if rows else None


def _phone(row: tuple[Any, ...]) -> Phone:
    return Phone(
        id=row[0],
        org=row[1],
        device_id=row[2],
        name=row[3],
        model=row[4],
        app=row[5],
        first_seen=row[6],
        last_seen=row[7],
        numbered=bool(row[8]),
        acks=bool(row[9]),
    )


def _sim(row: tuple[Any, ...]) -> Sim:
    return Sim(slot=row[0], number=row[1], carrier=row[2], phone=row[3])
