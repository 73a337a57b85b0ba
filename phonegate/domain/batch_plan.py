"""What becomes of a text and a list of recipients: each message as it would leave. Pure.

A person types recipients, or gives a table whose columns are {placeholders} of the text. Whatever
is wrong is said by line, all at once, and nothing of a wrong line is sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from phonegate.domain.line_problems import LineProblem
from phonegate.domain.recipients import read_recipient
from phonegate.domain.segmentation import count
from phonegate.domain.written_tables import read_table
from phonegate.model.bounds import MAX_BODY, MAX_SEGMENTS
from phonegate.model.contacts import Contact

MAX_RECIPIENTS: Final = 10_000
"""Most messages of a batch. At the usual pace one SIM sends 24 segments a minute: seven hours'."""

MAX_TOTAL: Final = MAX_RECIPIENTS * MAX_BODY
"""Most characters of all messages of a batch together: they are in memory while it is sent."""

_PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{([^{}\n|]{1,60})(?:\|([^{}\n]{0,200}))?\}")
_BETWEEN: Final = re.compile(r"[\r\n,;]+")
_NAMED: Final = re.compile(r"(.*?)\s*<([^<>]*)>", re.DOTALL)

NO_TEXT: Final = "Write a text."
NO_RECIPIENTS: Final = "Name at least one recipient: a number, a contact, or a table of them."
BOTH: Final = "Name the recipients, or give a table that has them: not both."
NO_NUMBERS: Final = (
    "No column of the table has numbers to send to. Call the one that has them number."
)


@attrs.frozen(kw_only=True)
class Draft:
    """A batch as a person wrote it."""

    to: str = attrs.field(default="", repr=False)
    """Numbers and names of contacts, with commas or line ends between them."""
    table: str = attrs.field(default="", repr=False)
    """A table of recipients, CSV, instead."""
    text: str = attrs.field(default="", repr=False)
    country: str | None = None
    """The country of numbers that have none, in two letters."""
    copies: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """Recipients and texts of messages to send once more, as they were, instead of all others."""


@attrs.frozen(kw_only=True)
class Recipient:
    """One recipient of a draft, as far as the draft itself says who that is."""

    line: int
    number: str = attrs.field(default="", repr=False)
    """As an SMS is sent to it. Empty where only a name was given."""
    name: str = attrs.field(default="", repr=False)
    values: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """What its row of the table has, by the names of the columns in lower case."""
    problem: str | None = None


@attrs.frozen(kw_only=True)
class Recipients:
    """All recipients of a draft."""

    found: tuple[Recipient, ...] = ()
    columns: tuple[str, ...] = ()
    """The names of the table's columns."""
    problems: tuple[LineProblem, ...] = ()
    """What is wrong with the whole."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that have to be looked up among the contacts, each once."""
        return tuple(dict.fromkeys(one.name for one in self.found if one.name and not one.number))


@attrs.frozen(kw_only=True)
class Planned:
    """A message as it would leave."""

    line: int
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    name: str = attrs.field(default="", repr=False)
    segments: int = 1


@attrs.frozen(kw_only=True)
class Plan:
    """What would be sent of a draft."""

    messages: tuple[Planned, ...] = ()
    """One to each number."""
    repeats: tuple[Planned, ...] = ()
    """More to a number that has one already."""
    problems: tuple[LineProblem, ...] = ()
    """Lines of which nothing is sent."""
    faults: tuple[LineProblem, ...] = ()
    """What keeps all of it from being sent."""

    def chosen(self, *, repeats: bool) -> tuple[Planned, ...]:
        """Returns the messages to send, in the order of their lines."""
        if not repeats or not self.repeats:
            return self.messages
        return tuple(sorted((*self.messages, *self.repeats), key=lambda one: one.line))


def recipients_of(draft: Draft) -> Recipients:
    """Reads the recipients of a draft."""
    if draft.copies:
        copied = (Recipient(line=at, number=to) for at, (to, _) in enumerate(draft.copies, 1))
        return Recipients(found=tuple(copied))
    if draft.to.strip() and draft.table.strip():
        return Recipients(problems=(LineProblem(0, BOTH),))
    if draft.table.strip():
        return _of_table(draft.table, draft.country)
    found = tuple(_typed(draft.to, draft.country))
    if not found:
        return Recipients(problems=(LineProblem(0, NO_RECIPIENTS),))
    if len(found) > MAX_RECIPIENTS:
        return Recipients(problems=(_too_many(len(found)),))
    return Recipients(found=found)


def with_contacts(
    recipients: Recipients, named: Mapping[str, Sequence[Contact]]
) -> tuple[Recipient, ...]:
    """Gives those recipients their numbers of whom only the name was given.

    Args:
        recipients: All of them.
        named: The contacts of each of their `names`.
    """
    return tuple(
        _resolved(one, named.get(one.name, ()))
        if one.name and not one.number and one.problem is None
        else one
        for one in recipients.found
    )


def plan(
    draft: Draft,
    recipients: Sequence[Recipient],
    *,
    columns: Sequence[str] = (),
    contacts: Mapping[str, Contact] | None = None,
    most_characters: int = MAX_BODY,
) -> Plan:
    """Makes the messages of a draft.

    Args:
        draft: What was written.
        recipients: To whom, with their numbers.
        columns: The names of the table's columns.
        contacts: The contacts of the recipients' numbers.
        most_characters: How long a text may be.
    """
    faults = () if draft.copies else tuple(_faults_of_text(draft.text, columns, most_characters))
    messages: list[Planned] = []
    repeats: list[Planned] = []
    problems: list[LineProblem] = []
    seen: set[str] = set()
    for one in recipients:
        if one.problem is not None:
            problems.append(LineProblem(one.line, one.problem))
            continue
        contact = None if contacts is None else contacts.get(one.number)
        name = one.name or ("" if contact is None else contact.name)
        text = literal(draft.copies[one.line - 1][1]) if draft.copies else draft.text
        made = _message(text, one, name, most_characters)
        if isinstance(made, LineProblem):
            problems.append(made)
        elif made.to in seen:
            repeats.append(made)
        else:
            seen.add(made.to)
            messages.append(made)
    total = sum(len(one.body) for one in (*messages, *repeats))
    if total > MAX_TOTAL:
        text = f"The messages have {total} characters together, and {MAX_TOTAL} is the most"
        faults = (*faults, LineProblem(0, f"{text}: divide them."))
    return Plan(
        messages=tuple(messages),
        repeats=tuple(repeats),
        problems=() if faults else tuple(problems),
        faults=faults,
    )


def placeholders(text: str) -> list[str]:
    """Returns the names of a text's placeholders, each once, as they are written."""
    return list(dict.fromkeys(m[1].strip() for m in _PLACEHOLDER.finditer(text) if m[1]))


def literal(text: str) -> str:
    """Returns a text in which nothing is a placeholder."""
    return text.replace("{", "{{").replace("}", "}}")


# -- recipients


def _of_table(text: str, country: str | None) -> Recipients:
    table = read_table(text)
    if table.problems:
        return Recipients(problems=table.problems)
    if not table.rows:
        return Recipients(problems=(LineProblem(0, NO_RECIPIENTS),))
    if len(table.rows) > MAX_RECIPIENTS:
        return Recipients(problems=(_too_many(len(table.rows)),))
    if not table.number_columns:
        return Recipients(columns=table.names, problems=(LineProblem(0, NO_NUMBERS),))
    keys = [name.casefold() for name in table.names]
    found = []
    for row in table.rows:
        values = {key: row.cell(i) for i, key in enumerate(keys)}
        # An address book has several columns of numbers: the first that has one counts.
        at = next((i for i in table.number_columns if row.cell(i)), table.number_columns[0])
        number, problem = _number(row.cell(at), country)
        found.append(
            Recipient(
                line=row.line,
                number=number,
                name=values.get("name", ""),
                values={**values, keys[at]: number},
                problem=problem,
            )
        )
    return Recipients(found=tuple(found), columns=table.names)


def _typed(text: str, country: str | None) -> Iterator[Recipient]:
    """Yields the recipients that were typed. Each is counted as a line of its own."""
    entries = (part for one in _BETWEEN.split(text) if (part := one.strip()))
    for line, entry in enumerate(entries, 1):
        name, written = "", entry
        if (parts := _NAMED.fullmatch(entry)) is not None:
            name, written = parts[1].strip(' "'), parts[2]
        number, problem = _number(written, country)
        if problem is None:
            yield Recipient(line=line, number=number, name=name)
        elif name or not any(char.isalpha() for char in entry):
            yield Recipient(line=line, name=name or entry, problem=problem)
        else:
            yield Recipient(line=line, name=entry)


def _number(written: str, country: str | None) -> tuple[str, str | None]:
    """Returns a number as an SMS is sent to it, and what is wrong with it."""
    found = read_recipient(written, country)
    return found.number, found.problem and f"can't be sent to: {found.problem}"


def _resolved(one: Recipient, contacts: Sequence[Contact]) -> Recipient:
    if len(contacts) == 1:
        return attrs.evolve(one, number=contacts[0].number, name=contacts[0].name)
    if not contacts:
        return attrs.evolve(one, problem=f"{_quoted(one.name)} is no number and no contact")
    numbers = ", ".join(f"{c.number} ({c.label})" if c.label else c.number for c in contacts[:5])
    text = f"{_quoted(one.name)} has {len(contacts)} numbers: write the one you mean, of {numbers}"
    return attrs.evolve(one, problem=text)


def _too_many(found: int) -> LineProblem:
    return LineProblem(
        0, f"These are {found} recipients, and a batch has at most {MAX_RECIPIENTS}: divide them."
    )


# -- texts


def _faults_of_text(text: str, columns: Sequence[str], most: int) -> Iterator[LineProblem]:
    if not text.strip():
        yield LineProblem(0, NO_TEXT)
    elif len(text) > most:
        yield LineProblem(0, f"The text has {len(text)} characters, and {most} is the most.")
    known = [*dict.fromkeys([*(name.casefold() for name in columns), "name", "number"])]
    for name in placeholders(text):
        if name.casefold() not in known:
            yield LineProblem(
                0,
                f"{{{name}}} in the text stands for nothing. There is "
                f"{', '.join(f'{{{one}}}' for one in known[:20])}. For the word itself in braces "
                f"write {{{{{name}}}}}.",
            )


def _message(text: str, recipient: Recipient, name: str, most: int) -> Planned | LineProblem:
    """Fills the placeholders of a text for one recipient. It may have `most` characters."""
    values = {"name": name, "number": recipient.number}
    values |= {key: value for key, value in recipient.values.items() if value or key != "name"}
    empty: list[str] = []

    def fill(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        value = values.get(found[1].strip().casefold(), "") or found[2]
        if not value and found[2] is None:
            empty.append(found[1].strip())
        return value or ""

    body = _PLACEHOLDER.sub(fill, text)
    if empty:
        return LineProblem(recipient.line, f"has nothing for {{{empty[0]}}}")
    if not body.strip():
        return LineProblem(recipient.line, "would be an empty message")
    if len(body) > most:
        return LineProblem(
            recipient.line, f"would have {len(body)} characters, and {most} is the most"
        )
    if (segments := count(body)) > MAX_SEGMENTS:
        return LineProblem(
            recipient.line, f"would take {segments} segments, and {MAX_SEGMENTS} is the most"
        )
    return Planned(
        line=recipient.line, to=recipient.number, body=body, name=name, segments=segments
    )


def _quoted(text: str) -> str:
    return f"“{text[:40]}{'…' if len(text) > 40 else ''}”"  # noqa: PLR2004 - of a long word
