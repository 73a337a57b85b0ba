"""Makes pages that are the table's answers: of templates, for the path prefix of a request."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from phonegate.api.endpoint import Request

if TYPE_CHECKING:
    from jinja2 import Environment


class Printer:
    """Makes pages.

    Args:
        asset: Returns the path of a file that a page loads.
    """

    def __init__(self, asset: Callable[[str], str]) -> None:
        self._asset = asset

    @cached_property
    def _templates(self) -> "Environment":
        # With the first page: at its start a gateway needs no templates.
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

        return Environment(
            # From the package, which may be within a zip file, and not from a folder.
            loader=PackageLoader("phonegate.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def page(self, template: str, request: Request, **context: Any) -> bytes:
        """Returns a page in HTML. Its links lead to where the client sees the gateway."""

        def asset(name: str) -> str:
            return f"{request.prefix}{self._asset(name)}"

        home = f"{request.prefix}/"
        text = self._templates.get_template(template).render(asset=asset, home=home, **context)
        return text.encode()
