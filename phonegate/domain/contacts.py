"""The address book of an org: names for numbers, as far as a caller may know them."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import attrs

from phonegate.domain.recipients import read_recipient
from phonegate.model.contacts import MAX_LABEL, MAX_NAME, Contact, sorting
from phonegate.model.phones import number_form
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, Forbidden
from phonegate.store.address_patterns import fits
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST: Final = 20_000
"""Most contacts of an org. A search looks at all of them: some 10 ms."""

SLICE: Final = 1_000
"""Contacts that are stored at once: some 10 ms, for which others wait."""

PAGE: Final = 100
SUGGESTED: Final = 8


@attrs.frozen(kw_only=True)
class ContactsPage:
    """A page of contacts by name."""

    contacts: tuple[Contact, ...]
    total: int
    """How many there are in all, of those that were searched for."""
    following: str | None
    """The number behind which the next page begins. None where this is the last one."""


@attrs.frozen(kw_only=True)
class Imported:
    """What became of contacts that were read from a file."""

    added: int = 0
    changed: int = 0
    same: int = 0


class Contacts:
    """The address books of all orgs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names_of(self, reader: Principal, addresses: Sequence[str]) -> dict[str, str]:
        """Returns the names of those addresses that have one which the reader may know."""
        if not may_read(reader):
            return {}
        return await self._database.read(partial(names_of, reader, addresses))

    async def page(self, reader: Principal, search: str = "", after: str = "") -> ContactsPage:
        """Returns contacts by name.

        Args:
            reader: Who reads.
            search: Only those whose name or number has this in it.
            after: The number behind which the page begins, as `following` has it.

        Raises:
            Forbidden: The reader may know no contacts.
        """
        _require_reader(reader)
        patterns = known_patterns(reader)

        def op(tx: Tables) -> ContactsPage:
            # Where a name stands in the order, that of a number beyond the limits too, tells of it.
            known = bool(after) and may_know(reader, after)
            last = tx.contacts.of_numbers(reader.org, [after]).get(after) if known else None
            begin = ("", "") if last is None else (sorting(last.name), last.number)
            found = tx.contacts.page(
                reader.org, limit=PAGE + 1, search=search, after=begin, patterns=patterns
            )
            return ContactsPage(
                contacts=tuple(found[:PAGE]),
                total=tx.contacts.count(reader.org, search=search, patterns=patterns),
                following=found[PAGE - 1].number if len(found) > PAGE else None,
            )

        return await self._database.read(op)

    async def suggest(self, reader: Principal, search: str) -> list[Contact]:
        """Returns a few contacts for what has been typed so far."""
        if not may_read(reader) or not search.strip():
            return []
        patterns = known_patterns(reader)
        return await self._database.read(
            lambda tx: tx.contacts.page(
                reader.org, limit=SUGGESTED, search=search, patterns=patterns
            )
        )

    async def all(self, reader: Principal) -> list[Contact]:
        """Returns all contacts that the reader may know, by name.

        Raises:
            Forbidden: The reader may know none.
        """
        _require_reader(reader)
        patterns = known_patterns(reader)
        return await self._database.read(
            lambda tx: tx.contacts.page(reader.org, limit=MOST, patterns=patterns)
        )

    async def find(self, reader: Principal, number: str) -> Contact | None:
        """Returns the contact of a number. None where the reader knows of none."""
        found = await self.of_numbers(reader, [number])
        return found.get(number)

    async def of_numbers(self, reader: Principal, numbers: Sequence[str]) -> dict[str, Contact]:
        """Returns the contacts of those numbers that have one which the reader may know."""
        if not may_read(reader):
            return {}
        known = [number for number in numbers if may_know(reader, number)]
        return await self._database.read(lambda tx: tx.contacts.of_numbers(reader.org, known))

    async def of_names(self, reader: Principal, names: Iterable[str]) -> dict[str, list[Contact]]:
        """Returns the contacts of each of these names, by the names as they are given."""
        asked = list(names)
        if not asked or not may_read(reader):
            return {}

        def op(tx: Tables) -> dict[str, list[Contact]]:
            return {
                name: [c for c in tx.contacts.named(reader.org, name) if may_know(reader, c.number)]
                for name in asked
            }

        return await self._database.read(op)

    async def put(
        self,
        owner: Principal,
        contact: Contact,
        *,
        instead_of: str | None = None,
        country: str | None = None,
    ) -> Contact:
        """Stores a contact, in place of the one that its number has.

        Args:
            owner: Who does it.
            contact: The contact. Its number is as a person wrote it.
            instead_of: The number of a contact that is given up for it.
            country: The country of a number that has none, in two letters, or None.

        Returns:
            The contact as it is stored.

        Raises:
            BadInput: A field is wrong.
            Forbidden: The owner may not change contacts.
            Conflict: The org has as many as it may.
        """
        _require_owner(owner)
        cleaned = checked(contact, country)

        def op(tx: Tables) -> None:
            if instead_of is not None and instead_of != cleaned.number:
                tx.contacts.remove(owner.org, instead_of)
            if not tx.contacts.of_numbers(owner.org, [cleaned.number]):
                _require_room(tx, owner.org, 1)
            tx.contacts.put(owner.org, [cleaned])

        await self._database.write(op)
        return cleaned

    async def remove(self, owner: Principal, number: str) -> bool:
        """Removes the contact of a number. Returns whether there was one.

        Raises:
            Forbidden: The owner may not change contacts.
        """
        _require_owner(owner)
        return await self._database.write(lambda tx: tx.contacts.remove(owner.org, number))

    async def clear(self, owner: Principal) -> int:
        """Removes all contacts. Returns how many there were.

        Raises:
            Forbidden: The owner may not change contacts.
        """
        _require_owner(owner)
        return await self._database.write(lambda tx: tx.contacts.clear(owner.org))

    async def take(self, owner: Principal, contacts: Sequence[Contact]) -> Imported:
        """Stores contacts that a file had, in place of those of their numbers.

        They are stored in slices, so that others can write in between. To do it again after
        an error changes nothing twice.

        Raises:
            Forbidden: The owner may not change contacts.
            Conflict: The org would have more than it may.
        """
        _require_owner(owner)

        def look(tx: Tables) -> None:
            before = tx.contacts.of_numbers(owner.org, [one.number for one in contacts])
            _require_room(tx, owner.org, len(contacts) - len(before))

        await self._database.read(look)
        found = Imported()
        for start in range(0, len(contacts), SLICE):
            stored = await self._database.write(
                partial(_take, owner.org, contacts[start : start + SLICE])
            )
            found = Imported(
                added=found.added + stored.added,
                changed=found.changed + stored.changed,
                same=found.same + stored.same,
            )
        return found


def _take(org: int, contacts: Sequence[Contact], tx: Tables) -> Imported:
    before = tx.contacts.of_numbers(org, [one.number for one in contacts])
    new = [one for one in contacts if before.get(one.number) != one]
    added = sum(one.number not in before for one in new)
    _require_room(tx, org, added)
    tx.contacts.put(org, new)
    return Imported(added=added, changed=len(new) - added, same=len(contacts) - len(new))


def checked(contact: Contact, country: str | None) -> Contact:
    """Returns a contact that a person wrote as it is stored.

    Raises:
        BadInput: A field is wrong.
    """
    recipient = read_recipient(contact.number, country)
    name, label = tidy(contact.name), tidy(contact.label)
    problems = []
    if recipient.problem is not None:
        form = "must be a number like +15553334444 or a short code"
        problems.append(FieldProblem("number", f"{form}: {recipient.problem}"))
    if not 1 <= len(name) <= MAX_NAME:
        problems.append(FieldProblem("name", f"must be 1 to {MAX_NAME} characters"))
    if len(label) > MAX_LABEL:
        problems.append(FieldProblem("label", f"must be at most {MAX_LABEL} characters"))
    if problems:
        raise BadInput("; ".join(f"{p.field} {p.problem}" for p in problems) + ".", problems)
    return Contact(number=recipient.number, name=name, label=label)


def tidy(text: str) -> str:
    """Returns a name in one line, without what can't be seen and would turn round its reading."""
    return " ".join("".join(c if c.isprintable() or c == "‍" else " " for c in text).split())


# -- who may know what


def may_read(reader: Principal) -> bool:
    """Tells whether a caller may know contacts at all."""
    return allows(reader.scopes, "read") or allows(reader.scopes, "send")


def may_know(reader: Principal, number: str) -> bool:
    """Tells whether a caller may know the name of a number."""
    return fits(known_patterns(reader), number)


def known_patterns(reader: Principal) -> tuple[str, ...]:
    """Returns which numbers' names a caller may know, as `KeyLimits` has them. Empty: all.

    Those are the numbers that it sees, and those to which it may send. Where only one of the two
    is limited, that one counts: a key that reads one number is no reader of the address book.
    """
    limits = reader.limits
    return () if limits is None else (*limits.sees, *limits.to)


def names_of(reader: Principal, addresses: Sequence[str], tx: Tables) -> dict[str, str]:
    """Reads the names of addresses, which may be written in other ways than contacts are."""
    forms = {one: number_form(one) for one in addresses if may_know(reader, one)}
    found = tx.contacts.of_numbers(reader.org, list({*forms, *forms.values()}))
    return {
        address: contact.name
        for address, form in forms.items()
        if (contact := found.get(address) or found.get(form)) is not None
    }


def _require_reader(reader: Principal) -> None:
    if not may_read(reader):
        raise Forbidden("Your key may neither read nor send, so it has no contacts.")


def _require_owner(owner: Principal) -> None:
    if not allows(owner.scopes, "manage"):
        raise Forbidden("Your key lacks manage, so it can't change contacts.")


def _require_room(tx: Tables, org: int, added: int) -> None:
    if added and tx.contacts.count(org) + added > MOST:
        raise Conflict(f"An org may have {MOST} contacts, and these would be more. Remove some.")
