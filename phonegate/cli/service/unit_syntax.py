"""Words and paths as they are written in a unit of systemd. Pure.

Each directive has its own rules: a command knows quotes, `%` and `$`, a list of paths no `$`, and
a single path no quotes.
"""

from pathlib import PurePath
from typing import Final

PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./,:=@+")
"""Characters that mean nothing to systemd within a word."""

SHELL: Final = ("/bin/sh", "-c", 'exec "$0" "$@"')
"""Starts the program that follows, with its arguments, in its own place."""

_NO_PROGRAM: Final = frozenset("\"'\\$")
"""What systemd refuses in the path of a program (`string_is_safe` in its source), and `$`, which it
replaces in the name that the program sees but not in the path."""

_DELETE: Final = "\x7f"
_HALF_CHARACTERS: Final = ("\ud800", "\udfff")
"""How Python has bytes that are no UTF-8. systemd drops a line of such."""


class NotForUnits(ValueError):
    """A path has a character that no unit can hold."""


def command(words: tuple[str, ...]) -> str:
    """Returns a command for `ExecStart=` (systemd.service(5), Command lines).

    Raises:
        NotForUnits: A word has a character that a unit can't hold.
    """
    if _NO_PROGRAM & set(words[0]):
        words = (*SHELL, *words)
    return " ".join(map(_argument, words))


def word(text: str) -> str:
    """Returns a word of a list, as in `ReadWritePaths=` and `Environment=` (systemd.exec(5)).

    Raises:
        NotForUnits: It has a character that a unit can't hold.
    """
    _demand_line(text)
    if text and not set(text) - PLAIN:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped.replace("%", "%%")}"'


def path(one: PurePath) -> str:
    """Returns the path for `WorkingDirectory=`, where quotes and backslashes stand for themselves.

    Raises:
        NotForUnits: It has a character that a unit can't hold.
    """
    text = str(one)
    _demand_line(text)
    # At the end of a line, a blank is dropped, and a backslash has the next line follow.
    end = "/" if text.endswith((" ", "\\")) else ""
    return text.replace("%", "%%") + end


def _argument(text: str) -> str:
    return word(text.replace("$", "$$"))


def _demand_line(text: str) -> None:
    first, last = _HALF_CHARACTERS
    if any(one < " " or one == _DELETE or first <= one <= last for one in text):
        raise NotForUnits(
            f"{text!a} can't be written into a unit of systemd: it has a line break, another "
            "control character, or bytes that are no UTF-8."
        )
