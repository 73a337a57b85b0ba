"""Writes plain values as XML, the way PHP programs do: a list is so many elements `item`. Pure."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 (2.2) has no way to write."""


def plain_xml(root: str, value: object) -> str:
    """Returns a value below an element of that name. What XML can't write becomes a blank.

    Args:
        root: The name of the outermost element.
        value: A text, a number, None, or a mapping or list of such.
    """
    return "".join(_element(root, value))


def _element(name: str, value: object) -> Iterator[str]:
    if value is None:
        yield f"<{name}/>"
        return
    yield f"<{name}>"
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _element(key, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _element("item", inner)
    else:
        yield escape(_UNWRITABLE.sub(" ", str(value)), quote=False)
    yield f"</{name}>"
