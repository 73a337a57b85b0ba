"""Reads parsed JSON that is right in all its fields, by code that is made from the same types.

It applies the rules of the fields as any reader does, and gives up at the first problem. Its caller
then reads the value again by the way that names every problem.
"""

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import attrs

from phonegate.typed_json.fields import Rule, Wrong, json_name
from phonegate.typed_json.rules import Several

Read = Callable[[Any], Any]


class NotPlain(Wrong):
    """A value is not what the plain reader takes. That need not mean that it is wrong."""

    def __init__(self) -> None:
        super().__init__("is not plain")


class PlainReader:
    """Reads objects by functions, each made at its type's first use."""

    def __init__(self) -> None:
        self._readers: dict[type, Read | None] = {}

    def reader(self, cls: type) -> Read | None:
        """Returns what makes an object of a type, or None if no code can be made for the type.

        What it returns raises `Wrong`: the value breaks a rule, lacks a field or has an unknown
        one. An unknown field of a report is passed over.
        """
        if cls not in self._readers:
            self._readers[cls] = _reader(cls, is_open=getattr(cls, "reported", False))
        return self._readers[cls]


def _reader(cls: type, *, is_open: bool) -> Read | None:
    names: dict[str, Any] = {"cls": cls, "NotPlain": NotPlain}
    lines = ["def read(value):", " if type(value) is not dict: raise NotPlain", " known = 0"]
    given = []
    for at, a in enumerate(attrs.fields(cls)):
        read = _value_reader(a.type, is_open=is_open)
        if read is None or not a.init or a.alias != a.name or a.converter or a.validator:
            return None
        if a.default is not attrs.NOTHING and isinstance(a.default, _FACTORY):
            return None
        names[f"r{at}"], names[f"d{at}"] = read, a.default
        lines += [
            f" if {json_name(a.name)!r} in value:",
            "  known += 1",
            f"  v{at} = r{at}(value[{json_name(a.name)!r}])",
            f" else: v{at} = d{at}" if a.default is not attrs.NOTHING else " else: raise NotPlain",
        ]
        given.append(f"{a.name}=v{at}")
    if not is_open:
        lines.append(" if known != len(value): raise NotPlain")
    lines.append(f" return cls({', '.join(given)})")
    # The source is made of attributes' names, and of nothing that comes from outside.
    exec("\n".join(lines), names)  # noqa: S102
    made: Read = names["read"]
    return made


_FACTORY: Final[Any] = attrs.Factory  # a function to mypy, which `isinstance` would not take


def _value_reader(type_: Any, *, is_open: bool) -> Read | None:
    if get_origin(type_) in {Union, UnionType}:
        left = [one for one in get_args(type_) if one is not NoneType]
        there = _value_reader(left[0], is_open=is_open) if len(left) == 1 else None
        if there is None or NoneType not in get_args(type_):
            return None
        return lambda value: None if value is None else there(value)
    if get_origin(type_) is Annotated:
        rule = next((one for one in type_.__metadata__ if isinstance(one, Rule)), None)
        if rule is None:
            return None
        if type(rule) is not Several:
            return rule.read
        return _list_reader(rule, get_args(get_args(type_)[0])[0], is_open=is_open)
    return _reader(type_, is_open=is_open) if attrs.has(type_) else None


def _list_reader(rule: Several, type_: Any, *, is_open: bool) -> Read | None:
    inner = _value_reader(type_, is_open=is_open)
    if inner is None:
        return None
    return lambda value: tuple([inner(one) for one in rule.read(value)])
