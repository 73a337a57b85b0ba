"""The words of a search, marked in the texts that were found. Pure."""

import re
import unicodedata
from typing import Final

from markupsafe import Markup, escape

_WORD: Final = re.compile(r"\w+")

AROUND: Final = 60
"""Characters of a text that are shown before the first word that was sought."""

MOST: Final = 200
"""Characters of a text that a list of what was found shows."""


def terms(search: str) -> tuple[frozenset[str], str | None]:
    """Returns the words of a search, folded, and the beginning of a word where it ends in a `*`."""
    words = [_folded(word) for word in _WORD.findall(search)]
    if words and search.rstrip().endswith("*"):
        return frozenset(words[:-1]), words[-1]
    return frozenset(words), None


def marked_words(text: str, search: str) -> Markup:
    """Renders a text as HTML, in which the words of a search are marked."""
    whole, beginning = terms(search)
    pieces: list[Markup] = []
    end = 0
    for found in _WORD.finditer(text):
        if _is_sought(found[0], whole, beginning):
            pieces.append(escape(text[end : found.start()]))
            pieces.append(Markup("<mark>{}</mark>").format(found[0]))
            end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])


def excerpt(text: str, search: str) -> Markup:
    """Renders one line around the first word of a text that was sought."""
    line = " ".join(text.split())
    whole, beginning = terms(search)
    at = next(
        (one.start() for one in _WORD.finditer(line) if _is_sought(one[0], whole, beginning)), 0
    )
    start = max(0, at - AROUND)
    shown = line[start : start + MOST]
    before, after = "…" if start else "", "…" if start + MOST < len(line) else ""
    return Markup("{}{}{}").format(before, marked_words(shown, search), after)


def _is_sought(word: str, whole: frozenset[str], beginning: str | None) -> bool:
    folded = _folded(word[:100])
    return folded in whole or (beginning is not None and folded.startswith(beginning))


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word[:100])
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()
