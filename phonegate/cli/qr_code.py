"""QR codes for a terminal: two rows of modules in a line of text. Pure."""

from typing import Final

import click
import segno

QUIET_ZONE: Final = 4
"""Light modules around the code (ISO/IEC 18004, 6.3.8)."""

_HALVES: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""The letter by what is drawn of it: its upper and its lower half."""

SHAPES: Final = "".join(_HALVES.values())

BLACK: Final = 16
WHITE: Final = 231
"""By the palette of 256 colours, whose first sixteen terminals change as they like."""


def lines(text: str, *, coloured: bool) -> list[str]:
    """Returns the lines of a code that holds a text.

    Without colours its light modules are drawn, and the dark ones left out: terminals without any
    are mostly dark, and scanners read both ways.
    """
    code = segno.make(text, error="m", micro=False)
    rows = [list(row) for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    drawn = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(upper, lower, strict=True)
        if coloured:
            line = "".join(_HALVES[pair] for pair in pairs)
            drawn.append(click.style(line, fg=BLACK, bg=WHITE))
        else:
            drawn.append("".join(_HALVES[1 - top, 1 - bottom] for top, bottom in pairs))
    return drawn
