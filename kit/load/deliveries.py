"""What was sent and what arrived: counts and times, message by message."""

import asyncio
import time
from array import array
from collections.abc import Sequence
from typing import Any

import attrs

PREFIX = "Your appointment is tomorrow at 2:00 PM. Ref "
"""What the messages say, before their number."""


def text(number: int) -> str:
    return f"{PREFIX}{number:08d}"


def number_of(body: str) -> int:
    return int(body[-8:])


class Deliveries:
    """Counts pushes by message and times each from its request to its phone."""

    def __init__(self) -> None:
        self.asked_at = array("d")
        self.pushes = bytearray()
        self.arrived = 0
        """Messages that a phone has got, repeats not counted."""
        self.accepted = 0
        """Messages that were answered with success."""
        self.latencies = array("d")
        """Seconds from the request to the phone, of those since `begin`."""
        self._marks = 0
        self._news = asyncio.Event()

    def take(self) -> int:
        """Returns the number of a new message, asked for now."""
        self.asked_at.append(time.perf_counter())
        self.pushes.append(0)
        return len(self.pushes) - 1

    def begin(self) -> None:
        """What is asked for from now on is measured."""
        self._marks = len(self.pushes)
        del self.latencies[:]

    @property
    def begun(self) -> int:
        """Messages asked for since `begin`."""
        return len(self.pushes) - self._marks

    def pushed(self, _: object, push: dict[str, Any]) -> None:
        number = number_of(push["body"])
        if not self.pushes[number]:
            self.arrived += 1
            if number >= self._marks:
                self.latencies.append(time.perf_counter() - self.asked_at[number])
        self._news.set()
        self.pushes[number] = min(self.pushes[number] + 1, 255)

    async def all_arrived(self) -> None:
        """Waits until a phone has got every accepted message."""
        while self.arrived < self.accepted:
            self._news.clear()
            await self._news.wait()

    def missing(self) -> int:
        return self.pushes.count(0)

    def repeated(self) -> int:
        return sum(count > 1 for count in self.pushes)


@attrs.frozen
class Quantiles:
    """Of some seconds: in milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Quantiles":
        ranked = sorted(seconds)
        if not ranked:
            return cls(float("nan"), float("nan"))
        return cls(
            ranked[len(ranked) // 2] * 1000,
            ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)] * 1000,
        )
