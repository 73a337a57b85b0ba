"""Where a conversation stands: its party as a part of a path, and back. Pure."""

from typing import Final
from urllib.parse import quote

BASE: Final = "/conversations"

_BLANK: Final = "%20"
"""Begins what a browser would take for no part of a path, or for another folder. No party begins
with a space."""


def address_path(address: str) -> str:
    """Returns a party as one part of a path. It may be empty, or hold a slash."""
    coded = quote(address, safe="")
    return f"{_BLANK}{coded}" if coded in {"", ".", ".."} else coded


def address_of(part: str) -> str:
    """Returns the party of a part of a path that was decoded once."""
    return part.strip(" ")


def conversation(address: str) -> str:
    """Returns the path of a conversation below the console."""
    return f"{BASE}/{address_path(address)}"
