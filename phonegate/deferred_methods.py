"""Has attrs compile the methods of a class when they are first called.

attrs writes the source of `__init__`, `__eq__`, `__hash__` and `__repr__` for each class, and
compiles it at once. With hundreds of classes that is a third of a start, and most of it for methods
that a gateway calls late or never. What is compiled later is what attrs has written, and stands in
its class from the first call on as if it had been there from the start.

attrs has no setting for this, so one method of its class builder is replaced. Where an attrs has
none of that name, or a class that is made on trial does not work, all is as usual.
"""

import importlib
from collections.abc import Callable
from functools import WRAPPER_ASSIGNMENTS, wraps
from typing import Any

import attrs


def defer() -> None:
    """Applies to the classes that are defined from now on."""
    builder: Any = getattr(importlib.import_module("attr._make"), "_ClassBuilder", None)
    usual = getattr(builder, "_eval_snippets", None)
    if usual is None or hasattr(usual, "__wrapped__"):
        return

    @wraps(usual)
    def _eval_snippets(self: Any) -> None:
        for script, names, attach in self._script_snippets:
            attach(self._cls_dict, _Later(script, names))

    builder._eval_snippets = _eval_snippets  # noqa: SLF001 - see above
    if not _works():
        builder._eval_snippets = usual  # noqa: SLF001 - as above


def _works() -> bool:
    try:
        made = attrs.make_class("Trial", ["value"], frozen=True)
        return {made(1), made(1)} == {made(1)} and repr(made(1)) == "Trial(value=1)"
    except Exception:  # noqa: BLE001 - of whatever an attrs to come does
        return False


class _Later(dict[str, Callable[..., Any]]):
    """What attrs takes the methods of a script from: here, one that stands in for each."""

    def __init__(self, script: str, names: dict[str, Any]) -> None:
        self._script, self._names = script, names

    def __missing__(self, name: str) -> Callable[..., Any]:
        return _stand_in(name, self._script, self._names)


def _stand_in(name: str, script: str, names: dict[str, Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **more: Any) -> Any:
        scope = dict(names)
        exec(compile(script, f"<attrs {method.__qualname__}>", "exec"), scope)  # noqa: S102 - of attrs
        made = scope[name]
        for one in (*WRAPPER_ASSIGNMENTS, "__annotations__"):
            setattr(made, one, getattr(method, one))
        for owner in type(self).__mro__:
            if owner.__dict__.get(name) is method:
                setattr(owner, name, made)
        return made(self, *args, **more)

    method.__name__ = name
    return method
