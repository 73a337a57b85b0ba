"""What a terminal shows, as an SVG drawing that is sharp at every size. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Final

import attrs

FONT_PX: Final = 14
COLUMN_PX: Final = 8.43
"""The width of a letter of usual fonts of one width, at that size. Each piece of text is stretched
to its columns, so that another font shifts nothing."""

LINE_PX: Final = 20
EDGE_PX: Final = 18
BAR_PX: Final = 34

COLOURS: Final[Mapping[int, str]] = {
    31: "#ff8f85",
    32: "#7fd6a4",
    33: "#e8c069",
    34: "#8fb8ff",
    35: "#d9a3e8",
    36: "#7fd3d9",
    90: "#9a9a94",
    91: "#ff8f85",
    92: "#7fd6a4",
    93: "#e8c069",
    94: "#8fb8ff",
    95: "#d9a3e8",
    96: "#7fd3d9",
}
"""By the numbers of ECMA-48 (SGR), for a dark ground."""

GROUND, TEXT = "#161714", "#e9e9e2"

_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER = re.compile(r"\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b[=>]|\r")


@attrs.frozen
class _Style:
    colour: int | None = None
    bold: bool = False
    faint: bool = False

    def then(self, codes: str) -> "_Style":
        """Returns the style after a sequence of numbers."""
        style = self
        for code in (int(one or 0) for one in codes.split(";")):
            match code:
                case 0:
                    style = _Style()
                case 1:
                    style = attrs.evolve(style, bold=True)
                case 2:
                    style = attrs.evolve(style, faint=True)
                case 22:
                    style = attrs.evolve(style, bold=False, faint=False)
                case 39:
                    style = attrs.evolve(style, colour=None)
                case _ if code in COLOURS:
                    style = attrs.evolve(style, colour=code)
        return style

    @property
    def attributes(self) -> str:
        found = [] if self.colour is None else [f'fill="{COLOURS[self.colour]}"']
        found += ['font-weight="700"'] if self.bold else []
        found += ['opacity=".7"'] if self.faint else []
        return "".join(f" {one}" for one in found)


def picture(command: str, output: str, columns: int = 100) -> str:
    """Returns the drawing of a command and what it printed, with its colours.

    Args:
        command: As it is typed.
        output: What it printed. Longer lines than `columns` are cut.
        columns: The width of the terminal.
    """
    prompt = f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m"
    lines = [prompt, *_OTHER.sub("", output).rstrip("\n").split("\n")]
    width = round(columns * COLUMN_PX + 2 * EDGE_PX)
    height = len(lines) * LINE_PX + EDGE_PX + BAR_PX
    style, drawn = _Style(), []
    for row, line in enumerate(lines):
        style, pieces = _pieces(style, line, columns)
        y = BAR_PX + row * LINE_PX + FONT_PX
        drawn += [_text(*piece, y) for piece in pieces if piece[2].strip()]
    dots = "".join(
        f'<circle cx="{EDGE_PX + 4 + 18 * at}" cy="17" r="5" fill="#44463f"/>' for at in range(3)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'role="img" aria-label="{escape(command)}" font-size="{FONT_PX}" fill="{TEXT}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" '
        'style="white-space:pre">\n'
        f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>{dots}\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _pieces(style: _Style, line: str, columns: int) -> tuple[_Style, list[tuple[int, _Style, str]]]:
    """Returns the style at a line's end, and its pieces: column, style, and text of one style."""
    cells: list[tuple[int, _Style, str]] = []
    at = 0
    for number, part in enumerate(_STYLE.split(line)):
        if number % 2:
            style = style.then(part)
            continue
        for letter in part:
            if at < columns:
                cells.append((at, style, letter))
            at += _width(letter)
    return style, list(_joined(cells))


def _joined(cells: list[tuple[int, _Style, str]]) -> Iterator[tuple[int, _Style, str]]:
    for style, group in groupby(cells, key=lambda cell: cell[1]):
        found = list(group)
        yield found[0][0], style, "".join(letter for _, _, letter in found)


def _width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def _text(column: int, style: _Style, text: str, y: int) -> str:
    start = len(text) - len(text.lstrip())
    shown = text.strip()
    x = EDGE_PX + (column + start) * COLUMN_PX
    length = sum(map(_width, shown)) * COLUMN_PX
    return (
        f'<text x="{x:.2f}" y="{y}" textLength="{length:.2f}"{style.attributes}>'
        f"{escape(shown)}</text>"
    )
