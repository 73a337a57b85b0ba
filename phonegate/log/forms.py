"""The two forms of a line: text for people, JSON for machines.

Each of a thousand requests a second has its line, so both are put together without any detour.
"""

import json
import re
import time
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any, Final

LONGEST_VALUE: Final = 2_000
"""Characters of one field's text. A library's message may be of any size."""

_STYLES: Final = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
}
_PLAIN: Final = "\x1b[0m"

_QUOTED: Final = re.compile("[ =\"']")
"""What a word of a text line may not hold."""

# ASCII: escapes every line separator of Unicode, and lone surrogates.
_ENCODER: Final = json.JSONEncoder(default=repr)

Fields = dict[str, Any]

Form = Callable[[str, str, str, str, Fields], str]
"""Makes a line of an event's time, level, part, name and fields, without a line's end."""


def now() -> str:
    """Returns the time, in UTC to a microsecond, as RFC 3339 writes it."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1_000:06d}Z"


@lru_cache(maxsize=2)  # that of the last line, mostly
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def as_json(timestamp: str, level: str, part: str, event: str, fields: Fields) -> str:
    """Returns an event as a JSON object of ASCII, with a space after each colon and comma."""
    pairs = [f'{{"timestamp": "{timestamp}"{_after_the_time(level, event, part)}']
    for name, value in fields.items():
        kind = type(value)
        if kind is str:
            text = encode_basestring_ascii(value if len(value) <= LONGEST_VALUE else _cut(value))
        elif kind is int:
            text = str(value)
        else:
            text = _ENCODER.encode(_cut(value))
        pairs.append(_key(name) + text)
    return ", ".join(pairs) + "}"


@lru_cache(maxsize=1_024)  # more than there are events
def _after_the_time(level: str, event: str, part: str) -> str:
    fields = {"level": level, "event": _cut(event), "part": _cut(part)}
    return f", {_ENCODER.encode(fields)[1:-1]}"


@lru_cache(maxsize=1_024)  # more than there are names of fields
def _key(name: str) -> str:
    return f"{_ENCODER.encode(name)}: "


class Text:
    """Renders an event as time, level, name and key=value, without control characters."""

    def __init__(self, *, colours: bool) -> None:
        self._levels = {
            level: f"{style}{level:<7}{_PLAIN}" if colours else f"{level:<7}"
            for level, style in _STYLES.items()
        }

    def __call__(self, timestamp: str, level: str, part: str, event: str, fields: Fields) -> str:
        """Returns the line of an event."""
        words = [timestamp, self._levels[level], _word(event), f"part={_word(_cut(part))}"]
        words += [f"{_word(name)}={_word(_cut(value))}" for name, value in fields.items()]
        return " ".join(words)


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value


def _word(value: Any) -> str:
    """Returns a value as one word, or quoted and with every unprintable character escaped."""
    text = value if isinstance(value, str) else repr(value)
    if text and text.isprintable() and _QUOTED.search(text) is None:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
