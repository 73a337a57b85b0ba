"""Strict rules that know nothing of SMS, each with the sentence for who broke it. Pure.

Nothing is coerced: `true` is no number and "5" no integer.
"""

import re
from typing import Any, Final

import attrs

from phonegate.typed_json.fields import Wrong

DIGITS: Final = re.compile(r"-?[0-9]{1,30}")
"""A whole number in a query, of at most so many digits."""

_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")


@attrs.frozen
class Text:
    """Text of `shortest` to `longest` characters (code points), without NUL or lone surrogates."""

    shortest: int
    longest: int
    blank: bool = True
    """Whether it may consist of nothing but blanks."""
    line: bool = False
    """Whether all of it must be printable, such as a name in a list."""

    def read(self, value: object) -> str:
        """The text itself."""
        if type(value) is not str:
            raise Wrong("must be text")
        if len(value) < self.shortest:
            raise Wrong(
                "must not be empty"
                if self.shortest == 1
                else f"must have at least {self.shortest} characters"
            )
        if len(value) > self.longest:
            raise Wrong(f"has {len(value)} characters, at most {self.longest} are allowed")
        if found := _FORBIDDEN.search(value):
            kind = "a NUL character" if found[0] == "\x00" else "half of a surrogate pair"
            raise Wrong(f"holds {kind} at position {found.start()}")
        if not self.blank and not value.strip():
            raise Wrong("must not be empty")
        if self.line and not value.isprintable():
            raise Wrong(f"must be {self.shortest} to {self.longest} printable characters")
        return value

    def read_text(self, text: str) -> str:
        """The text itself."""
        return self.read(text)


@attrs.frozen
class Whole:
    """A whole number within limits, both of them allowed."""

    least: int
    most: int

    def read(self, value: object) -> int:
        """The number. `true` is none, 1.0 is one by JSON Schema (2020-12 Core, 4.2.1)."""
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise Wrong("must be a whole number")
        if value < self.least:
            raise Wrong(f"must be at least {self.least}")
        if value > self.most:
            raise Wrong(f"must be at most {self.most}")
        return value

    def read_text(self, text: str) -> int:
        """The number, from decimal digits."""
        if not DIGITS.fullmatch(text):
            raise Wrong("must be a whole number")
        return self.read(int(text))


@attrs.frozen
class Flag:
    """Yes or no."""

    def read(self, value: object) -> bool:
        """The answer; 1 and "yes" are none."""
        if type(value) is not bool:
            raise Wrong("must be true or false")
        return value

    def read_text(self, text: str) -> bool:
        """The answer, from `true` or `false`."""
        if text not in {"true", "false"}:
            raise Wrong("must be true or false")
        return text == "true"


@attrs.frozen
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        """The word."""
        if type(value) is not str or value not in self.words:
            raise Wrong(f"must be one of: {', '.join(self.words)}")
        return value

    def read_text(self, text: str) -> str:
        """The word."""
        return self.read(text)


@attrs.frozen
class Several:
    """A list of `fewest` to `most` items, whose own type says what each may be."""

    fewest: int
    most: int

    def read(self, value: object) -> Any:
        """The list, its items still to be read."""
        if type(value) is not list:
            raise Wrong("must be a list")
        if len(value) < self.fewest:
            raise Wrong(f"must hold at least {self.fewest}")
        if len(value) > self.most:
            raise Wrong(f"holds {len(value)}, at most {self.most} are allowed in one call")
        return value

    def read_text(self, text: str) -> Any:
        """The items of a comma-separated list."""
        return self.read(text.split(","))
