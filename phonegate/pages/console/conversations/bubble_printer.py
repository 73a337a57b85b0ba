"""Prints bubbles by the macro that pages use, for the live stream."""

from functools import cache
from typing import TYPE_CHECKING, Any

from phonegate.pages.console.conversations.bubbles import Bubble
from phonegate.pages.console.visit import console_url

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _templates() -> "Environment":
    # With the first console: at its start a gateway needs no templates.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    return Environment(
        loader=PackageLoader("phonegate.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class BubblePrinter:
    """Prints bubbles, in whatever thread.

    Args:
        prefix: The path prefix under which the browser sees the gateway.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def print(self, shown: Bubble) -> str:
        """Returns a bubble as HTML."""
        module: Any = _templates().get_template("console/parts/bubble.html").module
        return str(module.bubble(shown, self._url))

    def _url(self, path: str, *parts: object, **query: Any) -> str:
        return console_url(self._prefix, path, *parts, **query)
