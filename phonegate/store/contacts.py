"""Contacts: names for numbers, by org."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from phonegate.model.contacts import Contact, sorting
from phonegate.store.address_patterns import condition

AT_ONCE: Final = 500
"""Numbers that one statement looks up. SQLite takes 32,766 parameters, with others among them."""

_PUT: Final = (
    "INSERT INTO contacts (org, number, name, label, sorting) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (org, number) DO UPDATE SET"
    " name = excluded.name, label = excluded.label, sorting = excluded.sorting"
)


class Contacts:
    """The rows of `contacts`. Lists of patterns are as `KeyLimits` has them, and empty for all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, org: int, contacts: Iterable[Contact]) -> None:
        """Stores contacts, in place of those that their numbers have."""
        self._connection.executemany(
            _PUT, [(org, c.number, c.name, c.label, sorting(c.name)) for c in contacts]
        )

    def remove(self, org: int, number: str) -> bool:
        """Removes the contact of a number. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM contacts WHERE org = ? AND number = ?", (org, number)
        )
        return cursor.rowcount == 1

    def clear(self, org: int) -> int:
        """Removes all contacts of an org. Returns how many there were."""
        return self._connection.execute("DELETE FROM contacts WHERE org = ?", (org,)).rowcount

    def of_numbers(self, org: int, numbers: Sequence[str]) -> dict[str, Contact]:
        """Returns the contacts of those numbers that have one."""
        found: dict[str, Contact] = {}
        for start in range(0, len(numbers), AT_ONCE):
            some = numbers[start : start + AT_ONCE]
            rows = self._connection.execute(
                "SELECT number, name, label FROM contacts WHERE org = ?"  # noqa: S608 - marks
                f" AND number IN ({', '.join('?' * len(some))})",
                (org, *some),
            )
            found |= {row[0]: _contact(row) for row in rows}
        return found

    def named(self, org: int, name: str) -> list[Contact]:
        """Returns the contacts of a name, whatever its case and accents, by number."""
        rows = self._connection.execute(
            "SELECT number, name, label FROM contacts WHERE org = ? AND sorting = ?"
            " ORDER BY number LIMIT 100",
            (org, sorting(name)),
        )
        return [_contact(row) for row in rows]

    def page(
        self,
        org: int,
        *,
        limit: int,
        search: str = "",
        after: tuple[str, str] = ("", ""),
        patterns: Sequence[str] = (),
    ) -> list[Contact]:
        """Returns contacts by name.

        Args:
            org: Whose contacts.
            limit: At most so many.
            search: Only those whose name or number has this in it.
            after: The sorted name and the number behind which the page begins.
            patterns: Only numbers that fit one of these.
        """
        rows = self._connection.execute(
            "SELECT number, name, label FROM contacts WHERE org = :org"  # noqa: S608 - constants
            " AND (sorting, number) > (:sorting, :number)"
            f" AND {_narrowed(search, patterns)} ORDER BY sorting, number LIMIT :limit",
            _parameters(org, search, patterns)
            | {"sorting": after[0], "number": after[1], "limit": limit},
        )
        return [_contact(row) for row in rows]

    def count(self, org: int, *, search: str = "", patterns: Sequence[str] = ()) -> int:
        """Counts what `page` returns in all."""
        row = self._connection.execute(
            "SELECT count(*) FROM contacts WHERE org = :org"  # noqa: S608 - constants
            f" AND {_narrowed(search, patterns)}",
            _parameters(org, search, patterns),
        ).fetchone()
        return int(row[0])


def _narrowed(search: str, patterns: Sequence[str]) -> str:
    conditions = []
    if search:
        digits = " OR instr(number, :digits)" if _digits(search) else ""
        conditions.append(f"(instr(sorting, :search){digits})")
    if patterns:
        conditions.append(condition("number", len(patterns)))
    return " AND ".join(conditions) or "1"


def _parameters(org: int, search: str, patterns: Sequence[str]) -> dict[str, int | str]:
    seen = {f"seen{at}": pattern for at, pattern in enumerate(patterns)}
    return {"org": org, "search": sorting(search), "digits": _digits(search), **seen}


def _digits(search: str) -> str:
    """Returns the digits of a search, where it may be a part of a number."""
    bare = "".join(c for c in search if c not in " ()-./")
    return bare if bare.removeprefix("+").isdecimal() and bare.isascii() else ""


def _contact(row: tuple[str, str, str]) -> Contact:
    return Contact(number=row[0], name=row[1], label=row[2])
