"""Colour for printed code: comments and texts apart from the rest. Pure."""

import re
from typing import Final

from markupsafe import Markup, escape

_TOKENS: Final = re.compile(
    r"""
    (?P<comment> (?: (?<=\s) | ^ ) (?: \#\ | //\  ) .* $ )
    | (?P<text> "(?: [^"\\\n] | \\. )*" )
    """,
    re.VERBOSE | re.MULTILINE,
)
"""Enough for JSON, shell commands and Python as the pages print them; an address's // follows
no blank, and a text that runs over lines is left as it is."""

_CODE: Final = re.compile("`([^`]*)`")

_GAPS: Final = re.compile(r"(?<=[,?])(?=\S)|(?=&)")
"""After a comma of JSON, and around the parameters of an address."""


def painted(code: str, *, breaks: bool = True) -> Markup:
    """Renders code as HTML, its text unchanged. A narrow screen may break lines at `_GAPS`.

    Args:
        code: The text.
        breaks: Whether it may. A program keeps its lines.
    """
    plain = _breakable if breaks else escape
    pieces: list[Markup] = []
    end = 0
    for token in _TOKENS.finditer(code):
        pieces.append(plain(code[end : token.start()]))
        pieces.append(Markup('<span class="{}">{}</span>').format(token.lastgroup, token[0]))
        end = token.end()
    return Markup("").join([*pieces, plain(code[end:])])


def marked(text: str) -> Markup:
    """Renders a sentence as HTML, in which `backticks` stand around code."""
    parts = text.split("`")
    pieces = [
        Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts)
    ]
    return Markup("").join(pieces)


def _breakable(code: str) -> Markup:
    return Markup("<wbr>").join(escape(part) for part in _GAPS.split(code))
