"""Rate limits: token buckets, many of them in bounded memory.

Pure but for its own memory: the time, in seconds of any clock that only goes forward, is
passed in. A bucket is one number, the time at which it is full again (the generic cell rate
algorithm, ITU-T I.371), so that one which is full needs no memory at all.
"""

from collections import OrderedDict
from collections.abc import Hashable
from math import ceil, inf
from typing import Generic, TypeVar

import attrs

BURST_S = 5.0
"""A bucket holds what its rate gives in this many seconds: programs send all that they have when
they start, and phones come back all at once."""

MEMORY = 16_384
"""Buckets that are remembered, some 3 MB. A new one replaces the one used longest ago, which is
full again unless thousands came within its burst. So a flood stays remembered."""

_ROUNDING_S = 1e-6
"""A microsecond, which is more than the rounding error of the sums here."""

K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Rate:
    """A number per second, and a number that may come at once."""

    per_s: float
    burst: float

    @classmethod
    def of(cls, per_s: float, seconds: float = BURST_S) -> "Rate | None":
        """Returns a rate with a burst of so many seconds, of one at least. Returns None for 0."""
        return cls(per_s, max(1.0, per_s * seconds)) if per_s > 0 else None

    seconds: float = attrs.field(init=False)
    """How long an empty bucket takes to fill."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "seconds", self.burst / self.per_s)


@attrs.frozen
class Standing:
    """What one bucket may still give, as RateLimit fields state it."""

    left: int
    """How much may be taken now."""
    full_in_s: int
    """Seconds until it is full again, rounded up."""


class Buckets(Generic[K]):
    """A bucket for each key.

    Args:
        rate: What flows into each bucket, and how much it holds.
        memory: How many buckets are remembered.
        longest_s: The longest that a bucket may take to be full again. Any debt beyond that is
            forgiven. This also bounds the effect of a clock that was set back.
    """

    def __init__(self, rate: Rate, memory: int = MEMORY, *, longest_s: float = inf) -> None:
        self.rate = rate
        self._memory = memory
        self._longest_s = longest_s
        self._full_at: OrderedDict[K, float] = OrderedDict()
        """When each bucket is full again. The one used longest ago is first."""

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: K, now: float, amount: float = 1.0) -> float:
        """Takes from a bucket, if it holds enough.

        An amount larger than a bucket is taken from a full one, which then takes longer to fill.

        Returns:
            0, or the seconds until it holds enough. In that case nothing was taken.
        """
        rate = self.rate
        missing = self.missing(key, now)
        empties = missing + amount / rate.per_s - rate.seconds
        # Rounding must not make a full bucket hold less than its burst.
        if empties > _ROUNDING_S and missing > 0:
            self._full_at.move_to_end(key)
            return min(empties, missing)
        self._keep(key, now + missing + amount / rate.per_s)
        return 0.0

    def spend(self, key: K, now: float, amount: float = 1.0) -> float:
        """Takes from a bucket whatever it holds. Returns the seconds for which it is in debt."""
        missing = self.missing(key, now) + amount / self.rate.per_s
        self._keep(key, now + missing)
        return max(0.0, missing - self.rate.seconds)

    def give_back(self, key: K, now: float, amount: float = 1.0) -> None:
        """Puts back what was taken, up to a full bucket."""
        full_at = self._full_at.get(key)
        if full_at is not None:
            self._full_at[key] = max(now, full_at - amount / self.rate.per_s)

    def wait(self, key: K, now: float) -> float:
        """Returns the seconds until one can be taken. Takes nothing."""
        rate = self.rate
        return max(0.0, self.missing(key, now) + 1.0 / rate.per_s - rate.seconds - _ROUNDING_S)

    def missing(self, key: K, now: float) -> float:
        """Returns the seconds until a bucket is full."""
        full_at = self._full_at.get(key)
        if full_at is None or full_at <= now:
            return 0.0
        if full_at - now > self._longest_s:
            self._full_at[key] = full_at = now + self._longest_s
        return full_at - now

    def standing(self, key: K, now: float) -> Standing:
        """Returns what a bucket may still give."""
        missing = self.missing(key, now)
        left = int(self.rate.burst - missing * self.rate.per_s + _ROUNDING_S)
        return Standing(left=max(0, left), full_in_s=ceil(missing))

    def _keep(self, key: K, full_at: float) -> None:
        table = self._full_at
        table[key] = full_at
        table.move_to_end(key)
        if len(table) > self._memory:
            table.popitem(last=False)
