"""What the commands say of a phone. Pure."""

from collections.abc import Mapping
from typing import Any


def battery(phone: Mapping[str, Any]) -> str | None:
    """Returns a phone's battery, such as `83% charging`. None where it is unknown."""
    level = phone["battery"]
    return None if level is None else f"{level}%{' charging' if phone['charging'] else ''}"


def sim(sim: Mapping[str, Any]) -> str:
    """Returns a SIM as a person reads it, such as `0 +15551112222 AT&T`."""
    number = sim["number"] or "?"
    parts = (sim["slot"], f"{number} (given)" if sim["given"] else number, sim["carrier"])
    return " ".join(str(part) for part in parts if part is not None)
