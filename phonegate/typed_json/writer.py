"""Writes objects as JSON text, by one function for each type, made from its attributes.

The documents are made from the same attributes, so what is written can't differ from them.
One f-string writes an object three times faster than an encoder that has to look at each value
of it, and a page has up to a thousand objects.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs

from phonegate.typed_json.fields import json_name, shown_as

Write = Callable[[Any], str]

_DIGITS: Final[Write] = int.__repr__
"""Refuses what is no int, and writes True as 1: whatever it gives is a JSON number."""


@attrs.frozen
class Source:
    """Where the value of an attribute comes from that is written without its object."""

    parameter: str
    """The parameter that has it. None has, where this is empty: the text is always the same."""
    text: str | None = None
    """How its JSON is written of a parameter that is not None, as a part of an f-string without a
    backslash. None: as the attribute's type says."""


class JsonWriter:
    """Writes objects and plain JSON data by functions, each made at its type's first use."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        """Makes a writer that knows no type yet.

        Args:
            ascii_only: Escapes all else, so that a text has as many bytes as characters.
        """
        self._writers: dict[type, Write] = {}
        # json.dumps with arguments makes a new one at each call.
        self._encode = json.JSONEncoder(
            ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":")
        ).encode
        self._quote: Write = (
            json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
        )

    def text(self, answer: object) -> str:
        """Writes an object, or plain JSON data, as compact JSON text.

        Raises:
            TypeError, ValueError: A value is not of the type that its attribute has.
        """
        cls = type(answer)
        write = self._writers.get(cls)
        if write is None:
            write = self._writers[cls] = self.function(cls) if attrs.has(cls) else self._encode
        return write(answer)

    def function(self, cls: type, constants: Mapping[str, str] = MappingProxyType({})) -> Write:
        """Makes the function that writes the objects of a type.

        Args:
            cls: The type.
            constants: Members that all its objects begin with, names and words of our own.
        """
        names: dict[str, Any] = {"null": "null", "nothing": ""}
        members = ",".join(f'"{name}":"{value}"' for name, value in constants.items())
        begins = False
        for a in attrs.fields(cls):
            if not a.metadata.get("omit"):
                members += ("," if members else "") + self._member(a, names)
                continue
            # Where nothing surely comes before it, the first comma is one too many.
            begins = begins or not members
            # An optional part of an answer is left out; all else is there, null or not.
            present = _compiled("," + self._member(a, names), names)
            default, part = _named(a.default, names), _named(present, names)
            members += f"{{nothing if it.{a.name} == {default} else {part}(it)}}"
        if begins:
            inner = _compiled(members, names)
            return lambda it: f"{{{inner(it)[1:]}}}"
        return _compiled(f"{{{{{members}}}}}", names)

    def of_values(
        self,
        cls: type,
        parameters: Sequence[str],
        sources: Mapping[str, Source] = MappingProxyType({}),
        used: Mapping[str, Any] = MappingProxyType({}),
    ) -> Callable[..., str]:
        """Makes a function that writes what an object of a type would have, without making one.

        Args:
            cls: The type. None of its attributes may be left out of what is written.
            parameters: What the function takes, in order. None where more have no value.
            sources: Where attributes come from that no parameter bears the name of, or that are
                written otherwise than their type says.
            used: What the texts of sources refer to beside parameters.
        """
        names: dict[str, Any] = {"null": "null", **used}
        members = []
        for a in attrs.fields(cls):
            source = sources.get(a.name, Source(a.name))
            if source.text is None:
                text = f"{{{self._expression(a.type, source.parameter, names)}}}"
            elif source.parameter and _is_optional(a.type):
                text = f"{{null if {source.parameter} is None else f'{source.text}'}}"
            else:
                text = source.text
            members.append(f'"{json_name(a.name)}":{text}')
        return _compiled(f"{{{{{','.join(members)}}}}}", names, ", ".join(parameters))

    def _member(self, a: "attrs.Attribute[Any]", names: dict[str, Any]) -> str:
        return f'"{json_name(a.name)}":{{{self._expression(a.type, f"it.{a.name}", names)}}}'

    def _expression(self, type_: Any, value: str, names: dict[str, Any]) -> str:
        """Returns the Python expression for the JSON text of another expression's value."""
        bare = _bare(type_)
        if _is_optional(bare):
            left = [one for one in get_args(bare) if one is not NoneType]
            if len(left) == 1:
                there = self._expression(left[0], value, names)
                return f"(null if {value} is None else {there})"
        return f"{_named(self._writer(type_), names)}({value})"

    def _writer(self, type_: Any) -> Write:
        if (shown := shown_as(type_)) is not None:
            return lambda value: self._quote(shown.show(value))
        type_ = _bare(type_)
        kinds = get_args(type_)
        if type_ is str or (
            get_origin(type_) is Literal and all(type(one) is str for one in kinds)
        ):
            return self._quote
        if type_ is int:
            return _DIGITS
        if attrs.has(type_):
            return self.function(type_)
        if get_origin(type_) is tuple and kinds[1:] == (Ellipsis,):
            return partial(_list, self._writer(kinds[0]))
        return self.text


def _bare(type_: Any) -> Any:
    return get_args(type_)[0] if get_origin(type_) is Annotated else type_


def _is_optional(type_: Any) -> bool:
    bare = _bare(type_)
    return get_origin(bare) in {Union, UnionType} and NoneType in get_args(bare)


def _list(write: Write, items: tuple[Any, ...]) -> str:
    return f"[{','.join(map(write, items))}]"


def _named(value: Any, names: dict[str, Any]) -> str:
    name = f"n{len(names)}"
    names[name] = value
    return name


def _compiled(text: str, names: dict[str, Any], parameters: str = "it") -> Callable[..., str]:
    # The source is made of attributes' names, and of nothing that comes from outside.
    write: Callable[..., str] = eval(f"lambda {parameters}: f'''{text}'''", names)  # noqa: S307
    return write
