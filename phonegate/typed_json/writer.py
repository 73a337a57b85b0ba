"""Answer types as JSON text: for each type one function, made from its attributes.

The documents are made from the same attributes, so an answer can't differ from its description.
One f-string writes an object three times faster than an encoder that has to look at each value
of it, and a page has up to a thousand objects.
"""

import json
from collections.abc import Callable
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs

from phonegate.typed_json.fields import json_name

Write = Callable[[Any], str]

# json.dumps with arguments makes a new one at each call.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_QUOTE: Final[Write] = json.encoder.encode_basestring
_DIGITS: Final[Write] = int.__repr__
"""Refuses what is no int, and writes True as 1: whatever it gives is a JSON number."""


class JsonWriter:
    """The functions, each made at its type's first use."""

    def __init__(self) -> None:
        self._writers: dict[type, Write] = {}

    def text(self, answer: object) -> str:
        """An answer object, or plain JSON data, as compact JSON text.

        Raises:
            TypeError, ValueError: a value is not of the type that its attribute has.
        """
        cls = type(answer)
        write = self._writers.get(cls)
        if write is None:
            write = self._writers[cls] = self._object(cls) if attrs.has(cls) else _ENCODER.encode
        return write(answer)

    def _object(self, cls: type) -> Write:
        names: dict[str, Any] = {"null": "null", "nothing": ""}
        first, *others = attrs.fields(cls)
        if first.metadata.get("omit"):
            raise TypeError(f"{cls.__name__}: the first attribute can't be left out")
        members = self._member(first, names)
        for a in others:
            if not a.metadata.get("omit"):
                members += "," + self._member(a, names)
                continue
            # An optional part of an answer is left out; all else is there, null or not.
            present = _compiled("," + self._member(a, names), names)
            default, part = _named(a.default, names), _named(present, names)
            members += f"{{nothing if it.{a.name} == {default} else {part}(it)}}"
        return _compiled(f"{{{{{members}}}}}", names)

    def _member(self, a: "attrs.Attribute[Any]", names: dict[str, Any]) -> str:
        return f'"{json_name(a.name)}":{{{self._expression(a.type, f"it.{a.name}", names)}}}'

    def _expression(self, type_: Any, value: str, names: dict[str, Any]) -> str:
        """The Python expression whose value is the JSON text of another expression's value."""
        type_ = _bare(type_)
        if get_origin(type_) in {Union, UnionType} and NoneType in get_args(type_):
            left = [one for one in get_args(type_) if one is not NoneType]
            if len(left) == 1:
                there = self._expression(left[0], value, names)
                return f"(null if {value} is None else {there})"
        return f"{_named(self._writer(type_), names)}({value})"

    def _writer(self, type_: Any) -> Write:
        type_ = _bare(type_)
        kinds = get_args(type_)
        if type_ is str or (
            get_origin(type_) is Literal and all(type(one) is str for one in kinds)
        ):
            return _QUOTE
        if type_ is int:
            return _DIGITS
        if attrs.has(type_):
            return self._object(type_)
        if get_origin(type_) is tuple and kinds[1:] == (Ellipsis,):
            return partial(_list, self._writer(kinds[0]))
        return self.text


def _bare(type_: Any) -> Any:
    return get_args(type_)[0] if get_origin(type_) is Annotated else type_


def _list(write: Write, items: tuple[Any, ...]) -> str:
    return f"[{','.join(map(write, items))}]"


def _named(value: Any, names: dict[str, Any]) -> str:
    name = f"n{len(names)}"
    names[name] = value
    return name


def _compiled(text: str, names: dict[str, Any]) -> Write:
    # The source is made of attributes' names, and of nothing that comes from outside.
    write: Write = eval(f"lambda it: f'''{text}'''", names)  # noqa: S307
    return write
