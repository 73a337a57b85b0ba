"""What the contract of a carrier is tried on: an implementation, and a hand on its other end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import trio

from kit.fake_carrier import FaultKind
from phonegate.domain.carrier import Account, Outbound

from .samples import BODY

LOST_AFTERWARDS: tuple[FaultKind, ...] = (
    "slow",
    "error_after",
    "cut_after",
    "truncated",
    "garbage",
    "noise",
)
"""Taken, and not told so in time."""
LOST_BEFORE: tuple[FaultKind, ...] = ("error_before", "cut_before")
"""Not taken, which nobody can know from here."""


class Stand(ABC):
    """One implementation, with no grace time, and the far end of it."""

    carrier: Account
    unknown_id: str
    refusal_says = "STOP"
    """A word of the refusal of `refused`."""

    @classmethod
    @abstractmethod
    async def open(cls, nursery: trio.Nursery, folder: Path) -> Self:
        """Builds it with its far end, which lives as long as the nursery."""

    @abstractmethod
    def message(self, *, body: str = BODY, media_urls: Sequence[str] = ()) -> Outbound:
        """A message that it can send, to a recipient who exists."""

    @abstractmethod
    def refused(self) -> tuple[Outbound, str]:
        """A message that is refused for good, and the code that it is refused with."""

    @abstractmethod
    def failing(self) -> tuple[Outbound, str]:
        """A message that is taken and fails later, and the code of that."""

    @abstractmethod
    def taken(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        """What was taken, once for each SMS that goes out: sender, recipient, body, media."""

    @abstractmethod
    def trouble(self, kind: FaultKind, *, reading: bool = False, delay_s: float = 0.6) -> None:
        """Makes the next request to send, or else to read, go wrong. `slow` takes `delay_s`."""

    @abstractmethod
    async def end_time(self) -> None:
        """Ends the time of a request that is `slow`, once the far end has done what it asks."""

    @abstractmethod
    async def done(self, carrier_id: str) -> None:
        """Returns when the message has come to its end."""

    @abstractmethod
    def unreachable(self) -> Account:
        """The same implementation without its far end."""

    async def close(self) -> None:
        """Ends it."""
        await self.carrier.aclose()
