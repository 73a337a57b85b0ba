"""Paths into JSON, such as `alerts[0].labels.name`, `alerts[*].status` or `$.a['b c'].d`. Pure.

A path leads down, one step after the other, so that to follow it takes no longer than to look at
all of the JSON once. Languages with functions and pipes (JMESPath, RFC 9535's filters) can double a
value with every few characters, and here an org's people write the paths.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

import attrs

MAX_PATH: Final = 200
"""Characters of a path. Those into the JSON of known programs have up to 40."""

MAX_STEPS: Final = 20
"""Steps of a path."""

MAX_INDEX_DIGITS: Final = 6
"""Digits of an index: more than a body has values."""

_QUOTES: Final = "'\""


class PathProblem(ValueError):
    """A path is malformed. The text says why, behind the path's name."""


class TooMuchWork(Exception):
    """A mapping would look at more values than it may."""


class Each(Enum):
    """The step to every item of a list, or every value of an object."""

    EACH = "*"


EACH: Final = Each.EACH

Step = str | int | Each


class Work:
    """How much may yet be looked at. One unit is a value, or some characters of text."""

    CHARACTERS: Final = 64
    """To copy as many takes as long as to look at a value."""

    def __init__(self, units: int) -> None:
        self._left = units

    def spend(self, units: int) -> None:
        """Takes some.

        Raises:
            TooMuchWork: There is not as much left.
        """
        self._left -= units
        if self._left < 0:
            raise TooMuchWork

    def spend_text(self, text: str) -> str:
        """Takes what a text costs, and returns it."""
        self.spend(1 + len(text) // self.CHARACTERS)
        return text


@attrs.frozen
class JsonPath:
    """A path. Without steps it leads to where it begins."""

    written: str
    steps: tuple[Step, ...]
    from_root: bool
    """It begins at the whole JSON, also within a section of a template."""

    def find(self, value: object, work: Work) -> list[Any]:
        """Returns all that a path leads to, without nulls. Often that is one value, or none.

        Raises:
            TooMuchWork: More values are on the way than may be looked at.
        """
        found: list[Any] = [value]
        for step in self.steps:
            found = _step(found, step)
            work.spend(1 + len(found))
        return [one for one in found if one is not None]


def parse_path(text: str) -> JsonPath:
    """Reads a path.

    Names stand behind dots, or in quotes within brackets where they hold other characters than
    letters, digits, `_` and `-`. `[0]` is the first item of a list, `[-1]` the last, and `[*]` all.
    `$` is the whole JSON, and `@` what a section of a template is about.

    Raises:
        PathProblem: It is none.
    """
    text = text.strip()
    if len(text) > MAX_PATH:
        raise PathProblem(f"has more than {MAX_PATH} characters")
    if not text:
        raise PathProblem("is empty")
    at = 1 if text[0] in "$@" else 0
    steps: list[Step] = []
    while at < len(text):
        if text[at] == "[":
            step, at = _bracket(text, at + 1)
        elif text[at] == ".":
            step, at = _name(text, at + 1)
        elif at == 0:
            step, at = _name(text, at)
        else:
            raise PathProblem(f"has {text[at]!r} where a dot or a bracket is due")
        steps.append(step)
        if len(steps) > MAX_STEPS:
            raise PathProblem(f"has more than {MAX_STEPS} steps")
    return JsonPath(text, tuple(steps), text.startswith("$"))


def is_path_character(character: str) -> bool:
    """Tells whether a name in a path may hold a character without quotes."""
    return character.isalnum() or character in "_-"


def _name(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and is_path_character(text[end]):
        end += 1
    if end == at:
        found = repr(text[at]) if at < len(text) else "nothing"
        raise PathProblem(f"has {found} where a name is due")
    return text[at:end], end


def _bracket(text: str, at: int) -> tuple[Step, int]:
    if text[at : at + 1] in _QUOTES and at < len(text):
        end = text.find(text[at], at + 1)
        if end < 0 or text[end + 1 : end + 2] != "]":
            raise PathProblem("has a quote or bracket that does not end")
        return text[at + 1 : end], end + 2
    end = text.find("]", at)
    if end < 0:
        raise PathProblem("has a bracket that does not end")
    inner = text[at:end].strip()
    if inner == "*":
        return EACH, end + 1
    digits = inner.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > MAX_INDEX_DIGITS:
        raise PathProblem("has something in brackets that is no number, no * and no quoted name")
    return int(inner), end + 1


def _step(values: Sequence[Any], step: Step) -> list[Any]:
    found: list[Any] = []
    for one in values:
        if step is EACH:
            if isinstance(one, list):
                found += one
            elif isinstance(one, dict):
                found += one.values()
        elif isinstance(step, str):
            if isinstance(one, dict) and step in one:
                found.append(one[step])
        elif isinstance(step, int) and isinstance(one, list) and -len(one) <= step < len(one):
            found.append(one[step])
    return found
