"""What the rows of a file must be like, so that none is of another org or breaks a reader. Pure.

A file may be damaged by hand, or made to harm. What the schema demands is not repeated here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, get_args

from phonegate.model.callbacks import CallbackShape, Method
from phonegate.model.messages import Approval
from phonegate.model.phones import KINDS
from phonegate.model.states import OUTBOUND_STATES, RECEIVED
from phonegate.model.webhooks import Shape
from phonegate.store import rows
from phonegate.store.moving.contents import Part
from phonegate.store.moving.org_file import MOST_GIVEN, Chunk, FileProblem, Head

_Rule = Callable[[Any], object]
"""Raises `ValueError` for what can't be, or gives something false for it."""


def demand(part: Part, chunk: Chunk, head: Head) -> None:
    """Demands that the rows of a chunk are those of its table.

    Raises:
        FileProblem: An id is one that no gateway gives, or a value is none of its column.
    """
    columns = head.tables[chunk.table]
    for column in part.ids:
        if column in columns:
            place = columns.index(column)
            if not all(_is_id(row[place]) for row in chunk.rows):
                raise _problem(chunk, column)
    for column, rule in _RULES.get(chunk.table, {}).items():
        if column in columns:
            place = columns.index(column)
            # Few values are another each time.
            for value in {row[place] for row in chunk.rows}:
                if not _holds(rule, value):
                    raise _problem(chunk, column)


def named_keys(part: Part, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Returns the API keys that rows name, which have to be the org's own."""
    name = "id" if part.table == "api_keys" else "key"
    if name not in columns or part.table in {"replies", "batches"}:
        return []
    place = columns.index(name)
    return [row[place] for row in rows if row[place] is not None]


def _problem(chunk: Chunk, column: str) -> FileProblem:
    return FileProblem(f"it is damaged: {column} of {chunk.table} in part {chunk.number}")


def _is_id(value: object) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value <= MOST_GIVEN)


def _holds(rule: _Rule, value: object) -> bool:
    try:
        return bool(rule(value))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _list(text: str) -> bool:
    return isinstance(json.loads(text), list)


def _object(text: str) -> bool:
    return isinstance(json.loads(text), dict)


def _or_none(rule: _Rule) -> _Rule:
    return lambda value: value is None or rule(value)


def _one_of(*values: object) -> _Rule:
    return frozenset(values).__contains__


_RULES: Final[Mapping[str, Mapping[str, _Rule]]] = MappingProxyType(
    {
        "messages": {
            "status": _one_of(*OUTBOUND_STATES, RECEIVED),
            "on_uncertain": _one_of("hold", "resend"),
            "approval": _one_of(None, *get_args(Approval)),
            "media_urls": _or_none(_list),
            "status_callback": _or_none(rows.callback),
        },
        "phones": {"kind": _one_of(*KINDS)},
        "api_keys": {"limits": _or_none(_object)},
        "assistants": {"credentials": _object},
        "enrolments": {"sims": _list},
        "hooks": {"mapping": _object, "verification": _or_none(_object)},
        "webhooks": {
            "shape": _one_of(*get_args(Shape), *get_args(CallbackShape)),
            "method": _one_of(*get_args(Method)),
            "headers": _list,
        },
        "events": {"data": _object},
    }
)
"""Of the columns that hold one of some words, or JSON."""
