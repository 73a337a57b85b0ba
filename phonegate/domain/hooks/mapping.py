"""What a hook makes of the JSON that a program posts: numbers, and a text for them. Pure.

Everything is bounded, since the JSON comes from outside, and mappings from every org: how large a
mapping is, how much of the JSON it looks at, how many numbers and how long a text come of it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from phonegate.domain.hooks.json_path import TooMuchWork, Work
from phonegate.domain.hooks.template import (
    Condition,
    NothingFound,
    Placeholder,
    Scope,
    Template,
    TemplateProblem,
    parse_condition,
    parse_template,
)
from phonegate.domain.hooks.values import written
from phonegate.domain.segmentation import is_gsm
from phonegate.model.bounds import MAX_CHARACTERS
from phonegate.model.hooks import HookMapping
from phonegate.model.numbers import is_e164, is_recipient, recipient_fault
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.typed_json.rules import NEVER_STORED

MOST_WORK: Final = 50_000
"""Values that a mapping looks at for one call, some 50 ms. A body has 20,000 at most, and a text is
full long before that."""

MAX_ENTRIES: Final = 20
"""Entries of `to`."""

MAX_CONDITIONS: Final = 10
"""Conditions of a mapping."""

MAX_RECIPIENTS: Final = 100
"""Numbers that one call sends to. Whom a program tells of something are a few people."""

MAX_WRITTEN: Final = 1_000
"""Characters of what a path gives for a number, which may be a list with commas."""

MAX_REPEAT_S: Final = 3_600
"""Longest time in which a call with the same body is a repeat. Programs retry for some minutes."""

FIELD_PREFIX: Final = "mapping."
"""Stands before the names of a mapping's fields in errors."""

SHORTEST_TEXT: Final = 10
"""Fewest characters that a text may be cut to: fewer would leave nothing to read."""


@attrs.frozen(kw_only=True)
class Found:
    """What is to be sent."""

    to: tuple[str, ...] = attrs.field(repr=False)
    """The numbers as the program writes them, each once."""
    text: str = attrs.field(repr=False)


@attrs.frozen
class NotWanted:
    """A condition does not hold, so that nothing is to be sent."""

    condition: str

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return f"Its condition does not hold: {self.condition}"


@attrs.frozen(kw_only=True)
class ReadMapping:
    """A mapping that was read, and can be applied."""

    mapping: HookMapping
    to: tuple[str | Placeholder, ...]
    template: Template
    when: tuple[Condition, ...]

    def apply(self, value: object) -> Found | NotWanted:
        """Finds what is to be sent.

        Args:
            value: The JSON that was posted, or a form as an object of texts.

        Raises:
            BadInput: There is no number or no text in it, or it is too large. It names the field of
                the mapping.
        """
        work = Work(MOST_WORK)
        scope = Scope(value, value)
        place = "when"
        try:
            for asked, condition in zip(self.mapping.when, self.when, strict=True):
                if not condition.holds(scope, work):
                    return NotWanted(asked)
            place = "to"
            to = tuple(dict.fromkeys(self._numbers(scope, work)))
            place = "text"
            most = self.mapping.max_characters
            # What is cut away at the ends comes on top.
            text = self.template.render(value, most=2 * most, work=work)
        except NothingFound as nothing:
            raise _wrong(place, f"{nothing} in what was posted") from None
        except TooMuchWork:
            raise _wrong(place, "would look at more values than a mapping may") from None
        if not to:
            raise _wrong("to", "finds no number in what was posted")
        if len(to) > MAX_RECIPIENTS:
            raise _wrong("to", f"finds {len(to)} numbers, at most {MAX_RECIPIENTS} are allowed")
        text = cut(NEVER_STORED.sub("", text).replace("\r\n", "\n").strip(), most)
        if not text:
            raise _wrong("text", "finds nothing but blanks in what was posted")
        return Found(to=to, text=text)

    def _numbers(self, scope: Scope, work: Work) -> Iterator[str]:
        for entry in self.to:
            if isinstance(entry, str):
                yield entry
                continue
            for value in entry.values(scope, work):
                number = NEVER_STORED.sub("", written(value, work)).strip()
                if len(number) > MAX_WRITTEN:
                    raise NothingFound(f"{entry.written}, but a text that is too long,")
                if number:
                    yield number


def read_mapping(mapping: HookMapping) -> ReadMapping:
    """Reads a mapping.

    Raises:
        BadInput: It is malformed. All wrong fields are named.
    """
    problems: list[FieldProblem] = []
    to: list[str | Placeholder] = []
    when: list[Condition] = []
    template = Template(())
    for at, entry in enumerate(mapping.to):
        try:
            to.append(_read_entry(entry))
        except TemplateProblem as problem:
            problems.append(FieldProblem(f"{FIELD_PREFIX}to[{at}]", str(problem)))
    try:
        template = parse_template(mapping.text)
    except TemplateProblem as problem:
        problems.append(FieldProblem(f"{FIELD_PREFIX}text", str(problem)))
    for at, asked in enumerate(mapping.when):
        try:
            when.append(parse_condition(asked))
        except TemplateProblem as problem:
            problems.append(FieldProblem(f"{FIELD_PREFIX}when[{at}]", str(problem)))
    problems += [FieldProblem(FIELD_PREFIX + one.field, one.problem) for one in _bounds(mapping)]
    if problems:
        raise BadInput("; ".join(f"{one.field} {one.problem}" for one in problems) + ".", problems)
    return ReadMapping(mapping=mapping, to=tuple(to), template=template, when=tuple(when))


def cut(text: str, most: int) -> str:
    """Returns a text of at most so many characters, which shows where it was cut.

    An ellipsis is none of GSM 7-bit's characters, and would make two segments of one.
    """
    if len(text) <= most:
        return text
    sign = "..." if is_gsm(text[:most]) else "…"
    return text[: most - len(sign)].rstrip() + sign


def _read_entry(entry: str) -> str | Placeholder:
    """Reads a number, or the one placeholder that gives some.

    Raises:
        TemplateProblem: It is neither.
    """
    if "{" not in entry:
        entry = entry.strip()
        if not is_recipient(entry):
            form = "must be a number like +15553334444 (E.164), a short code, or a path in braces"
            raise TemplateProblem(f"{form}: {recipient_fault(entry)}")
        return entry
    parts: Sequence[object] = parse_template(entry.strip()).parts
    if len(parts) != 1 or not isinstance(parts[0], Placeholder):
        raise TemplateProblem("must be one path in braces, such as {user.phone}, or a number")
    return parts[0]


def _bounds(mapping: HookMapping) -> Iterator[FieldProblem]:
    if not 1 <= len(mapping.to) <= MAX_ENTRIES:
        yield FieldProblem("to", f"must hold 1 to {MAX_ENTRIES} numbers or paths")
    if not mapping.text.strip():
        yield FieldProblem("text", "must not be empty")
    if len(mapping.when) > MAX_CONDITIONS:
        yield FieldProblem("when", f"must hold at most {MAX_CONDITIONS} conditions")
    if mapping.sender is not None and not is_e164(mapping.sender):
        yield FieldProblem("sender", "must be a number of the org like +15551112222 (E.164)")
    if not SHORTEST_TEXT <= mapping.max_characters <= MAX_CHARACTERS:
        yield FieldProblem("max_characters", f"must be {SHORTEST_TEXT} to {MAX_CHARACTERS}")
    if not 0 <= mapping.repeat_s <= MAX_REPEAT_S:
        yield FieldProblem("repeat_s", f"must be 0 to {MAX_REPEAT_S}")


def _wrong(field: str, problem: str) -> BadInput:
    place = FIELD_PREFIX + field
    return BadInput(f"{place} {problem}.", [FieldProblem(place, problem)])
