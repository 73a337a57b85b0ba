"""Values of JSON as texts, and the filters that templates of hooks have for them. Pure."""

import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.domain.hooks.json_path import Work

SEPARATOR: Final = ", "
"""Stands between the items of a list."""

MAX_ARGUMENT: Final = 200
"""Characters of the argument of a filter."""

MAX_CUT_DIGITS: Final = 5
"""Digits of the argument of `cut`: no SMS has more characters."""

MAX_HTML: Final = 100_000
"""Characters of HTML that are read: newsletters have some 50,000, and an SMS fewer by far."""

_HTML_OF_A_UNIT: Final = 4
"""Characters of HTML that take as long as to look at a value."""

_EACH_ITEM: Final = 4
"""What an item of a list or object costs that is written as text."""

_NEW_LINES: Final = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "table"})
"""Elements of HTML that begin on a line of their own."""

_UNSEEN: Final = frozenset({"style", "script", "head", "title"})
"""Elements of HTML whose content is not shown."""


class FilterProblem(ValueError):
    """There is no such filter, or its argument is wrong."""


@attrs.frozen
class Filter:
    """A filter with its argument, which is empty where it takes none."""

    name: str
    argument: str = ""


def text_of(value: object) -> str:
    """Returns a value of JSON as a person reads it. null is nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict):
        return SEPARATOR.join(f"{name}={_inner(one)}" for name, one in value.items())
    if isinstance(value, list):
        return SEPARATOR.join(map(_inner, value))
    return json.dumps(value)


def written(value: object, work: Work) -> str:
    """Returns a value as text, and takes what that costs.

    Raises:
        TooMuchWork: It is more than may be done.
    """
    if isinstance(value, dict | list):
        work.spend(_EACH_ITEM * len(value))
    return work.spend_text(text_of(value))


def is_true(value: object) -> bool:
    """Tells whether a section for a value is shown: false, 0 and what is empty hide it."""
    return bool(value)


def plain_text(source: str) -> str:
    """Returns the text of HTML: without elements, with lines where a browser begins one.

    It looks at each character once, whatever the HTML is like.
    """
    parts: list[str] = []
    at, unseen = 0, ""
    while at < len(source):
        begin = source.find("<", at)
        if begin < 0:
            begin = len(source)
        if not unseen:
            parts.append(html.unescape(" ".join(_spaced(source[at:begin]))))
        if begin == len(source):
            break
        end = source.find(">", begin)
        if end < 0:
            # A sign alone, which is text.
            parts.append("" if unseen else source[begin:])
            break
        name = _element(source[begin + 1 : begin + 20])
        if unseen:
            unseen = "" if name == f"/{unseen}" else unseen
        elif name in _UNSEEN:
            unseen = name
        elif name.lstrip("/") in _NEW_LINES:
            parts.append("\n")
        at = end + 1
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def signed_number(text: str) -> str:
    """Returns a number with the plus that its program leaves out: `15551112222`.

    One that begins with 0 stays as it is, since that is no number with a country's code.
    """
    text = text.strip()
    return f"+{text}" if text[:1].isdigit() and text[:1] != "0" else text


def _default(values: Sequence[Any], argument: str, _: Work) -> list[Any]:
    return [argument] if all(map(_is_blank, values)) else list(values)


def _join(values: Sequence[Any], argument: str, work: Work) -> list[Any]:
    return [argument.join(_texts(values, work))] if values else []


def _count(values: Sequence[Any], _: str, __: Work) -> list[Any]:
    return [len(values)]


def _cut(values: Sequence[Any], argument: str, work: Work) -> list[Any]:
    most = int(argument)
    return [
        one if len(one) <= most else one[: most - 1].rstrip() + "…" for one in _texts(values, work)
    ]


def _plain(values: Sequence[Any], _: str, work: Work) -> list[Any]:
    found = [one[:MAX_HTML] for one in _texts(values, work)]
    work.spend(sum(map(len, found)) // _HTML_OF_A_UNIT)
    return list(map(plain_text, found))


def _each(change: Callable[[str], str]) -> Callable[[Sequence[Any], str, Work], list[Any]]:
    def apply(values: Sequence[Any], _: str, work: Work) -> list[Any]:
        return [change(one) for one in _texts(values, work)]

    return apply


_FILTERS: Final[Mapping[str, Callable[[Sequence[Any], str, Work], list[Any]]]] = {
    "default": _default,
    "join": _join,
    "count": _count,
    "cut": _cut,
    "upper": _each(str.upper),
    "lower": _each(str.lower),
    "plain": _plain,
    "plus": _each(signed_number),
}

FILTERS: Final[Mapping[str, str]] = {
    "default": "A text that stands where there is nothing.",
    "join": "What stands between the items of a list, in place of a comma.",
    "count": "How many items there are.",
    "cut": "At most so many characters.",
    "upper": "In capital letters.",
    "lower": "In small letters.",
    "plain": "HTML without its elements.",
    "plus": "A number with a plus, where its program leaves that out.",
}
"""What each filter does, for people."""

_WITH_ARGUMENT: Final = frozenset({"default", "join", "cut"})


def read_filter(name: str, argument: str | None) -> Filter:
    """Returns a filter.

    Raises:
        FilterProblem: There is none of this name, or it takes no such argument.
    """
    if name not in _FILTERS:
        raise FilterProblem(f"has a filter that there is not: there are {', '.join(FILTERS)}")
    if (argument is not None) != (name in _WITH_ARGUMENT):
        needs = "needs" if name in _WITH_ARGUMENT else "takes no"
        raise FilterProblem(f"has the filter {name}, which {needs} an argument")
    argument = argument or ""
    if len(argument) > MAX_ARGUMENT:
        raise FilterProblem(f"has an argument of more than {MAX_ARGUMENT} characters")
    if name == "cut" and not (
        argument.isascii() and argument.isdecimal() and len(argument) <= MAX_CUT_DIGITS
    ):
        raise FilterProblem("has the filter cut, which needs a number of characters")
    return Filter(name, argument)


def apply_filters(values: Sequence[Any], filters: Iterable[Filter], work: Work) -> list[Any]:
    """Returns what filters make of values, one after the other.

    Raises:
        TooMuchWork: It is more than may be done.
    """
    found = list(values)
    for one in filters:
        work.spend(1 + len(found))
        found = _FILTERS[one.name](found, one.argument, work)
    return found


def _texts(values: Sequence[Any], work: Work) -> list[str]:
    return [written(one, work) for one in values]


def _is_blank(value: object) -> bool:
    """Tells whether the text of a value is empty, without writing it: that may take long."""
    return value in (None, "", [""]) or value in ({}, [])


def _inner(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _spaced(text: str) -> list[str]:
    """Returns the words of a text, with an empty one where it begins or ends with a blank."""
    words = text.split()
    if not words:
        return [" "] if text else []
    return [
        *([""] if text[:1].isspace() else []),
        *words,
        *([""] if text[-1:].isspace() else []),
    ]


def _element(tag: str) -> str:
    """Returns the name of an element by the beginning of its tag, with a slash at its end tag."""
    end = 1 if tag.startswith("/") else 0
    while end < len(tag) and tag[end].isalnum():
        end += 1
    return tag[:end].lower()
