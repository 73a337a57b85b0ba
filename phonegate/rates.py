"""How often somebody may do something: token buckets, many of them in bounded memory.

Pure but for its own memory: the time, in seconds of any clock that only goes forward, is
passed in. A bucket is one number, the time at which it is full again (the generic cell rate
algorithm, ITU-T I.371), so that one which is full needs no memory at all.
"""

from collections import OrderedDict
from collections.abc import Hashable
from math import ceil
from typing import Generic, TypeVar

import attrs

BURST_S = 5.0
"""A bucket holds what its rate gives in so many seconds: programs begin with everything they
have, and phones come back all at once."""

MEMORY = 16_384
"""Buckets that are remembered, some 3 MB. The one forgotten for a new one was used longest ago,
and is full again unless thousands have come within its burst: who floods stays remembered."""

K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Rate:
    """So many a second, and so many at once."""

    per_s: float
    burst: float

    @classmethod
    def of(cls, per_s: float, seconds: float = BURST_S) -> "Rate | None":
        """A rate with the burst of so many seconds, one at least; None for 0, which is none."""
        return cls(per_s, max(1.0, per_s * seconds)) if per_s > 0 else None

    seconds: float = attrs.field(init=False)
    """How long an empty bucket takes to fill."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "seconds", self.burst / self.per_s)


@attrs.frozen
class Standing:
    """How one bucket is: what it may still give, as RateLimit fields tell it."""

    left: int
    """What may be taken now."""
    full_in_s: int
    """Seconds until it is full again, rounded up."""


class Buckets(Generic[K]):
    """A bucket for each key."""

    def __init__(self, rate: Rate, memory: int = MEMORY) -> None:
        self.rate = rate
        self._memory = memory
        self._full_at: OrderedDict[K, float] = OrderedDict()
        """When each bucket is full again; the one used longest ago is first."""

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: K, now: float, amount: float = 1.0) -> float:
        """Takes from a bucket; 0, or for how many seconds it can't, and nothing was taken then.

        More than a whole bucket is taken from a full one, which then fills for as much longer.
        """
        rate = self.rate
        full_at = self._full_at.get(key, now)
        full_at = max(full_at, now)
        empties = full_at - now + amount / rate.per_s - rate.seconds
        # Rounding must not make a whole bucket hold less than its burst.
        if empties > 1e-6 and full_at > now:  # noqa: PLR2004 - a microsecond
            self._full_at.move_to_end(key)
            return min(empties, full_at - now)
        self._keep(key, full_at + amount / rate.per_s)
        return 0.0

    def spend(self, key: K, now: float, amount: float = 1.0) -> float:
        """Takes from a bucket whatever it holds; for how many seconds it is then in debt."""
        full_at = max(self._full_at.get(key, now), now) + amount / self.rate.per_s
        self._keep(key, full_at)
        return max(0.0, full_at - now - self.rate.seconds)

    def give_back(self, key: K, now: float, amount: float = 1.0) -> None:
        """Puts back what was taken, up to a full bucket."""
        full_at = self._full_at.get(key)
        if full_at is not None:
            self._full_at[key] = max(now, full_at - amount / self.rate.per_s)

    def wait(self, key: K, now: float) -> float:
        """For how many seconds one can't be taken; takes nothing."""
        full_at = self._full_at.get(key)
        if full_at is None:
            return 0.0
        return max(0.0, full_at - now + 1.0 / self.rate.per_s - self.rate.seconds - 1e-6)

    def missing(self, key: K, now: float) -> float:
        """Seconds until a bucket is full."""
        return max(0.0, self._full_at.get(key, now) - now)

    def standing(self, key: K, now: float) -> Standing:
        """How a bucket is."""
        missing = self.missing(key, now)
        left = int(self.rate.burst - missing * self.rate.per_s + 1e-6)
        return Standing(left=max(0, left), full_in_s=ceil(missing))

    def _keep(self, key: K, full_at: float) -> None:
        table = self._full_at
        table[key] = full_at
        table.move_to_end(key)
        if len(table) > self._memory:
            table.popitem(last=False)
