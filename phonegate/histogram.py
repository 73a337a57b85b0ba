"""Counts of values by size, kept by the parts themselves and read on demand."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """How many values were at most each of some bounds, and their sum.

    A `note` is one binary search among a dozen bounds and two additions. Not locked: one
    thread notes, others read copies.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` ascend. What is above the last is counted too."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Of values up to each bound and above the one before, then of those above all."""
        self.total = 0.0
        """The sum of all values."""

    def note(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were noted."""
        return sum(self.counts)

    def cumulative(self) -> list[int]:
        """Returns how many values were at most each bound, and at the end how many there were."""
        sums, so_far = [], 0
        for count in self.counts:
            so_far += count
            sums.append(so_far)
        return sums

    def copy(self) -> "Histogram":
        """The counts as they are now."""
        other = Histogram(self.bounds)
        other.counts = self.counts.copy()
        other.total = self.total
        return other
