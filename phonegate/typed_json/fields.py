"""The fields of a type that is read from JSON or written as JSON, each declared once.

A field's type names its rule, `Annotated[int, Whole(1, 1000)]`. Readers apply it, and documents
are made from its limits, the field's description and its example.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import attrs


class Wrong(ValueError):
    """A rule refuses a value. The text reads as a sentence after the field's name.

    Attributes:
        sentence: The whole sentence, where a contract has its own words for it.
    """

    def __init__(self, problem: str, sentence: str | None = None) -> None:
        self.sentence = sentence
        super().__init__(problem)


class WrongEntries(Wrong):
    """No entry of a list can be used.

    Attributes:
        entries: The place, field and problem of each.
    """

    def __init__(self, entries: Sequence[tuple[int, str, str]]) -> None:
        self.entries = tuple(entries)
        super().__init__("holds nothing that can be used")


class Rule(ABC):
    """What a field may hold."""

    __slots__ = ()

    @abstractmethod
    def read(self, value: object) -> Any:
        """Reads a value of JSON.

        Returns:
            The value as handlers get it.

        Raises:
            Wrong: The field may not hold it.
        """

    def read_text(self, text: str) -> Any:
        """Reads the text of a path or query parameter, as `read` does a value."""
        return self.read(text)


@attrs.frozen
class Shown:
    """Stands in the type of a field that is written as another text than its value."""

    show: Callable[[Any], str]
    format: str
    """What the text is, in JSON Schema's words."""


@attrs.frozen(kw_only=True)
class Field:
    """One field of a request, query, answer or frame, as the documents describe it."""

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
    init: bool = True,
) -> Any:
    """Declares an attribute that is a field in JSON.

    Args:
        description: What the documents say about it.
        default: What it is where it is left out.
        example: What it may be, as JSON data.
        private: Its value reaches no log and no `repr`.
        omit: It is left out of what is written where it has its default.
        init: Whether the type's callers give it, or the type makes it by itself.
    """
    metadata = {"description": description, "example": example, "private": private, "omit": omit}
    return attrs.field(default=default, metadata=metadata, repr=not private, init=init)


def json_name(attribute: str) -> str:
    """Returns what an attribute is called in JSON: `from_` is `from` there."""
    return attribute.removesuffix("_")


@cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """Lists the fields of a type in order. Attributes that `field` did not declare are none."""
    return tuple(
        Field(
            name=json_name(a.name),
            attribute=a.name,
            type=a.type,
            rule=rule_of(a.type),
            required=a.default is attrs.NOTHING,
            default=_plain(a.default),
            **a.metadata,
        )
        for a in attrs.fields(cls)
        if "description" in a.metadata
    )


_FACTORY: Final[Any] = attrs.Factory  # a function to mypy, which `isinstance` would not take


def _plain(default: Any) -> Any:
    """Returns a default as JSON data. None stands for what has no such form too."""
    if isinstance(default, tuple):
        return list(default)
    return None if default is attrs.NOTHING or isinstance(default, _FACTORY) else default


def rule_of(type_: Any) -> Rule | None:
    """Finds the rule in a field's type, also behind `| None`."""
    if get_origin(type_) is Annotated:
        return next((m for m in type_.__metadata__ if isinstance(m, Rule)), None)
    if get_origin(type_) not in {Union, UnionType}:
        return None
    return next((rule for arg in get_args(type_) if (rule := rule_of(arg)) is not None), None)


def shown_as(type_: Any) -> Shown | None:
    """Finds how a field's value is written, where that is another text."""
    return next((m for m in getattr(type_, "__metadata__", ()) if isinstance(m, Shown)), None)
