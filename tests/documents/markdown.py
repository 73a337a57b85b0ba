"""Markdown as the made documents have it: tables, and the anchors of headings."""

import re
from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a table, and an empty one behind it. Without rows there are none."""
    lines = [_row(row) for row in rows]
    if lines:
        yield from (_row(head), f"|{'---|' * len(head)}", *lines, "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"


def anchor(heading: str) -> str:
    """Returns the anchor of a heading, as both GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def link(text: str, heading: str, page: str = "") -> str:
    """Returns a link to a heading of this page, or of another one."""
    return f"[{text}]({page}#{anchor(heading)})"


_DOCUMENT = re.compile(r"docs/([\w-]+)\.md")


def linked(text: str) -> str:
    """Makes links, for a page of docs/reference/, of the documents that a text names."""
    return _DOCUMENT.sub(r"[\1](../\1.md)", text)


def code(text: str) -> str:
    """Returns a text as code, whatever is in it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
