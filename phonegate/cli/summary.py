"""The summary of a simulation in words. Pure."""

from collections.abc import Mapping
from typing import Final

_AMISS: Final = ("failed", "uncertain", "cancelled")
_MORE: Final[Mapping[str, str]] = {
    "repeats": "Repeated pushes",
    "cuts": "Links lost on purpose",
    "crashes": "Crashes",
}


def sentence(summary: Mapping[str, int]) -> str:
    """Returns what the phones did, for a person. `summary` has the counts by their JSON names."""
    phones = summary["phones"]
    who, they, were = ("It", "it", "was") if phones == 1 else (f"{phones} phones", "they", "were")
    given, messages = summary["received"], "message" if summary["received"] == 1 else "messages"
    amiss = ", ".join(f"{summary[name]} {name}" for name in _AMISS if summary[name])
    more = "".join(f" {words}: {summary[name]}." for name, words in _MORE.items() if summary[name])
    return (
        f"Stopped. {who} {were} given {given} {messages} and sent {summary['radioed']}"
        f"{f' ({amiss})' if amiss else ''}; {they} received {summary['inbound_sent']}, "
        f"of which the gateway has {summary['inbound_acked']}.{more}"
    )
