"""Phones that have connected, and the SIMs that they reported or their owner gave a number."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import attrs

from phonegate.model.phones import Health, Kind, Phone, Sim, number_form
from phonegate.model.storage_errors import TooMany

_PHONE: Final = (
    "id, org, device_id, kind, name, given_name, model, app, first_seen, last_seen, numbered, acks,"
    " window, battery, charging, signal, network, health_at, hint, key"
)
_SIM: Final = "slot, number, carrier, phone, given"

NAMED: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NOT NULL"
UNKNOWN: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NULL AND numbered = 0"
NUMBERED: Final = "SELECT count(*) FROM phones WHERE org = ? AND device_id IS NULL AND numbered = 1"
OTHER_SIMS: Final = "SELECT count(*) FROM sims WHERE org = ? AND phone <> ?"


class Unnamed(NamedTuple):
    """A phone that never sent a device id: an org may have thousands, and each asks for all."""

    id: int
    numbered: int
    """Whether it ever sent a number."""


class ReplacedSims(NamedTuple):
    """What a phone's report of its SIMs has changed."""

    before: list[Sim]
    """What was known of them before, by slot."""
    after: list[Sim]
    """What is known of them now, by slot. Nothing, if the phone has been removed."""
    losers: frozenset[int]
    """The other phones that had one of the reported numbers until now."""


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

    def of_org(self, org: int) -> list[Phone]:
        """Returns all phones of an org, those that came first before the others."""
        rows = self._connection.execute(
            f"SELECT {_PHONE} FROM phones WHERE org = ? ORDER BY id",  # noqa: S608
            (org,),
        )
        return [_phone(row) for row in rows]

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

    def unnamed(self, org: int) -> list[Unnamed]:
        """Returns the org's phones that never sent a device id, the one seen last first."""
        rows = self._connection.execute(
            "SELECT id, numbered FROM phones"
            " WHERE org = ? AND device_id IS NULL ORDER BY last_seen DESC, id DESC",
            (org,),
        )
        return list(map(Unnamed._make, rows))

    def describe(
        self,
        phone: int,
        *,
        name: str | None = None,
        model: str | None = None,
        app: str | None = None,
        acks: bool | None = None,
        window: int | None = None,
        now: int,
    ) -> None:
        """Stores what a phone says of itself. What it leaves out stays as it was.

        `window` counts where `acks` is given: then the phone has said what it can do.
        """
        self._connection.execute(
            "UPDATE phones SET name = coalesce(?, name), model = coalesce(?, model),"
            " app = coalesce(?, app), acks = coalesce(?, acks),"
            " window = iif(?, ?, window), last_seen = ? WHERE id = ?",
            (name, model, app, acks, acks is not None, window, now, phone),
        )

    def came_by(self, phone: int, kind: Kind, key: str | None) -> None:
        """Notes by what a phone has connected, and the id of the API key that let it in."""
        self._connection.execute(
            "UPDATE phones SET kind = ?, key = ? WHERE id = ?", (kind, key, phone)
        )

    def note_health(self, phone: int, health: Health, now: int) -> None:
        """Stores how the phone says that it is, in place of what it said before."""
        self._connection.execute(
            "UPDATE phones SET battery = ?, charging = ?, signal = ?, network = ?,"
            " health_at = ?, last_seen = ? WHERE id = ?",
            (health.battery, health.charging, health.signal, health.network, now, now, phone),
        )

    def set_hint(self, phone: int, hint: str | None) -> None:
        """Stores what the phone's owner should do for it. None where there is nothing to do."""
        self._connection.execute("UPDATE phones SET hint = ? WHERE id = ?", (hint, phone))

    def hinted(self, most: int) -> list[tuple[int, str, str]]:
        """Returns some phones whose owner should do something, each with its org's name and that.

        Those that came first are before the others.
        """
        return self._connection.execute(
            "SELECT p.id, o.name, p.hint FROM phones AS p JOIN orgs AS o ON o.id = p.org"
            " WHERE p.hint IS NOT NULL ORDER BY p.id LIMIT ?",
            (most,),
        ).fetchall()

    def give_name(self, phone: int, name: str | None) -> None:
        """Stores what the phone's owner calls it. None goes back to what it calls itself."""
        self._connection.execute("UPDATE phones SET given_name = ? WHERE id = ?", (name, phone))

    def seen(self, phone: int, now: int) -> bool:
        """Notes that the phone was there just now. Returns False if it has been removed."""
        cursor = self._connection.execute(
            "UPDATE phones SET last_seen = ? WHERE id = ?", (now, phone)
        )
        return cursor.rowcount == 1

    def set_online(self, phone: int, online: bool) -> bool:  # noqa: FBT001 - it is what is set
        """Notes whether the phone is connected. Returns whether that is news."""
        cursor = self._connection.execute(
            "UPDATE phones SET online = ? WHERE id = ? AND online <> ?", (online, phone, online)
        )
        return cursor.rowcount == 1

    def is_online(self, phone: int) -> bool:
        """Tells whether the phone was noted as connected."""
        found = self._connection.execute(
            "SELECT 1 FROM phones WHERE id = ? AND online = 1", (phone,)
        )
        return found.fetchone() is not None

    def online(self, limit: int) -> list[int]:
        """Returns phones that were noted as connected, up to *limit*."""
        rows = self._connection.execute(
            "SELECT id FROM phones INDEXED BY phones_online WHERE online = 1 LIMIT ?", (limit,)
        )
        return [row[0] for row in rows]

    def report_sims(
        self, org: int, phone: int, sims: Sequence[Sim], now: int, *, most: int = 0
    ) -> list[Sim]:
        """Puts *sims* in place of all that the phone reported before.

        A number, however it is written, belongs to one phone of an org: the one that reported
        it last. Of two entries for one slot the last counts. A SIM without a number has the one
        that its owner gave to its slot, until a phone reports that number or this one another.

        Returns:
            The SIMs as they are known now, by slot, or none if the phone has been removed.

        Raises:
            TooMany: The org's phones would have more than *most* together, or so many phones
                would be known by their numbers alone. 0 is any number.
        """
        return self.replace_sims(org, phone, sims, now, most=most).after

    def replace_sims(
        self, org: int, phone: int, sims: Sequence[Sim], now: int, *, most: int = 0
    ) -> ReplacedSims:
        """Does as `report_sims`, and also returns what was known before.

        Raises:
            TooMany: As `report_sims`.
        """
        slots, was_given = self._with_given_numbers(phone, sims)
        after = [slots[slot] for slot in sorted(slots)]
        reported = {sim.form for sim in after if sim.form is not None and not sim.given}
        before = self.sims_of(phone)
        others = [sim for sim in self.holding(org, reported) if sim.phone != phone]
        # Phones report at each reconnect, nearly always the same.
        is_new = after != before
        if is_new and most:
            self._require_room_for_sims(
                org, phone, count=len(after), reported=reported, others=others, most=most
            )
        if not self._note_report(phone, now, numbered=bool(reported)):
            return ReplacedSims([], [], frozenset())
        if is_new and before:
            self._connection.execute("DELETE FROM sims WHERE phone = ?", (phone,))
        for sim in after if is_new else ():
            if sim.form in reported:
                self._take_number(
                    org, phone, sim.slot, sim.form, was_given=was_given, is_held=bool(others)
                )
            self._connection.execute(
                "INSERT INTO sims (phone, slot, org, number, form, carrier, given)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (phone, sim.slot, org, sim.number, sim.form, sim.carrier, sim.given),
            )
        losers = frozenset(sim.phone for sim in others if sim.phone is not None)
        return ReplacedSims(before, after, losers)

    def _note_report(self, phone: int, now: int, *, numbered: bool) -> bool:
        """Notes that the phone was there just now. Returns False if it has been removed."""
        cursor = self._connection.execute(
            "UPDATE phones SET last_seen = ?, numbered = max(numbered, ?) WHERE id = ?",
            (now, numbered, phone),
        )
        return cursor.rowcount == 1

    def _require_room_for_sims(
        self,
        org: int,
        phone: int,
        *,
        count: int,
        reported: Collection[str],
        others: Sequence[Sim],
        most: int,
    ) -> None:
        """Raises `TooMany` if the org has no room for so many SIMs, or for a numbered phone."""
        row = self.get(phone)
        if row is None:
            return
        (known,) = self._connection.execute(OTHER_SIMS, (org, phone)).fetchone()
        # A number that another phone had is that phone's no more.
        known -= sum(not sim.given for sim in others)
        if known + count > most:
            raise TooMany(most)
        if reported and row.device_id is None and not row.numbered:
            self._require_room(NUMBERED, org, most)

    def give_number(self, org: int, phone: int, slot: int, number: str | None) -> None:
        """Gives the SIM in a slot a number, as long as its phone reports none. None takes it back.

        Another slot of the org that was given the same number, and has none of its own, loses it.
        """
        self._connection.execute(
            "DELETE FROM sim_numbers WHERE phone = ? AND slot = ?", (phone, slot)
        )
        form = None if number is None else number_form(number)
        if number is not None:
            self._connection.execute(
                "DELETE FROM sim_numbers WHERE org = ? AND form = ?", (org, form)
            )
            self._take_back(org, form)
            self._connection.execute(
                "INSERT INTO sim_numbers (phone, slot, org, number, form) VALUES (?, ?, ?, ?, ?)",
                (phone, slot, org, number, form),
            )
        self._connection.execute(
            "UPDATE sims SET number = ?, form = ?, given = ?"
            " WHERE phone = ? AND slot = ? AND (number IS NULL OR given = 1)",
            (number, form, number is not None, phone, slot),
        )

    def remove(self, org: int, phone: int) -> bool:
        """Removes a phone with its SIMs, whatever waits for it. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM phones WHERE id = ? AND org = ?", (phone, org)
        )
        return cursor.rowcount == 1

    def by_key(self, org: int, key: str) -> list[Phone]:
        """Returns the org's phones that came last by this API key, the one seen last first."""
        rows = self._connection.execute(
            f"SELECT {_PHONE} FROM phones"  # noqa: S608
            " WHERE key = ? AND org = ? ORDER BY last_seen DESC, id DESC",
            (key, org),
        )
        return [_phone(row) for row in rows]

    def follow_key(self, old: int, new: int) -> None:
        """Notes that the phone of one row, which turned out to be another, came by its key."""
        self._connection.execute(
            "UPDATE phones SET key = (SELECT key FROM phones WHERE id = ?) WHERE id = ?", (old, new)
        )
        # No other phone has come by it on the row on which its connection began.
        self._connection.execute("UPDATE phones SET key = NULL WHERE id = ?", (old,))

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

    def _with_given_numbers(self, phone: int, sims: Sequence[Sim]) -> tuple[dict[int, Sim], bool]:
        """Returns the SIMs that a phone reports by slot, with the numbers that their owner gave.

        The second value tells whether there is any of those, in use or not.
        """
        # What an owner said is not what the phone knows, even where it comes back from there.
        slots = {
            sim.slot: attrs.evolve(
                sim, phone=phone, number=None if sim.given else sim.number, given=False
            )
            for sim in sims
        }
        reported = {sim.form for sim in slots.values()}
        given = self._connection.execute(
            "SELECT slot, number, form FROM sim_numbers WHERE phone = ?", (phone,)
        ).fetchall()
        for slot, number, form in given:
            if slot in slots and slots[slot].number is None and form not in reported:
                slots[slot] = attrs.evolve(slots[slot], number=number, given=True)
        return slots, bool(given)

    def _take_number(
        self,
        org: int,
        phone: int,
        slot: int,
        form: str | None,
        *,
        was_given: bool,
        is_held: bool,
    ) -> None:
        """Makes a number that a phone reports for a slot that phone's alone.

        Args:
            org: The org of the phone.
            phone: The phone.
            slot: The slot.
            form: The number, in the form that is compared.
            was_given: The owner of the phone gave numbers to some of its slots.
            is_held: Other phones of the org hold this number, or another that it reports.
        """
        if is_held:
            self._connection.execute(
                "DELETE FROM sims WHERE org = ? AND form = ? AND phone <> ? AND given = 0",
                (org, form, phone),
            )
        if was_given:
            self._connection.execute(
                "DELETE FROM sim_numbers WHERE phone = ? AND slot = ? AND form <> ?",
                (phone, slot, form),
            )
        # A slot that was given the number which its phone now reports may keep it.
        self._connection.execute(
            "DELETE FROM sim_numbers WHERE org = ? AND form = ? AND (phone <> ? OR slot <> ?)",
            (org, form, phone, slot),
        )
        if is_held:
            self._take_back(org, form)

    def _take_back(self, org: int, form: str | None) -> None:
        self._connection.execute(
            "UPDATE sims SET number = NULL, form = NULL, given = 0"
            " WHERE org = ? AND form = ? AND given = 1",
            (org, form),
        )

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
        kind=row[3],
        name=row[4],
        given_name=row[5],
        model=row[6],
        app=row[7],
        first_seen=row[8],
        last_seen=row[9],
        numbered=bool(row[10]),
        acks=bool(row[11]),
        window=row[12],
        health=Health(
            battery=row[13],
            charging=None if row[14] is None else bool(row[14]),
            signal=row[15],
            network=row[16],
        ),
        health_at=row[17],
        hint=row[18],
        key=row[19],
    )


def _sim(row: tuple[Any, ...]) -> Sim:
    return Sim(slot=row[0], number=row[1], carrier=row[2], phone=row[3], given=bool(row[4]))
