"""Templates of hooks: texts with values out of JSON, and conditions about it. Pure.

```text
{status | upper}: {#alerts}{labels.alertname} on {labels.instance | default:"?"}
{/}{#status == "resolved"}All is well again.{/}{^alerts}No alerts.{/}
```

A placeholder is a path (see `json_path`) or a quoted text, with filters (`values`) behind it.
`{#…}` begins a section, which ends with `{/}`: it is repeated for each item of a list, whose paths
begin at the item, and stands once for a value that is true, or a comparison that holds. `{^…}`
stands where the same does not.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import attrs

from phonegate.domain.hooks.json_path import JsonPath, PathProblem, Work, parse_path
from phonegate.domain.hooks.values import (
    SEPARATOR,
    Filter,
    FilterProblem,
    apply_filters,
    is_true,
    read_filter,
    written,
)

MAX_TEMPLATE: Final = 4_000
"""Characters of a template: more than two SMS of the usual limit, with as much for placeholders."""

MAX_PLACEHOLDERS: Final = 100
"""Placeholders and sections of a template."""

MAX_DEPTH: Final = 4
"""Sections within one another."""

_QUOTES: Final = "\"'"
_ESCAPES: Final = {"n": "\n", "t": "\t"}
"""What a letter behind a backslash stands for. Any other character stands for itself."""

Comparison = Literal["==", "!="]


class TemplateProblem(ValueError):
    """A template or condition is malformed. The text says why, behind its name."""


class NothingFound(Exception):
    """A placeholder without a default finds nothing."""

    def __init__(self, written: str) -> None:
        self.written = written
        super().__init__(f"finds nothing at {written}")


@attrs.frozen
class Placeholder:
    """A value: what a path leads to or a text of the template, behind its filters."""

    written: str
    source: JsonPath | str
    filters: tuple[Filter, ...] = ()

    def values(self, scope: "Scope", work: Work) -> list[Any]:
        """Returns the values. A list counts as its items.

        Raises:
            TooMuchWork: It is more than may be done.
            NothingFound: There is none.
        """
        found: list[Any]
        if isinstance(self.source, str):
            found = [self.source]
        else:
            found = items_of(scope.find(self.source, work))
            work.spend(len(found))
        found = apply_filters(found, self.filters, work)
        if not found:
            raise NothingFound(self.written)
        return found


@attrs.frozen
class Condition:
    """A path that leads to something, or a comparison of it with a text."""

    path: JsonPath
    comparison: Comparison | None = None
    text: str = ""

    def holds(self, scope: "Scope", work: Work) -> bool:
        """Tells whether it holds. Of several values one that is equal is enough.

        Raises:
            TooMuchWork: It is more than may be done.
        """
        found = items_of(scope.find(self.path, work))
        work.spend(len(found))
        if self.comparison is None:
            return any(map(is_true, found))
        is_equal = any(written(one, work) == self.text for one in found)
        return is_equal is (self.comparison == "==")


@attrs.frozen
class Section:
    """A part of a template that is repeated, or stands where a condition holds."""

    condition: Condition
    inverted: bool
    parts: "tuple[Part, ...]"


Part = str | Placeholder | Section


@attrs.frozen
class Scope:
    """Where paths begin: at the whole JSON, or within a section at what that is about."""

    root: Any = attrs.field(repr=False)
    item: Any = attrs.field(repr=False)

    def find(self, path: JsonPath, work: Work) -> list[Any]:
        """Returns what a path leads to from here."""
        return path.find(self.root if path.from_root else self.item, work)


@attrs.frozen
class Template:
    """A template that was read."""

    parts: tuple[Part, ...]

    def render(self, root: object, *, most: int, work: Work) -> str:
        """Returns the text, or the beginning of it with more than `most` characters.

        Raises:
            TooMuchWork: It is more than may be done.
            NothingFound: A placeholder without a default finds nothing.
        """
        found: list[str] = []
        length = 0
        for piece in _pieces(self.parts, Scope(root, root), work):
            found.append(piece)
            length += len(piece)
            if length > most:
                break
        return "".join(found)


def parse_template(text: str) -> Template:
    """Reads a template.

    Raises:
        TemplateProblem: It is malformed.
    """
    if len(text) > MAX_TEMPLATE:
        raise TemplateProblem(f"has more than {MAX_TEMPLATE} characters")
    tokens = list(_tokens(text))
    if sum(not is_text for is_text, _ in tokens) > MAX_PLACEHOLDERS:
        raise TemplateProblem(f"has more than {MAX_PLACEHOLDERS} placeholders")
    open_: list[tuple[Condition, bool, list[Part]]] = []
    parts: list[Part] = []
    for is_text, token in tokens:
        if is_text:
            parts.append(token)
        elif token[:1] in ("#", "^"):
            open_.append((parse_condition(token[1:]), token[0] == "^", parts))
            parts = []
            if len(open_) > MAX_DEPTH:
                raise TemplateProblem(f"has more than {MAX_DEPTH} sections within one another")
        elif token[:1] == "/":
            if not open_:
                raise TemplateProblem("ends a section that does not begin")
            condition, inverted, outer = open_.pop()
            outer.append(Section(condition, inverted, tuple(parts)))
            parts = outer
        else:
            parts.append(_placeholder(token))
    if open_:
        raise TemplateProblem("has a section that does not end: {/} is missing")
    return Template(tuple(parts))


def parse_condition(text: str) -> Condition:
    """Reads a condition: `alerts`, `status == firing`, or `type != "Test"`.

    Raises:
        TemplateProblem: It is malformed.
    """
    for comparison in ("==", "!="):
        left, found, right = _split(text, comparison)
        if found:
            value = right.strip()
            if value[:1] in _QUOTES and value:
                value = _quoted(value)
            return Condition(_path(left), comparison, value)
    return Condition(_path(text))


def items_of(found: Sequence[Any]) -> list[Any]:
    """Returns what was found, and of a list its items, without nulls."""
    if len(found) == 1 and isinstance(found[0], list):
        return [one for one in found[0] if one is not None]
    return list(found)


def _pieces(parts: Sequence[Part], scope: Scope, work: Work) -> Iterator[str]:
    for part in parts:
        work.spend(1)
        if isinstance(part, str):
            yield work.spend_text(part)
        elif isinstance(part, Placeholder):
            yield SEPARATOR.join(written(one, work) for one in part.values(scope, work))
        else:
            for inner in _scopes(part, scope, work):
                yield from _pieces(part.parts, inner, work)


def _scopes(section: Section, scope: Scope, work: Work) -> Iterator[Scope]:
    """Yields where the paths of a section begin, each time that it stands."""
    condition = section.condition
    if section.inverted or condition.comparison is not None:
        if condition.holds(scope, work) is not section.inverted:
            yield scope
        return
    found = scope.find(condition.path, work)
    items = items_of(found)
    work.spend(len(items))
    is_list = len(found) != 1 or isinstance(found[0], list)
    for one in items:
        if is_list or isinstance(one, dict):
            if is_list or is_true(one):
                yield Scope(scope.root, one)
        elif is_true(one):
            yield scope


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """Yields the parts of a template: whether each is text, and it, without its braces."""
    at = 0
    while at < len(text):
        begin = text.find("{", at)
        plain = text[at:] if begin < 0 else text[at:begin]
        if "}" in plain:
            raise TemplateProblem('has a } that ends nothing: write {"}"} for the sign itself')
        if plain:
            yield True, plain
        if begin < 0:
            return
        if text.startswith("{{", begin):
            raise TemplateProblem('has two braces: write {path}, and {"{"} for the sign itself')
        end = _end(text, begin + 1)
        yield False, text[begin + 1 : end].strip()
        at = end + 1


def _end(text: str, at: int) -> int:
    """Finds the brace that ends a placeholder, which is in no quotes."""
    end = _find(text, "}", at)
    if end < 0:
        raise TemplateProblem("has a placeholder that does not end")
    return end


def _find(text: str, sign: str, at: int = 0) -> int:
    """Finds a sign outside of quotes. Returns -1 where there is none."""
    quote = ""
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in _QUOTES:
            quote = character
        elif text.startswith(sign, at):
            return at
        at += 1
    return -1


def _split(text: str, sign: str) -> tuple[str, bool, str]:
    at = _find(text, sign)
    return (text, False, "") if at < 0 else (text[:at], True, text[at + len(sign) :])


def _placeholder(token: str) -> Placeholder:
    source, more, rest = _split(token, "|")
    filters: list[Filter] = []
    while more:
        one, more, rest = _split(rest, "|")
        filters.append(_filter(one))
    source = source.strip()
    found: JsonPath | str
    found = _quoted(source) if source[:1] in _QUOTES and source else _path(source)
    return Placeholder(source, found, tuple(filters))


def _filter(text: str) -> Filter:
    name, given, argument = _split(text, ":")
    argument = argument.strip()
    if argument[:1] in _QUOTES and argument:
        argument = _quoted(argument)
    try:
        return read_filter(name.strip(), argument if given else None)
    except FilterProblem as problem:
        raise TemplateProblem(str(problem)) from None


def _path(text: str) -> JsonPath:
    try:
        return parse_path(text)
    except PathProblem as problem:
        raise TemplateProblem(f"has a path that {problem}") from None


def _quoted(text: str) -> str:
    """Returns the text within quotes, its backslashes read."""
    read: list[str] = []
    at = 1
    while at < len(text):
        character = text[at]
        if character == text[0]:
            if at != len(text) - 1:
                break
            return "".join(read)
        if character == "\\" and at + 1 < len(text):
            at += 1
            character = _ESCAPES.get(text[at], text[at])
        read.append(character)
        at += 1
    raise TemplateProblem("has a quoted text that does not end where it should")
