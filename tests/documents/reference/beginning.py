"""What people wrote for the pages of the reference: the beginning of each, and the first page."""

from pathlib import Path
from string import Template
from typing import Final

FOLDER: Final = Path(__file__).with_name("beginnings")


def beginning(name: str, **values: object) -> str:
    """Returns how a page begins. `values` are put in place of `$name`."""
    return Template((FOLDER / f"{name}.md").read_text()).substitute(values)


def page() -> str:
    """Returns the page that leads to the others."""
    return beginning("README")
