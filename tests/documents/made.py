"""Which documents are made from the code, and by what: each once."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from phonegate.config.setting_texts import example
from tests import architecture
from tests.documents import samples
from tests.documents.reference import api, beginning, commands, errors, metrics, settings
from tests.pages import forwarding_docs
from tests.phones import link_tables
from tests.recipes import page as recipes

ROOT: Final = Path(__file__).parents[2]

COMMAND: Final = "python -m tests.documents"
"""Writes all of them anew."""

REFERENCE: Final[Mapping[str, Callable[[], str]]] = {
    "README.md": beginning.page,
    "commands.md": commands.page,
    "settings.md": settings.page,
    "api.md": api.page,
    "errors.md": errors.page,
    "metrics.md": metrics.page,
}
"""The pages of docs/reference/, which are made as a whole."""

_MARK: Final = f"<!-- Made from the code. {COMMAND} writes it anew. -->\n\n"


def _whole(page: Callable[[], str]) -> Callable[[str], str]:
    return lambda _: page()


def _marked(page: Callable[[], str]) -> Callable[[str], str]:
    return lambda _: _MARK + page()


MADE: Final[Mapping[Path, Callable[[str], str]]] = {
    architecture.DOCUMENT: architecture.with_map,
    link_tables.DOCUMENT: link_tables.with_tables,
    forwarding_docs.DOCUMENT: forwarding_docs.with_apps,
    recipes.PAGE: _whole(recipes.page),
    ROOT / "docs" / "samples.md": _marked(samples.page),
    ROOT / "gateway.toml.example": _whole(example),
    **{ROOT / "docs" / "reference" / name: _marked(page) for name, page in REFERENCE.items()},
}
"""Makes each document of what it was: most of them keep what people wrote around the made part."""


def outdated() -> Iterator[tuple[Path, str]]:
    """Yields the documents that are not as they should be, and what they should be."""
    for path, make in MADE.items():
        before = path.read_text() if path.exists() else ""
        text = make(before)
        if text != before:
            yield path, text
