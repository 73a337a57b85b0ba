"""Has attrs make the `__repr__` of a class when it is first asked for.

attrs writes the source of each class's methods and compiles it. With hundreds of classes that is a
third of a start, and half of it for `__repr__`, which a gateway that works never calls. What is
made later is what attrs makes: the same source, so that fields with secrets stay out of it.

attrs has no setting for this, so a method of its class builder is replaced. Where an attrs has
none of that name, all is as usual.
"""

import importlib
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any


def defer() -> None:
    """Applies to the classes that are defined from now on."""
    make: Any = importlib.import_module("attr._make")
    builder: Any = getattr(make, "_ClassBuilder", None)
    script_of = getattr(make, "_make_repr_script", None)
    usual = getattr(builder, "add_repr", None)
    if script_of is None or usual is None or hasattr(usual, "__wrapped__"):
        return

    @wraps(usual)
    def add_repr(self: Any, ns: str | None) -> Any:
        made = _when_asked(script_of, self._attrs, ns)
        self._cls_dict["__repr__"] = self._add_method_dunders(made)
        self._repr_added = True
        return self

    builder.add_repr = add_repr


def _when_asked(
    script_of: Callable[[Sequence[Any], str | None], tuple[str, dict[str, Any]]],
    fields: Sequence[Any],
    ns: str | None,
) -> Callable[[Any], str]:
    made: Callable[[Any], str] | None = None

    def __repr__(self: Any) -> str:  # noqa: N807 - it becomes the method
        nonlocal made
        if made is None:
            script, names = script_of(fields, ns)
            exec(script, names)  # noqa: S102 - of attrs
            made = names["__repr__"]
        return made(self)

    return __repr__
