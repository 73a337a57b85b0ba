"""Reads contacts from a file, vCard or CSV, of whichever phone or program. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from phonegate.domain import vcards, written_tables
from phonegate.domain.contacts import tidy
from phonegate.domain.line_problems import LineProblem
from phonegate.domain.recipients import read_recipient
from phonegate.domain.vcards import Read
from phonegate.model.contacts import MAX_LABEL, MAX_NAME, Contact

EMPTY: Final = "The file is empty."
NO_NUMBERS: Final = (
    "No column of the table has numbers. It needs one that is called number or phone, "
    "and one that is called name."
)
NO_NAMES: Final = "No column of the table has names. Call the one that has them name."

_NAME: Final = re.compile(
    r"name|full name|display name|contact( name)?|file as|nom|nombre|nome|naam", re.IGNORECASE
)
_GIVEN: Final = re.compile(r"(first|given) ?name|vorname|prénom", re.IGNORECASE)
_FAMILY: Final = re.compile(
    r"(last|family) ?name|surname|nachname|familienname|nom de famille", re.IGNORECASE
)
_ORGANIZATION: Final = re.compile(
    r"(organi[sz]ation|company)( ?1? ?-? ?name)?|firma", re.IGNORECASE
)
_LABEL: Final = re.compile(r"label|kind|type", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class ReadContacts:
    """What a file of contacts holds, ready to be stored."""

    contacts: tuple[Contact, ...] = ()
    """Each number once."""
    duplicates: tuple[LineProblem, ...] = ()
    """Numbers that came again with another name, which is not taken."""
    problems: tuple[LineProblem, ...] = ()
    """Lines that were not taken."""


def read_file(data: bytes, country: str | None = None) -> ReadContacts:
    """Reads contacts from a file.

    Args:
        data: The file.
        country: The country of numbers that have none, in two letters, or None.
    """
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        return ReadContacts(problems=(LineProblem(0, EMPTY),))
    text = written_tables.decoded(data)
    if isinstance(text, LineProblem):
        return ReadContacts(problems=(text,))
    return read_text(text, country)


def read_text(text: str, country: str | None = None) -> ReadContacts:
    """Reads contacts from the text of a file."""
    if vcards.is_vcard(text):
        cards = vcards.read_vcards(text)
        return _taken(cards.numbers, cards.problems, country)
    table = written_tables.read_table(text)
    if table.problems:
        return ReadContacts(problems=table.problems)
    if not table.rows and not table.has_header:
        return ReadContacts(problems=(LineProblem(0, EMPTY),))
    if not table.number_columns:
        return ReadContacts(problems=(LineProblem(0, NO_NUMBERS),))
    columns = _Columns.of(table)
    if not columns.names:
        return ReadContacts(problems=(LineProblem(0, NO_NAMES),))
    return _taken(list(_of_rows(table, columns)), (), country)


@attrs.frozen(kw_only=True)
class _Columns:
    """Which columns of a table hold what."""

    names: tuple[tuple[int, ...], ...]
    """Columns that together are a name, the best first."""
    label: int | None

    @classmethod
    def of(cls, table: written_tables.WrittenTable) -> "_Columns":
        used = set(table.number_columns)

        def at(pattern: re.Pattern[str]) -> tuple[int, ...]:
            return tuple(
                i
                for i, name in enumerate(table.names)
                if i not in used and pattern.fullmatch(name.strip())
            )

        given, family = at(_GIVEN), at(_FAMILY)
        both = (*given[:1], *family[:1])
        names = [*_each(at(_NAME)), *([both] if both else []), *_each(at(_ORGANIZATION))]
        if not names and not table.has_header:
            names = _each([i for i in range(len(table.names)) if i not in used][:1])
        labels = at(_LABEL)
        return cls(names=tuple(names), label=labels[0] if labels else None)


def _each(columns: Sequence[int]) -> list[tuple[int, ...]]:
    return [(one,) for one in columns]


def _of_rows(table: written_tables.WrittenTable, columns: _Columns) -> Iterator[Read]:
    for row in table.rows:
        names = (" ".join(filter(None, map(row.cell, some))) for some in columns.names)
        name = next(filter(None, names), "")
        label = "" if columns.label is None else row.cell(columns.label)
        numbers = [row.cell(at) for at in table.number_columns]
        # Google writes several numbers into one cell.
        split = [one.strip() for cell in numbers for one in cell.split(":::") if one.strip()]
        if not split and name:
            yield Read(line=row.line, name=name, number="", label=label)
        for number in split:
            yield Read(line=row.line, name=name, number=number, label=label)


def _taken(
    read: Sequence[Read], problems: Sequence[LineProblem], country: str | None
) -> ReadContacts:
    """Checks what was read, and takes each number once."""
    found: dict[str, tuple[int, Contact]] = {}
    wrong, again = list(problems), list[LineProblem]()
    for one in read:
        recipient = read_recipient(one.number, country)
        number, name = recipient.number, tidy(one.name)[:MAX_NAME]
        if recipient.problem is not None:
            wrong.append(LineProblem(one.line, f"can't be sent to: {recipient.problem}"))
        elif not name:
            wrong.append(LineProblem(one.line, "has a number and no name"))
        elif number in found:
            line, first = found[number]
            if first.name != name:
                text = (
                    f"has the number of line {line} with another name; that of line {line} counts"
                )
                again.append(LineProblem(one.line, text))
        else:
            label = tidy(one.label)[:MAX_LABEL]
            found[number] = (one.line, Contact(number=number, name=name, label=label))
    return ReadContacts(
        contacts=tuple(contact for _, contact in found.values()),
        duplicates=tuple(again),
        problems=tuple(sorted(wrong, key=lambda one: one.line)),
    )
