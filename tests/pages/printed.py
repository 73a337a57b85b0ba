"""What a served page prints: its blocks of code in order, taken from its text as a reader would."""

import re
from html.parser import HTMLParser

import attrs


@attrs.frozen
class Block:
    """A block of code and what kind of thing it is."""

    kind: str
    text: str


def blocks_of_html(page: str) -> list[Block]:
    """Every `<pre>`; the text is what a browser would copy of it."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.blocks


def blocks_of_markdown(text: str) -> list[Block]:
    """Every fenced block, with the language as its kind."""
    return [
        Block(*found)
        for found in re.findall(r"^```(\w*)\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._kind: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            assert self._kind is None, "a <pre> within a <pre>"
            self._kind, self._text = dict(attrs).get("data-kind") or "unnamed", ""

    def handle_data(self, data: str) -> None:
        if self._kind is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre" and self._kind is not None:
            self.blocks.append(Block(self._kind, self._text))
            self._kind = None
