"""Forms of the console: the body that one stands for, and what was wrong with it. Pure.

A field is named as its place in the body of the API: `limits.quiet_hours.zone`. So what a person
sends becomes that body, and what the API finds wrong in it is shown beside the field.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol

import attrs

from phonegate.api.errors import FieldsRefused
from phonegate.model.refusals import AddressRefused, BadInput, FieldProblem, Refused


class Absent(Enum):
    """What stands for a field of a body that is not there."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

LARGEST: Final = 19
"""Most digits of a number: more than any that the API takes, and few enough to be read at once."""

_DIGITS: Final = re.compile(rf"-?[0-9]{{1,{LARGEST}}}", re.ASCII)
_BETWEEN: Final = re.compile(r"[\r\n,;]+")
_NEWLINE: Final = re.compile(r"\r\n?")
_INDEX: Final = re.compile(r"\[([0-9]{1,9})\]$")

MAX_QUOTED: Final = 40
"""Characters of an entry of a list that a problem quotes."""


class Sent(Protocol):
    """A form as it was sent: werkzeug's `MultiDict`, or what is like it."""

    def getlist(self, key: str, /) -> list[str]:
        """Returns all values of a field, none where it was not sent."""


@attrs.frozen
class FormField(ABC):
    """A field of a form."""

    name: str
    """Its place in the body."""
    label: str = ""
    """What people call it."""

    @abstractmethod
    def read(self, sent: Sequence[str]) -> Any:
        """Returns what stands in the body for what was sent. `ABSENT`: nothing."""

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns what the form holds for a value of the body."""
        return (str(value),)

    def again(self, sent: Sequence[str]) -> tuple[str, ...]:
        """Returns what the form holds when it is shown again."""
        return tuple(sent)

    def entry(self, sent: Sequence[str], index: int) -> str:  # noqa: ARG002 - of lists alone
        """Returns what a problem calls an entry of a list. Empty: there is none."""
        return ""


@attrs.frozen
class Line(FormField):
    """A text of one line, without blanks at its ends."""

    empty: Any = attrs.field(default=ABSENT, kw_only=True)
    """What stands in the body for an empty one."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the text."""
        return _last(sent).strip() or self.empty


@attrs.frozen
class Secret(Line):
    """A credential: it never stands in a page, so that a form which is shown again lacks it."""

    def show(self, value: Any) -> tuple[str, ...]:  # noqa: ARG002 - what it does not show
        """Returns nothing."""
        return ()

    def again(self, sent: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002 - as of `show`
        """Returns nothing."""
        return ()


@attrs.frozen
class Paragraphs(FormField):
    """A text of several lines, such as that of an SMS, with all its blanks."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the text with the line ends that were typed. A form sends CR and LF for each."""
        return _NEWLINE.sub("\n", _last(sent)) or ABSENT


@attrs.frozen
class Number(FormField):
    """A whole number. What is none goes to the API as it is, which says what is wrong with it."""

    empty: Any = attrs.field(default=ABSENT, kw_only=True)
    """What stands in the body for an empty one."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the number."""
        text = _last(sent).strip()
        if not text:
            return self.empty
        return int(text) if _DIGITS.fullmatch(text) else text


@attrs.frozen
class Tick(FormField):
    """A box that is ticked or not."""

    unticked: Any = attrs.field(default=ABSENT, kw_only=True)
    """What stands in the body where it is not."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns true where the box is ticked."""
        return True if _last(sent) else self.unticked

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns a tick where it is true."""
        return ("on",) if value else ()


@attrs.frozen
class Choices(FormField):
    """Some of several boxes."""

    required: bool = attrs.field(default=False, kw_only=True)
    """Whether the body has an empty list where none is ticked, for the API to refuse."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the words of the boxes that are ticked."""
        return list(sent) if sent or self.required else ABSENT

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns the words."""
        return tuple(map(str, value))

    def entry(self, sent: Sequence[str], index: int) -> str:
        """Returns a word."""
        return sent[index] if index < len(sent) else ""


@attrs.frozen
class Items(FormField):
    """A list that is written with line ends, commas or semicolons between its entries."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the entries that are not empty."""
        return items(_last(sent)) or ABSENT

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns each entry on a line of its own."""
        return ("\n".join(map(str, value)),)

    def entry(self, sent: Sequence[str], index: int) -> str:
        """Returns an entry."""
        found = items(_last(sent))
        return found[index] if index < len(found) else ""


@attrs.frozen
class Lines(FormField):
    """A list with each entry on a line of its own, which may hold commas."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the lines that are not empty."""
        return _lines(_last(sent)) or ABSENT

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns each entry on a line of its own."""
        return ("\n".join(map(str, value)),)

    def entry(self, sent: Sequence[str], index: int) -> str:
        """Returns an entry."""
        found = _lines(_last(sent))
        return found[index] if index < len(found) else ""


@attrs.frozen
class Pairs(FormField):
    """Names and values, each pair on a line: `Authorization: Bearer abc`."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns an object.

        Raises:
            BadInput: A line has no colon, or a name stands there twice.
        """
        found: dict[str, str] = {}
        for line in _NEWLINE.sub("\n", _last(sent)).split("\n"):
            if not line.strip():
                continue
            name, colon, value = line.partition(":")
            name = name.strip()
            if not colon:
                raise self._wrong("needs a name, a colon and a value in each line")
            if name.lower() in {one.lower() for one in found}:
                raise self._wrong("has a name twice")
            found[name] = value.strip()
        return found or ABSENT

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns each pair on a line."""
        return ("\n".join(f"{name}: {one}" for name, one in value.items()),)

    def _wrong(self, problem: str) -> BadInput:
        return BadInput(f"{self.label or self.name} {problem}.", [FieldProblem(self.name, problem)])


@attrs.frozen(kw_only=True)
class Problem:
    """What is wrong with a form, beside a field or as a whole."""

    name: str
    """The field, or empty where it is none of this form's."""
    label: str
    sentence: str


@attrs.frozen(kw_only=True)
class Filled:
    """A form as a page shows it: what its fields hold, and what is wrong with them."""

    labels: Mapping[str, str] = attrs.field(factory=dict)
    held: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()

    def value(self, name: str) -> str:
        """Returns what a field holds."""
        return _last(self.held.get(name, ()))

    def has(self, name: str, word: str = "on") -> bool:
        """Tells whether a box is ticked."""
        return word in self.held.get(name, ())

    def label(self, name: str) -> str:
        """Returns what people call a field."""
        return self.labels.get(name, name)

    def problem(self, name: str) -> str:
        """Returns what is wrong with a field, or nothing."""
        return " ".join(one.sentence for one in self.problems if one.name == name)


class Form:
    """The fields of a form.

    Args:
        fields: In the order of the page.
        always: Objects of the body that are there even where nothing is in them.
    """

    def __init__(self, *fields: FormField, always: Sequence[str] = ()) -> None:
        self._fields = {field.name: field for field in fields}
        self._always = tuple(always)
        self._labels = {field.name: field.label or field.name for field in fields}

    def body(self, sent: Sent) -> dict[str, Any]:
        """Returns the body that a form stands for. Other fields that were sent are none of it.

        Raises:
            BadInput: No body can be made of it.
        """
        body: dict[str, Any] = {}
        for place in self._always:
            _put(body, place, {})
        for field in self._fields.values():
            value = field.read(sent.getlist(field.name))
            if value is not ABSENT:
                _put(body, field.name, value)
        return body

    def empty(self, **held: str | tuple[str, ...]) -> Filled:
        """Returns the form for something new, with what some of its fields hold from the start."""
        return self._filled(
            {name: (one,) if isinstance(one, str) else one for name, one in held.items()}
        )

    def of(self, body: Mapping[str, Any]) -> Filled:
        """Returns the form of something that the API has shown."""
        held: dict[str, tuple[str, ...]] = {}
        for name, field in self._fields.items():
            value = _at(body, name)
            if value is not None:
                held[name] = field.show(value)
        return self._filled(held)

    def again(self, sent: Sent, refused: Refused | None = None) -> Filled:
        """Returns a form as it was sent, with what was wrong."""
        given = {name: sent.getlist(name) for name in self._fields}
        held = {name: self._fields[name].again(values) for name, values in given.items()}
        problems = () if refused is None else tuple(self._problems(given, refused))
        return self._filled(held, problems)

    def _filled(
        self, held: Mapping[str, tuple[str, ...]], problems: tuple[Problem, ...] = ()
    ) -> Filled:
        return Filled(labels=self._labels, held=held, problems=problems)

    def _problems(self, given: Mapping[str, Sequence[str]], refused: Refused) -> Iterator[Problem]:
        found = field_problems(refused)
        if not found:
            yield Problem(name="", label="", sentence=refused.detail)
        for one in found:
            name, index, rest = self._find(one.field)
            if name is None:
                yield Problem(name="", label="", sentence=one.sentence or _stop(_said(one)))
                continue
            entry = rest if index is None else self._fields[name].entry(given[name], index)
            problem = f"{quoted(entry)} {one.problem}" if entry else one.problem
            sentence = one.sentence or _stop(_as_sentence(problem))
            yield Problem(name=name, label=self._labels[name], sentence=sentence)

    def _find(self, place: str) -> tuple[str | None, int | None, str]:
        """Finds the field that a place of the body is of: it, an entry's index, a name below it."""
        rest = ""
        at, index = _without_index(place)
        while at:
            if at in self._fields:
                return at, index, rest
            below = next((name for name in self._fields if name.startswith(f"{at}.")), None)
            if below is not None and not rest:
                return below, None, ""
            at, dot, last = at.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
            at, index = (_without_index(at)[0], None) if dot else ("", None)
        return None, None, ""


def field_problems(refused: Refused) -> Sequence[FieldProblem]:
    """Returns the wrong fields that a refusal names."""
    return (
        refused.problems if isinstance(refused, BadInput | AddressRefused | FieldsRefused) else ()
    )


def items(text: str) -> list[str]:
    """Returns the entries of a list as people write one, without empty ones."""
    return [part for one in _BETWEEN.split(text) if (part := one.strip())]


def _lines(text: str) -> list[str]:
    return [line for one in _NEWLINE.sub("\n", text).split("\n") if (line := one.strip())]


def quoted(entry: str) -> str:
    """Returns an entry in quotation marks, not too long for a sentence."""
    return f"“{entry if len(entry) <= MAX_QUOTED else entry[: MAX_QUOTED - 1] + '…'}”"


def _last(sent: Sequence[str]) -> str:
    return sent[-1] if sent else ""


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    *above, last = place.split(".")
    for name in above:
        body = body.setdefault(name, {})
    body[last] = value


def _at(body: Mapping[str, Any], place: str) -> Any:
    value: Any = body
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _without_index(place: str) -> tuple[str, int | None]:
    found = _INDEX.search(place)
    return (place, None) if found is None else (place[: found.start()], int(found[1]))


def _said(problem: FieldProblem) -> str:
    return f"{problem.field} {problem.problem}"


def _as_sentence(problem: str) -> str:
    """Returns what follows the name of a field as a sentence of its own."""
    if problem.startswith(("is ", "has ", "holds ")):
        return f"It {problem}"
    return problem[:1].upper() + problem[1:]


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
