"""Tells whether a stream is written to in colour."""

from collections.abc import Mapping
from typing import TextIO


def asked(environ: Mapping[str, str]) -> bool | None:
    """Returns the choice of the environment. With None, it depends on whether there is a terminal.

    `NO_COLOR` (no-color.org) wins over `FORCE_COLOR`. An empty variable asks for nothing.
    """
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return True if environ.get("FORCE_COLOR") else None


def wanted(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tells whether this stream gets colours."""
    said = asked(environ)
    return stream.isatty() if said is None else said
