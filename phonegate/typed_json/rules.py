"""Strict rules that know nothing of SMS. Each explains in a sentence what it refuses. Pure.

Nothing is coerced: `true` is no number and `"5"` no integer.
"""

import re
from typing import Any, Final

import attrs

from phonegate.typed_json.fields import Rule, Wrong

DIGITS: Final = re.compile(r"-?[0-9]{1,30}")
"""A whole number in a query, of at most so many digits."""

NEVER_STORED: Final = re.compile("[\x00\ud800-\udfff]")
"""What no database or UTF-8 takes: NUL, and halves of surrogate pairs."""


@attrs.frozen
class Text(Rule):
    """Text of `shortest` to `longest` characters (code points), without NUL or lone surrogates."""

    shortest: int
    longest: int
    blank: bool = True
    """Whether it may consist of nothing but blanks."""
    line: bool = False
    """Whether all of it must be printable, such as a name in a list."""

    def read(self, value: object) -> str:
        """Returns the text itself."""
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
        if found := NEVER_STORED.search(value):
            kind = "a NUL character" if found[0] == "\x00" else "half of a surrogate pair"
            raise Wrong(f"holds {kind} at position {found.start()}")
        if not self.blank and not value.strip():
            raise Wrong("must not be empty")
        if self.line and not value.isprintable():
            raise Wrong(f"must be {self.shortest} to {self.longest} printable characters")
        return value


@attrs.frozen
class Whole(Rule):
    """A whole number within limits, both of them allowed."""

    least: int
    most: int

    def read(self, value: object) -> int:
        """Returns the number. 1.0 is one by JSON Schema (2020-12 Core, 4.2.1)."""
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
        """Returns the number, from decimal digits."""
        if not DIGITS.fullmatch(text):
            raise Wrong("must be a whole number")
        return self.read(int(text))


@attrs.frozen
class Flag(Rule):
    """Yes or no."""

    def read(self, value: object) -> bool:
        """Returns the answer. 1 and "yes" are none."""
        if type(value) is not bool:
            raise Wrong("must be true or false")
        return value

    def read_text(self, text: str) -> bool:
        """Returns the answer, from `true` or `false`."""
        if text not in {"true", "false"}:
            raise Wrong("must be true or false")
        return text == "true"


@attrs.frozen
class OneOf(Rule):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        """Returns the word."""
        if type(value) is not str or value not in self.words:
            raise Wrong(f"must be one of: {', '.join(self.words)}")
        return value


@attrs.frozen
class Several(Rule):
    """A list of `fewest` to `most` items, whose own type says what each may be."""

    fewest: int
    most: int

    def read(self, value: object) -> Any:
        """Returns the list, its items still to be read."""
        if type(value) is not list:
            raise Wrong("must be a list")
        if len(value) < self.fewest:
            raise Wrong(f"must hold at least {self.fewest}")
        if len(value) > self.most:
            raise Wrong(f"holds {len(value)}, at most {self.most} are allowed in one call")
        return value

    def read_text(self, text: str) -> Any:
        """Returns the items of a comma-separated list."""
        return self.read(text.split(","))


class Written(Rule):
    """A text of a form that only its own reader knows, such as a list or a time of other APIs."""

    __slots__ = ()


class _Description(Rule):
    """A rule that only describes a field: a function of its own reads or writes it."""

    __slots__ = ()

    def read(self, value: object) -> object:
        """Gives the value back."""
        return value


@attrs.frozen
class Entry(_Description):
    """An object, whose own fields are read one by one."""

    form: Any
    """The type that declares the object's fields."""


@attrs.frozen
class Entries(Entry):
    """A list of objects, of which one that can't be read costs the others nothing."""

    most: int | None = None
    """So many are allowed. Without it, what is too much is left out."""
    or_null: bool = False


@attrs.frozen
class Word(_Description):
    """A word for programs, of which later versions may have others."""


@attrs.frozen
class Echo(_Description):
    """A text, an integer or null of the other side, which comes back as it went."""
