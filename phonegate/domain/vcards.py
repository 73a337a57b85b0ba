"""Reads and writes vCards: 2.1 of old phones, 3.0 (RFC 2426) and 4.0 (RFC 6350). Pure.

Only names and numbers are read. What phones write is often not what the standards say, so
whatever has both is taken: bare types, quoted-printable of any version, cards without an end.
Version 3.0 is written, which every phone reads: iPhones and old Androids leave out parts of 4.0.
"""

import quopri
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

import attrs

from phonegate.domain.charsets import decoded
from phonegate.domain.line_problems import LineProblem
from phonegate.model.contacts import Contact

MAX_CARDS: Final = 20_000

TOO_MANY: Final = f"The file has more than {MAX_CARDS} contacts: divide it into several."
NO_CARDS: Final = "There is no vCard in the file: each begins with BEGIN:VCARD."

_LINE: Final = re.compile(
    r"(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)"  # a group, then the name of the property
    r'((?:;(?:[^":;]|"[^"]*")*)*)'
    r":(.*)",
    re.DOTALL,
)
_PARAMETERS: Final = re.compile(r';((?:[^";]|"[^"]*")*)')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PRINTABLE: Final = re.compile(r"[;=]QUOTED-PRINTABLE\s*[;:]", re.IGNORECASE)

_NAMING: Final = ("FN", "N", "ORG", "NICKNAME", "EMAIL")
"""The properties that may name a card, the best first."""

_READ: Final = frozenset({"BEGIN", "END", "TEL", *_NAMING})

_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cell": "mobile",
        "iphone": "mobile",
        "car": "car",
        "home": "home",
        "work": "work",
        "main": "main",
        "pager": "pager",
        "fax": "fax",
    }
)
"""How numbers of a type are labelled. The first that a number has counts."""

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"mobile": "CELL", "home": "HOME", "work": "WORK", "main": "MAIN", "car": "CAR"}
)

_LONGEST: Final = 10_000
"""Characters of a line that is read. No name or number needs them, and to take one of megabytes
apart would hold up the gateway for seconds: that is a picture, or is meant to."""

_FOLD_BYTES: Final = 75
"""Most bytes of a line (RFC 6350, 3.2)."""


@attrs.frozen(kw_only=True)
class Read:
    """A number of a card, as the card has it."""

    line: int
    name: str = attrs.field(repr=False)
    number: str = attrs.field(repr=False)
    label: str = ""


@attrs.frozen(kw_only=True)
class ReadCards:
    """What vCards hold."""

    numbers: tuple[Read, ...] = ()
    cards: int = 0
    problems: tuple[LineProblem, ...] = ()


@attrs.define
class _Card:
    """A card as far as it is read."""

    line: int
    names: dict[str, str] = attrs.field(factory=dict)
    numbers: list[tuple[int, str, str]] = attrs.field(factory=list)
    """The line of each, its number and its label."""


def is_vcard(text: str) -> bool:
    """Tells whether a text is meant to be vCards."""
    return re.match(r"\ufeff?\s*BEGIN\s*:\s*VCARD", text, re.IGNORECASE) is not None


def read_vcards(text: str) -> ReadCards:
    """Reads the names and numbers of all cards of a text."""
    reader = _Reader()
    for line, content in _unfolded(text):
        if len(content) > _LONGEST:
            continue
        matched = _LINE.fullmatch(content)
        if matched is not None and (name := matched[1].upper()) in _READ:
            reader.take(line, name, matched[2], matched[3])
            if reader.cards > MAX_CARDS:
                return ReadCards(problems=(LineProblem(line, TOO_MANY),))
    return reader.finish()


class _Reader:
    """Gathers what the properties of cards hold, one after the other."""

    def __init__(self) -> None:
        self.cards = 0
        self._card: _Card | None = None
        self._found: list[Read] = []
        self._problems: list[LineProblem] = []

    def take(self, line: int, name: str, parameters: str, value: str) -> None:
        """Takes a property at its line."""
        if name in {"BEGIN", "END"}:
            if value.strip().upper() != "VCARD":
                return
            # A card that begins within another is an AGENT (2.1), or the other has no end.
            self._close()
            if name == "BEGIN":
                self._card = _Card(line)
                self.cards += 1
        elif self._card is not None:
            _note(self._card, line, name, parameters, value)

    def finish(self) -> ReadCards:
        """Returns what was found."""
        if self._card is not None:
            text = "the card has no END:VCARD, and was read as it is"
            self._problems.append(LineProblem(self._card.line, text))
            self._close()
        if not self.cards:
            self._problems.append(LineProblem(0, NO_CARDS))
        return ReadCards(
            numbers=tuple(self._found), cards=self.cards, problems=tuple(self._problems)
        )

    def _close(self) -> None:
        card, self._card = self._card, None
        if card is None or not card.numbers:
            return
        name = next((card.names[one] for one in _NAMING if one in card.names), "")
        if not name:
            self._problems.append(LineProblem(card.line, "the card has a number and no name"))
            return
        self._found.extend(
            Read(line=line, name=name, number=number, label=label)
            for line, number, label in card.numbers
        )


def _note(card: _Card, line: int, name: str, written: str, value: str) -> None:
    """Adds a property to its card."""
    parameters = [one.strip() for one in _PARAMETERS.findall(written)]
    value = _plain(value, parameters)
    if name == "TEL":
        number = _unescaped(value).strip()
        if number:
            card.numbers.append((line, number, _label(parameters)))
        return
    if name == "N":
        family, given, middle, before, after = ([*_split(value), "", "", "", "", ""])[:5]
        text = " ".join(part for part in (before, given, middle, family, after) if part)
    elif name == "ORG":
        text = _split(value)[0]
    else:
        text = _unescaped(value)
    if text.strip():
        card.names.setdefault(name, text.strip())


def _plain(value: str, parameters: Sequence[str]) -> str:
    """Undoes the encoding of a value, which versions before 4.0 may have."""
    upper = [one.upper() for one in parameters]
    if not any(one.rpartition("=")[2] == "QUOTED-PRINTABLE" for one in upper):
        return value
    charset = next((one[8:].strip('"') for one in upper if one.startswith("CHARSET=")), "UTF-8")
    data = quopri.decodestring(value.encode("utf-8", "replace"))
    text = decoded(data, charset)
    return data.decode("cp1252", "replace") if text is None else text


def _label(parameters: Sequence[str]) -> str:
    types: list[str] = []
    for one in parameters:
        name, sign, value = one.partition("=")
        if not sign:
            types.append(name.lower())
        elif name.upper() == "TYPE":
            types += [word.strip().lower() for word in value.replace('"', "").split(",")]
    return next((label for word, label in _LABELS.items() if word in types), "")


def _split(value: str) -> list[str]:
    """Splits a value at those semicolons that are not escaped."""
    parts = re.split(r"(?<!\\);", value)
    return [_unescaped(part).strip() for part in parts]


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value)


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yields whole lines, each with the number of the line where it begins."""
    begin, parts = 0, list[str]()
    printable = False
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
        if printable and parts and parts[-1].endswith("="):
            # Quoted-printable goes on in the next line without a space (RFC 2045, 6.7).
            parts[-1] = parts[-1][:-1]
            parts.append(line)
            continue
        if line[:1] in {" ", "\t"} and parts:
            parts.append(line[1:])
            continue
        if parts:
            yield begin, "".join(parts)
        begin, parts = number, [line]
        printable = _QUOTED_PRINTABLE.search(line) is not None
    if parts:
        yield begin, "".join(parts)


# -- writing


def write_vcards(contacts: Iterable[Contact]) -> str:
    """Writes contacts as cards of version 3.0. Those of one name that follow are one card."""
    lines: list[str] = []
    for name, some in groupby(contacts, key=lambda one: one.name):
        lines += ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_escaped(name)}", f"N:;{_escaped(name)};;;"]
        for one in some:
            kind = _TYPES.get(one.label)
            lines.append(f"TEL{f';TYPE={kind}' if kind else ''}:{one.number}")
        lines.append("END:VCARD")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _escaped(text: str) -> str:
    text = re.sub(r"[\r\n\x85\u2028\u2029]+", " ", text)
    return re.sub(r"([\\,;])", r"\\\1", text)


def _folded(line: str) -> str:
    """Breaks a long line, never within a character."""
    if len(line) * 4 <= _FOLD_BYTES or len(line.encode("utf-8", "replace")) <= _FOLD_BYTES:
        return line
    parts, size = [""], 0
    for char in line:
        length = len(char.encode("utf-8", "replace"))
        if size + length > _FOLD_BYTES:
            parts.append(" ")
            size = 1
        parts[-1] += char
        size += length
    return "\r\n".join(parts)
