"""What one field of a request may hold: strict rules, each with the sentence for who broke it.

A field's type names its rule, `Annotated[int, Whole(1, 1000)]`; `convert` applies it, and the
documents made from the table of endpoints read its limits. Nothing is coerced: `true` is no
number and "5" no integer, because a silent guess about an SMS is a wrong SMS. What has happened
already is read by `domain.reported`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Protocol, get_args, get_origin, runtime_checkable
from urllib.parse import urlsplit

import attrs

from phonegate.domain.routing import parse_sim_selector
from phonegate.model.bounds import (
    MAX_ID,
    MAX_LOCAL_ID,
    MAX_TIME_MS,
    MAX_URL,
    SECONDS_BELOW,
)
from phonegate.model.numbers import (
    SENDER_LIMIT,
    is_e164,
    is_recipient,
    is_sender,
    recipient_fault,
)
from phonegate.model.refusals import BadInput

MAX_SPELLING = 60
"""Characters of a name that may be another spelling of a field's. The longest field has 20."""

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII | re.IGNORECASE
)
_URL = re.compile(r"https?://[^\s/?#\\]+([/?#][^\s\\]*)?", re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,30}")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")


class Wrong(ValueError):
    """A value that its rule refuses; the text reads as a sentence after the field's name.

    `sentence` is the whole of it where a contract has its own words for it.
    """

    def __init__(self, problem: str, sentence: str | None = None) -> None:
        self.sentence = sentence
        super().__init__(problem)


class WrongEntries(Wrong):
    """A list of which no entry can be used. `entries` has the place, field and problem of each."""

    def __init__(self, entries: Sequence[tuple[int, str, str]]) -> None:
        self.entries = tuple(entries)
        super().__init__("holds nothing that can be used")


@runtime_checkable
class Rule(Protocol):
    """What a field may hold."""

    def read(self, value: object) -> Any:
        """The value as handlers get it, from JSON. Raises `Wrong`."""

    def read_text(self, text: str) -> Any:
        """The same from the text of a path or query parameter. Raises `Wrong`."""


@attrs.frozen
class Text:
    """Text of `shortest` to `longest` characters (code points), without NUL or lone surrogates."""

    shortest: int
    longest: int
    blank: bool = True
    """Whether it may consist of nothing but blanks."""
    line: bool = False
    """Whether all of it must be printable, such as a name in a list."""

    def read(self, value: object) -> str:
        """The text itself."""
        if type(value) is not str:
            raise Wrong("must be text")
        if len(value) < self.shortest:
            raise Wrong(
                "must not be empty"
                if self.shortest == 1
                else f"must have at least {self.shortest} characters"
            )
        if len(value) > self.longest:
            raise Wrong(f"has {len(value)} characters, at most {self.longest} are allowed")
        if found := _FORBIDDEN.search(value):
            kind = "a NUL character" if found[0] == "\x00" else "half of a surrogate pair"
            raise Wrong(f"holds {kind} at position {found.start()}")
        if not self.blank and not value.strip():
            raise Wrong("must not be empty")
        if self.line and not value.isprintable():
            raise Wrong(f"must be {self.shortest} to {self.longest} printable characters")
        return value

    def read_text(self, text: str) -> str:
        """The text itself."""
        return self.read(text)


@attrs.frozen
class Whole:
    """A whole number within limits, both of them allowed."""

    least: int
    most: int

    def read(self, value: object) -> int:
        """The number. `true` is none, 1.0 is one by JSON Schema (2020-12 Core, 4.2.1)."""
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise Wrong("must be a whole number")
        if value < self.least:
            raise Wrong(f"must be at least {self.least}")
        if value > self.most:
            raise Wrong(f"must be at most {self.most}")
        return value

    def read_text(self, text: str) -> int:
        """The number, from decimal digits."""
        if not _WHOLE.fullmatch(text):
            raise Wrong("must be a whole number")
        return self.read(int(text))


@attrs.frozen
class Flag:
    """Yes or no."""

    def read(self, value: object) -> bool:
        """The answer; 1 and "yes" are none."""
        if type(value) is not bool:
            raise Wrong("must be true or false")
        return value

    def read_text(self, text: str) -> bool:
        """The answer, from `true` or `false`."""
        if text not in {"true", "false"}:
            raise Wrong("must be true or false")
        return text == "true"


@attrs.frozen
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        """The word."""
        if type(value) is not str or value not in self.words:
            raise Wrong(f"must be one of: {', '.join(self.words)}")
        return value

    def read_text(self, text: str) -> str:
        """The word."""
        return self.read(text)


@attrs.frozen
class Several:
    """A list of `fewest` to `most` items, whose own type says what each may be."""

    fewest: int
    most: int

    def read(self, value: object) -> Any:
        """The list, its items still to be read."""
        if type(value) is not list:
            raise Wrong("must be a list")
        if len(value) < self.fewest:
            raise Wrong(f"must hold at least {self.fewest}")
        if len(value) > self.most:
            raise Wrong(f"holds {len(value)}, at most {self.most} are allowed in one call")
        return value

    def read_text(self, text: str) -> Any:
        """The items of a comma-separated list."""
        return self.read(text.split(","))


@attrs.frozen
class Recipient:
    """Whom an SMS goes to: a number in E.164 form, or a short code."""

    def read(self, value: object) -> str:
        """The number as given."""
        if type(value) is not str:
            raise Wrong('must be text, such as "+15553334444"')
        if not is_recipient(value):
            form = "must be a number like +15553334444 (E.164), or a short code"
            raise Wrong(f"{form}: {recipient_fault(value)}")
        return value

    def read_text(self, text: str) -> str:
        """The number as given."""
        return self.read(_signed(text))


@attrs.frozen
class PhoneNumber:
    """A number in E.164 form, refused in the fixed words of `/sms/send`."""

    field: str

    def read(self, value: object) -> str:
        """The number as given."""
        if type(value) is not str or not is_e164(value):
            form = "Use E.164 format (e.g., +1234567890)"
            fault = recipient_fault(value) if type(value) is str else "it must be text"
            raise Wrong(
                f"has an invalid format. {form}: {fault}", f"Invalid {self.field} format. {form}"
            )
        return value

    def read_text(self, text: str) -> str:
        """The number as given."""
        return self.read(_signed(text))


@attrs.frozen
class WebAddress:
    """An absolute http or https URL, as a carrier or phone can fetch."""

    def read(self, value: object) -> str:
        """The address as given."""
        text = Text(1, MAX_URL).read(value)
        if not _URL.fullmatch(text):
            raise Wrong("must be an http or https URL, such as https://example.com/image.jpg")
        try:
            parts = urlsplit(text)
            right = bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise Wrong("has a host or port that can't be")
        return text

    def read_text(self, text: str) -> str:
        """The address as given."""
        return self.read(text)


@attrs.frozen
class Sender:
    """Whom an SMS came from: a number in any form, a short code or a name."""

    def read(self, value: object) -> str:
        """The sender as given."""
        text = Text(1, SENDER_LIMIT).read(value)
        if not is_sender(text):
            raise Wrong("must be a number or a name, without control characters")
        return text

    def read_text(self, text: str) -> str:
        """The sender as given."""
        return self.read(_signed(text))


@attrs.frozen
class SimSelector:
    """A SIM: its number, or its slot index as an integer or in digits."""

    def read(self, value: object) -> str:
        """The SIM selector as the domain keeps it (see `routing.parse_sim_selector`)."""
        if type(value) is not str and type(value) is not int:
            raise Wrong('must be a SIM\'s number, such as "+15551112222", or a slot index')
        if isinstance(value, str):
            Text(1, 64).read(value)
        try:
            return parse_sim_selector(value)
        except BadInput as error:
            raise Wrong(
                error.problems[0].problem
                if error.problems
                else "must be a SIM's number, such as +15551112222, or a slot index"
            ) from None

    def read_text(self, text: str) -> str:
        """The same, from a query parameter."""
        return self.read(_signed(text))


@attrs.frozen
class Moment:
    """A point in time: ISO 8601 with an offset, or seconds or milliseconds since 1970."""

    def read(self, value: object) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        if type(value) is int:
            if not 0 <= value <= MAX_TIME_MS:
                raise Wrong("is out of range for a time")
            return value * 1000 if value < SECONDS_BELOW else value
        if type(value) is str and _ISO.fullmatch(value):
            try:
                return round(datetime.fromisoformat(value.upper()).timestamp() * 1000)
            except (ValueError, OverflowError):
                raise Wrong("is no date of the calendar") from None
        raise Wrong("must be a time with its offset, YYYY-MM-DDTHH:MM:SSZ, or epoch seconds")

    def read_text(self, text: str) -> int:
        """The same, from a query parameter."""
        return self.read(int(text) if _WHOLE.fullmatch(text) else text)


@attrs.frozen
class LocalId:
    """A phone's own id of a message: text or an integer, kept as text."""

    longest: int = MAX_LOCAL_ID

    def read(self, value: object) -> str:
        """The id as text."""
        if type(value) is int:
            return str(Whole(-MAX_ID, MAX_ID).read(value))
        if type(value) is str:
            return Text(1, self.longest).read(value)
        raise Wrong("must be text or a whole number")

    def read_text(self, text: str) -> str:
        """The id as text."""
        return self.read(text)


@attrs.frozen(kw_only=True)
class Field:
    """One field of a request or parameter of a query, as the documents describe it."""

    name: str
    attribute: str
    """What the type calls it."""
    type: Any
    rule: Rule | None
    required: bool
    default: Any
    description: str
    example: Any
    private: bool
    """Its value never reaches a log."""
    omit: bool
    """It is left out of an answer that has its default."""


def field(
    description: str,
    *,
    default: Any = attrs.NOTHING,
    example: Any = None,
    private: bool = False,
    omit: bool = False,
) -> Any:
    """An attribute of a request or answer type, with what the documents say about it.

    A `private` one reaches no log; one to `omit` is left out of an answer that has its default.
    """
    metadata = {"description": description, "example": example, "private": private, "omit": omit}
    return attrs.field(default=default, metadata=metadata, repr=not private)


def json_name(attribute: str) -> str:
    """What an attribute is called in requests and answers: `from_` is `from` there."""
    return attribute.removesuffix("_")


@cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of a request, query or answer type, in order."""
    return tuple(
        Field(
            name=json_name(a.name),
            attribute=a.name,
            type=a.type,
            rule=rule_of(a.type),
            required=a.default is attrs.NOTHING,
            default=None if a.default is attrs.NOTHING else a.default,
            description=a.metadata.get("description", ""),
            example=a.metadata.get("example"),
            private=a.metadata.get("private", False),
            omit=a.metadata.get("omit", False),
        )
        for a in attrs.fields(cls)
    )


def rule_of(type_: Any) -> Rule | None:
    """The rule in a field's type, also behind `| None`."""
    if get_origin(type_) is Annotated:
        return next((m for m in type_.__metadata__ if isinstance(m, Rule)), None)
    return next((rule for arg in get_args(type_) if (rule := rule_of(arg)) is not None), None)


@cache
def plain_names(names: tuple[str, ...]) -> Mapping[str, str]:
    """Names of fields by what is left of each without case and marks."""
    return {plain(name): name for name in names}


def meant(name: str, known: Mapping[str, str]) -> str | None:
    """The field that a client's own spelling means (`sendAt`, `Send-At`), if it means one."""
    return known.get(plain(name)) if len(name) <= MAX_SPELLING else None


def plain(name: str) -> str:
    """What is left of a name without case, blanks and marks."""
    return "".join(char for char in name.lower() if char.isalnum())


def read_parameters(
    cls: type, given: Mapping[str, Sequence[str]], beside: tuple[str, ...] = ()
) -> tuple[Any, dict[str, str]]:
    """Fills a query type from the parameters of a query.

    Unknown parameters are ignored, but for those that are another spelling of
    a known one, `beside` included: `sinceId`.

    Returns:
        The filled object and no problems, or None and the problem of each wrong parameter.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for known in fields_of(cls):
        texts = given.get(known.name, ())
        if not texts:
            if known.required:
                problems[known.name] = "is required"
            continue
        if len(texts) > 1:
            problems[known.name] = "is given more than once"
            continue
        if known.rule is None:
            raise TypeError(f"{cls.__name__}.{known.name} has no rule")
        try:
            values[known.attribute] = known.rule.read_text(texts[0])
        except Wrong as error:
            problems[known.name] = str(error)
    names = (*(known.name for known in fields_of(cls)), *beside)
    for name in given:
        if name not in names and (near := meant(name, plain_names(names))) is not None:
            problems[name] = f"is no parameter of this address; did you mean {near}?"
    return (None, problems) if problems else (cls(**values), problems)


def _signed(text: str) -> str:
    """A number whose `+` a query turned into a space, as in `?sim=+15551112222`."""
    return "+" + text[1:] if text.startswith(" ") else text
