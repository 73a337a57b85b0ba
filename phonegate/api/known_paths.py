"""Suggests an address to a caller who asked at one where nothing is. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

MAX_LENGTH: Final = 200
"""Characters of a path that are looked at: the longest address has a third of them."""

MAX_WORD: Final = 20
"""Characters of a part that may be a misspelt word of an address. The longest has 10."""

ALIKE: Final = 0.7
"""How like a word must be to one that is meant, as `difflib` counts: sned is to send by 0.75."""

PAGES: Final = (
    ("GET", "/docs"),
    ("GET", "/llms.txt"),
    ("GET", "/openapi.json"),
    ("GET", "/websocket"),
)
"""What is no endpoint of the table, and has an address all the same."""


class KnownPaths:
    """Finds the address that a caller may have meant. A path's own words are never repeated.

    Args:
        addresses: Each method with the path template that it is recommended at.
    """

    def __init__(self, addresses: Iterable[tuple[str, str]]) -> None:
        self._by_word: dict[str, list[tuple[str, str]]] = {}
        for method, template in (*addresses, *PAGES):
            self._by_word.setdefault(template.split("/")[1], []).append((method, template))

    def nearest(self, method: str, path: str) -> str | None:
        """Returns the method and template that come nearest to a path, as sent, or None."""
        parts = [part for part in path[:MAX_LENGTH].lower().split("/") if part]
        at, word = self._word(parts)
        if word is None:
            return None
        rest = parts[at + 1 :]

        def distance(address: tuple[str, str]) -> tuple[int, bool]:
            words = address[1].split("/")[2:]
            strange = sum(
                given != word
                for given, word in zip(rest, words, strict=False)
                if not word.startswith("{")
            )
            return strange * 2 + abs(len(words) - len(rest)), address[0] != method

        meant: tuple[str, str] = min(self._by_word[word], key=distance)
        return " ".join(meant)

    def _word(self, parts: list[str]) -> tuple[int, str | None]:
        """Finds the part that is, or looks like, the first word of an address."""
        for at, part in enumerate(parts):
            if part in self._by_word:
                return at, part
        if parts and len(parts[0]) <= MAX_WORD:
            for word in get_close_matches(parts[0], self._by_word, n=1, cutoff=ALIKE):
                return 0, word
        return 0, None
