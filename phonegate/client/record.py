"""Reads the gateway's JSON as the types of the client, by the types' own annotations. Pure.

A field that the client does not know is left in `raw`, so that a newer gateway breaks nothing.
"""

import types
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

import attrs

from phonegate.client.errors import NotAGateway


@attrs.frozen(kw_only=True)
class Record:
    """An object that a gateway wrote."""

    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    """The object as it was written, with whatever this client does not know."""

    @classmethod
    def read(cls, raw: Any) -> Self:
        """Reads an object of JSON.

        Raises:
            NotAGateway: A field is missing, or is not what it should be.
        """
        if not isinstance(raw, dict):
            raise _unreadable(cls.__name__, "object")
        found: dict[str, Any] = {"raw": raw}
        for name, hint, is_needed in _fields(cls):
            if name in raw:
                found[name] = _value(raw[name], hint, f"{cls.__name__}.{name}")
            elif is_needed:
                raise _unreadable(cls.__name__, f"field {name}")
        return cls(**found)


_Fields = list[tuple[str, Any, bool]]
"""Of each field its name, its type, and whether it has to be there."""

_known: dict[type[Record], _Fields] = {}


def _fields(cls: type[Record]) -> _Fields:
    if cls in _known:
        return _known[cls]
    hints = get_type_hints(cls)
    _known[cls] = [
        (one.name, hints[one.name], one.default is attrs.NOTHING)
        for one in attrs.fields(cls)
        if one.name != "raw"
    ]
    return _known[cls]


def _value(value: Any, hint: Any, where: str) -> Any:
    """Returns a value as the type of a field has it.

    Raises:
        NotAGateway: It can't be that.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        (hint,) = (one for one in inner if one is not types.NoneType)
        return None if value is None else _value(value, hint, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(one, inner[0], where) for one in value)
    if hint is datetime:
        return _time(value, where)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.read(value)
    kind = hint if origin is None else list if origin is tuple else dict
    if type(value) is not kind:
        raise _unreadable(where, kind.__name__)
    return value


def _time(value: Any, where: str) -> datetime:
    """Reads a time in ISO 8601, or one in ms since 1970 as phones report it."""
    try:
        if type(value) is int:
            return datetime.fromtimestamp(value / 1000, UTC)
        return datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _unreadable(where, "time") from None


def _unreadable(where: str, what: str) -> NotAGateway:
    return NotAGateway(f"An answer has no {what} where {where} should be. Is it a gateway's?")
