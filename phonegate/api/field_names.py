"""Finds the unknown fields of a request, and which known ones they may stand for. Pure.

An SMS can't be taken back, so a misspelt field in a request for one (`sendAt`) is refused. Fields
that a client adds of its own are ignored, and the answer names them. Reports of what has happened
may have any field.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs

from phonegate.model.refusals import FieldProblem
from phonegate.typed_json.fields import json_name

MAX_PROBLEMS = 100
"""Problems that one answer lists: enough to repair a call, and small beside the call itself. What
follows the hundredth is not looked at, because to find one costs as much as to read a message."""

MAX_IGNORED = 20
"""Ignored fields that one answer names. A client that adds more of its own knows what it does."""

MAX_NAME = 60
"""Characters of a client's own field name that an answer repeats."""

MAX_SPELLING = 60
"""Characters of a name that may be another spelling of a field's. The longest field has 20."""

SHORTEST_MISSPELT = 5
"""Letters of a field's name that one slip leaves recognisable."""

KEPT_NAMES = 1_024
"""Clients' own names that are remembered: they come in every message of a batch."""


@attrs.define
class UnknownFields:
    """The fields of a request that its type does not know."""

    problems: list[FieldProblem] = attrs.field(factory=list)
    """Those that it is refused for."""
    ignored: list[str] = attrs.field(factory=list)
    """The others, in their order."""

    def look(self, value: object, cls: type, beside: Sequence[str] = (), at: str = "") -> None:
        """Looks at an object of a request and at all those within it.

        Args:
            value: The object. Anything else is for its rule to refuse.
            cls: Its type.
            beside: Names that are known here beside the type's.
            at: Where it stands.
        """
        if type(value) is not dict:
            return
        form = _form(cls)
        if form.reported:
            return
        if not value.keys() <= form.names:
            for name in value:
                if name not in form.names and (form.closed or name not in beside):
                    self._note(name, form, beside, at)
        for name, inner, many in form.inner:
            below = value.get(name)
            if not many:
                self.look(below, inner, at=joined(at, name))
            elif type(below) is list:
                self._look_at_all(below, inner, joined(at, name))

    def _look_at_all(self, items: list[object], cls: type, at: str) -> None:
        form = _form(cls)
        for index, item in enumerate(items):
            # Of a batch of five hundred, nearly always none has a field to tell of.
            if type(item) is dict and (form.inner or not item.keys() <= form.names):
                self.look(item, cls, at=f"{at}[{index}]")

    def _note(self, name: str, form: "_Form", beside: Sequence[str], at: str) -> None:
        known = {**plain_names(tuple(beside)), **form.plain}
        near = meant(name, known)
        if near is None and form.sends and len(name) <= MAX_SPELLING:
            near = known.get(_one_slip_from(plain(name), tuple(known)) or "")
        if near is None and not form.closed:
            if len(self.ignored) < MAX_IGNORED:
                self.ignored.append(joined(at, shown(name)))
        elif len(self.problems) < MAX_PROBLEMS:
            problem = _problem(near, belongs_beside=name in beside)
            self.problems.append(FieldProblem(joined(at, shown(name)), problem))


def _problem(near: str | None, *, belongs_beside: bool) -> str:
    if belongs_beside:
        return "is no field of this body; give it in the query"
    question = "" if near is None else f"; did you mean {near}?"
    return f"is no field of this request{question}"


def names_what_it_ignores(cls: type | None) -> bool:
    """Tells whether the answer to a request of this type may name its ignored fields."""
    return cls is not None and not (_form(cls).closed or _form(cls).reported)


def shown(name: str) -> str:
    """Returns a client's own field name, cut and cleaned for an answer."""
    clean = "".join(c if c.isprintable() else "?" for c in name[:MAX_NAME])
    return clean if len(name) <= MAX_NAME else clean + "…"


def joined(at: str, name: str) -> str:
    """Returns the path of a field within another."""
    return f"{at}.{name}" if at else name


@cache
def plain_names(names: tuple[str, ...]) -> Mapping[str, str]:
    """Returns the names of fields, each under what `plain` makes of it."""
    return {plain(name): name for name in names}


def meant(name: str, known: Mapping[str, str]) -> str | None:
    """Finds the field that another spelling of its name stands for (`sendAt`, `Send-At`)."""
    return known.get(plain(name)) if len(name) <= MAX_SPELLING else None


def plain(name: str) -> str:
    """Returns a name in lower case, without blanks and marks."""
    return "".join(char for char in name.lower() if char.isalnum())


@attrs.frozen(kw_only=True)
class _Form:
    """What is known of a request type's fields."""

    names: frozenset[str]
    plain: Mapping[str, str]
    inner: tuple[tuple[str, type, bool], ...]
    """The fields that hold objects: name, their type, whether it is a list of them."""
    closed: bool
    """Whether an unknown field is refused."""
    sends: bool
    """Whether it asks for an SMS, so that a name near to a known one is refused too."""
    reported: bool
    """Whether it tells what has happened, so that nothing of it is refused for its name."""


@cache
def _form(cls: type) -> _Form:
    fields = attrs.fields(cls)
    found = ((json_name(a.name), *_objects(a.type)) for a in fields)
    return _Form(
        names=frozenset(json_name(a.name) for a in fields),
        plain=plain_names(tuple(json_name(a.name) for a in fields)),
        inner=tuple((name, inner, many) for name, inner, many in found if inner is not None),
        closed=getattr(cls, "closed", False),
        sends=getattr(cls, "sends", False),
        reported=getattr(cls, "reported", False),
    )


@lru_cache(KEPT_NAMES)
def _one_slip_from(name: str, known: tuple[str, ...]) -> str | None:
    """Finds the long name from which this one differs by a letter, or by two that changed places.

    Of short names every third word of a client's own would be one.
    """
    for one in known:
        if len(one) >= SHORTEST_MISSPELT and _is_one_slip(name, one):
            return one
    return None


def _is_one_slip(name: str, known: str) -> bool:
    longer, shorter = (name, known) if len(name) >= len(known) else (known, name)
    if len(longer) - len(shorter) > 1:
        return False
    same = zip(longer, shorter, strict=False)
    at = next((at for at, (one, other) in enumerate(same) if one != other), len(shorter))
    if len(longer) > len(shorter):
        return longer[at + 1 :] == shorter[at:]
    rest = longer[at + 1 :] == shorter[at + 1 :]
    swapped = shorter[at : at + 2] == longer[at : at + 2][::-1]
    return rest or (swapped and longer[at + 2 :] == shorter[at + 2 :])


def _objects(type_: Any) -> tuple[type | None, bool]:
    """Returns the type of the objects that a field holds, and whether it is a list of them."""
    if get_origin(type_) is Annotated:
        return _objects(get_args(type_)[0])
    if get_origin(type_) in {Union, UnionType}:
        kinds = [one for one in get_args(type_) if one is not NoneType]
        return _objects(kinds[0]) if len(kinds) == 1 else (None, False)
    if get_origin(type_) is tuple:
        return _objects(get_args(type_)[0])[0], True
    return (type_, False) if attrs.has(type_) else (None, False)
