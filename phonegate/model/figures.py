"""Figures of messages: how many of which kind there were in a time, and how long they took. Pure.

What happened is counted in the hour in which it happened, by the SIM or carrier that did it. A
message that failed and was delivered after all counts as both.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Self

import attrs

WAIT_BOUNDS_MS: Final = tuple(
    round(seconds * 1000)
    for seconds in (0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3_600, 21_600)
)
"""Waits are counted up to each of these, and beyond the last. The table has a column for each."""

WAITS: Final = len(WAIT_BOUNDS_MS) + 1

COUNTED: Final = ("sent", "delivered", "failed", "expired", "uncertain", "received", "segments")
"""What is counted beside the waits. `segments` are those of what was sent."""

MAX_SENDER: Final = 40
"""Longest name of a sender in the figures."""


@attrs.frozen(kw_only=True)
class Figures:
    """What happened in some time."""

    sent: int = 0
    delivered: int = 0
    failed: int = 0
    expired: int = 0
    uncertain: int = 0
    received: int = 0
    segments: int = 0
    to_sent: tuple[int, ...] = (0,) * WAITS
    """How many were sent after waits up to each bound, since they might leave."""
    to_delivered: tuple[int, ...] = (0,) * WAITS
    """How many were delivered after such waits, since they might leave too."""

    def __add__(self, other: Self) -> Self:
        return attrs.evolve(
            self,
            **{name: getattr(self, name) + getattr(other, name) for name in COUNTED},
            to_sent=tuple(map(sum, zip(self.to_sent, other.to_sent, strict=True))),
            to_delivered=tuple(map(sum, zip(self.to_delivered, other.to_delivered, strict=True))),
        )

    @property
    def unsent(self) -> int:
        """The messages that failed or whose time ran out."""
        return self.failed + self.expired


@attrs.frozen(kw_only=True)
class SenderFigures:
    """What a SIM or carrier did in some time."""

    sender: str
    figures: Figures
    busiest: int
    """The segments of its busiest hour."""


@attrs.frozen(kw_only=True)
class GatewayHour:
    """How the gateway was at the end of an hour."""

    hour: int
    """Hours since 1970."""
    database_bytes: int
    free_bytes: int
    """On the disk of the database."""
    messages: int


def wait_step(wait_ms: int) -> int:
    """Returns among which waits one is counted."""
    return bisect_left(WAIT_BOUNDS_MS, wait_ms)


def quantile(counts: Sequence[int], part: float) -> float | None:
    """Returns the wait, in seconds, that this part of all waits did not exceed.

    Within a step waits count as evenly spread. None where there are none. Of waits beyond the last
    bound only that bound is known.
    """
    wanted = sum(counts) * part
    if not wanted:
        return None
    lower = 0
    for count, upper in zip(counts, WAIT_BOUNDS_MS, strict=False):
        if count >= wanted:
            return (lower + (upper - lower) * wanted / count) / 1000
        wanted -= count
        lower = upper
    return lower / 1000


def sender_name(sim: str | None, phone: int | None, sim_slot: int | None, provider: str) -> str:
    """Returns by which name what a SIM or carrier did is counted.

    That is its number where it is known, else the phone's id with the slot, as in "#12:0" or
    "#12:", else the provider, as in "@twilio".
    """
    if sim:
        return sim[:MAX_SENDER]
    return f"@{provider}" if phone is None else slot_name(phone, sim_slot)


def slot_name(phone: int, sim_slot: int | None) -> str:
    """Returns by which name what a SIM did is counted whose number is not known."""
    return f"#{phone}:{'' if sim_slot is None else sim_slot}"


def parse_sender(name: str) -> tuple[int, int | None] | None:
    """Returns the phone and slot of a sender whose number is not known. None of another."""
    phone, colon, slot = name.removeprefix("#").partition(":")
    if not name.startswith("#") or not colon or not phone.isdecimal():
        return None
    return int(phone), int(slot) if slot.isdecimal() else None
