"""The pacing buckets of all SIMs that have sent lately. They outlive connections."""

from collections.abc import Callable, Hashable, Iterable
from typing import Final

import trio

from phonegate.domain.pacing import Bucket, PacingRate, give_back, ready_at, take

SWEEP_AT: Final = 1_024
"""Buckets kept before the rested ones are first removed. Afterwards it is twice those that stay."""


def _monotonic_ms() -> int:
    return int(trio.current_time() * 1000)


class Pacer:
    """Takes segments from buckets by key. A rested bucket is as good as none and goes."""

    def __init__(self, clock: Callable[[], int] = _monotonic_ms) -> None:
        """`clock` gives monotonic milliseconds."""
        self._clock = clock
        self._buckets: dict[Hashable, tuple[Bucket, PacingRate]] = {}
        self._sweep_at = SWEEP_AT

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, rate: PacingRate, segments: int) -> bool:
        """Takes a message's segments. Returns False where it has to wait."""
        return self.take_all(key, rate, (segments,))

    def take_all(self, key: Hashable, rate: PacingRate, segments: Iterable[int]) -> bool:
        """Takes the segments of each of some messages. Takes nothing where one has to wait."""
        if rate.unlimited:
            return True
        now = self._clock()
        bucket: Bucket | None = self._bucket(key, rate, now)
        for its in segments:
            if bucket is not None:
                bucket = take(bucket, rate, its, now)
        if bucket is None:
            return False
        self._buckets[key] = (bucket, rate)
        if len(self._buckets) > self._sweep_at:
            self._sweep(now)
        return True

    def give_back(self, key: Hashable, rate: PacingRate, segments: int) -> None:
        """Undoes a `take` whose message did not leave."""
        if not rate.unlimited and key in self._buckets:
            now = self._clock()
            self._buckets[key] = (give_back(self._buckets[key][0], rate, segments, now), rate)

    def wait_s(self, key: Hashable, rate: PacingRate, segments: int) -> float:
        """Returns the seconds until a message of so many segments may leave, 0 for now."""
        if rate.unlimited or key not in self._buckets:
            return 0.0
        now = self._clock()
        return max(0, ready_at(self._bucket(key, rate, now), rate, segments, now) - now) / 1000

    def look(self, key: Hashable, rate: PacingRate) -> tuple[Bucket, int]:
        """Returns a bucket as it stands, and the time by its clock."""
        now = self._clock()
        return self._bucket(key, rate, now), now

    def _bucket(self, key: Hashable, rate: PacingRate, now: int) -> Bucket:
        known = self._buckets.get(key)
        return Bucket.full(rate, now) if known is None else known[0]

    def _sweep(self, now: int) -> None:
        # A bucket that would give a whole minute's worth is full and took nothing lately.
        rested = [
            key
            for key, (bucket, rate) in self._buckets.items()
            if ready_at(bucket, rate, rate.ceiling, now) <= now
        ]
        for key in rested:
            del self._buckets[key]
        self._sweep_at = max(SWEEP_AT, 2 * len(self._buckets))
