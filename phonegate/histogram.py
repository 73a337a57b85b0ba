"""Histograms: counts of values by size, kept by the measured parts and read on demand."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts how many values were at most each of some bounds, and their sum.

    A `note` is one binary search among a dozen bounds and two additions. There is no lock: one
    thread notes values, and others read copies.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` ascend. Values above the last one are counted too."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """The counts of values up to each bound and above the one before, then of those above all.
        """
        self.total = 0.0
        """The sum of all values."""

    def note(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """The number of values noted."""
        return sum(self.counts)

    def cumulative(self) -> list[int]:
        """Returns how many values were at most each bound, and at the end how many there were."""
        sums, so_far = [], 0
        for count in self.counts:
            so_far += count
            sums.append(so_far)
        return sums

    def copy(self) -> "Histogram":
        """Returns a copy of the counts as they are now."""
        other = Histogram(self.bounds)
        other.counts = self.counts.copy()
        other.total = self.total
        return other
