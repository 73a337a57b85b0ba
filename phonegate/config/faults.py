"""The faults of a configuration, in words for its operator."""

from difflib import get_close_matches
from os.path import commonprefix
from typing import Any

import attrs

_LONGEST_SHOWN = 60


@attrs.frozen(kw_only=True)
class Fault:
    """One thing to correct. `key` is such as "http.bind", and `source` says where it comes from."""

    key: str
    source: str
    problem: str

    def __str__(self) -> str:
        """Returns one line for the operator."""
        return printable_line(f"{self.key} ({self.source}): {self.problem}")


class ConfigError(Exception):
    """The configuration can't be used. `faults` names everything that is wrong with it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


def unknown(key: str, source: str, what: str, known: list[str]) -> Fault:
    """Returns the fault for an unknown name, with the name that was probably meant."""
    # A part that all names have in common makes none of them more likely.
    prefix = commonprefix(known) if len(known) > 1 else ""  # noqa: RUF071 - names, no paths
    tails = [name.removeprefix(prefix) for name in known]
    found = get_close_matches(key.rpartition(".")[2].removeprefix(prefix), tails, n=1)
    close = [prefix + tail for tail in found]
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    if not close and what == "setting":
        hint = "gateway.toml.example lists all of them"
    return Fault(key=key, source=source, problem=f"there is no such {what}; {hint}")


def shown_value(value: Any) -> str:
    """Returns a wrong value for a message: short, on one line. Never call it with a secret."""
    text = printable_line(repr(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def printable_line(text: str) -> str:
    """Returns a text without line breaks and control characters."""
    words = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)
