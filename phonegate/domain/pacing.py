"""How fast one SIM may send: a token bucket counted in segments, exact and pure.

Android stops an app at 30 segments in any 60 seconds and asks the owner (AOSP SmsUsageMonitor,
`sms_outgoing_check_max_count` and `sms_outgoing_check_interval_ms`). An unattended phone then
sends nothing more. At the default rate of 24 a minute the bucket holds 6, and 6 + 24 = 30.

Two rules give that bound for every minute, wherever it begins:

- A message needs `min(segments, capacity)` in the bucket and takes all its segments, going into
  debt where it has more. So long messages pass too, and what follows waits the debt out.
- A message longer than the bucket also waits until the last minute has room for it, since a full
  bucket says only that the SIM kept to its rate, not that it rested.

Times are milliseconds of any clock, the same one for all calls on a bucket. A monotonic clock is
best. A clock that is set back or forward costs at most one capacity too many, never a stall.
"""

from collections.abc import Iterable, Mapping
from typing import Self

import attrs

from phonegate.model.phones import number_form

MINUTE_MS = 60_000
"""The window of Android's own limit, and the unit of a rate. A segment's worth of level is as
many units as a minute has milliseconds, so that refilling is exact in integers."""

CLOCK_JITTER_MS = 1_000
"""A `now` that is up to this much older than the bucket was read a little earlier, and counts as
no time passed. One that is older still means that the clock was set back: nothing that the
bucket says about time holds then, and it counts as rested."""

_BIN_MS = 5_000
"""The takes of five seconds share one entry of `recent`: at most 14 entries however high the
rate, and a long message waits at most five seconds more than it must."""


def _not_negative(_instance: object, _attribute: object, value: int) -> None:
    if value < 0:
        raise ValueError("segments per minute can't be negative; 0 means no limit")


@attrs.frozen
class PacingRate:
    """How much a SIM may send. 0 segments per minute means no limit."""

    segments_per_minute: int = attrs.field(validator=_not_negative)

    @property
    def unlimited(self) -> bool:
        """Tells whether this rate lets everything pass."""
        return self.segments_per_minute == 0

    @property
    def capacity(self) -> int:
        """Segments that may leave at once after a rest: a quarter of a minute's."""
        return max(1, self.segments_per_minute // 4)

    @property
    def ceiling(self) -> int:
        """The most segments in any minute, one message that is longer by itself excepted."""
        return self.segments_per_minute + self.capacity


@attrs.frozen(kw_only=True)
class PacingRates:
    """Which rate counts for a SIM: its own, else its org's, else the usual one."""

    usual: PacingRate
    by_org: Mapping[str, PacingRate] = attrs.field(factory=dict)
    by_number: Mapping[str, PacingRate] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of_settings(
        cls, segments_per_minute: int, orgs: Iterable[str], sims: Iterable[str]
    ) -> Self:
        """Builds it from entries such as "myorg=0" and "+15551112222=10".

        Raises:
            ValueError: an entry is not a name, an equals sign and a number.
        """
        return cls(
            usual=PacingRate(segments_per_minute),
            by_org=dict(map(parse_limit, orgs)),
            by_number={number_form(name): rate for name, rate in map(parse_limit, sims)},
        )

    def of(self, org: str, number: str | None) -> PacingRate:
        """Returns the rate of a SIM of `org`. `number` is in its form, or None if it is unknown."""
        if number is not None and number in self.by_number:
            return self.by_number[number]
        return self.by_org.get(org, self.usual)


def parse_limit(entry: str) -> tuple[str, PacingRate]:
    """Reads an entry such as "myorg=0". Returns whose limit it sets, and to what.

    Raises:
        ValueError: The entry is wrong, as its text says for a person.
    """
    name, sign, number = entry.rpartition("=")
    if not (sign and name.strip() and number.strip().isdecimal()):
        raise ValueError(f"{entry!r} is no name=segments, such as myorg=0")
    return name.strip(), PacingRate(int(number))


@attrs.frozen
class Bucket:
    """What one SIM may send now, as of `updated_ms`.

    `level` counts 1/60,000 of a segment and is negative while in debt. `recent` holds
    what was taken in the last minute or so as (start of five seconds, segments), oldest first.
    """

    level: int
    updated_ms: int
    recent: tuple[tuple[int, int], ...] = ()

    @classmethod
    def full(cls, rate: PacingRate, now: int) -> Self:
        """Returns the bucket of a SIM that has rested."""
        return cls(rate.capacity * MINUTE_MS, now)


def take(bucket: Bucket, rate: PacingRate, segments: int, now: int) -> Bucket | None:
    """Takes a message's segments. Returns the bucket after it, or None if it has to wait."""
    if rate.unlimited:
        return Bucket.full(rate, now)
    bucket = _refilled(bucket, rate, now)
    if _wait(bucket, rate, segments) > 0:
        return None
    start = bucket.updated_ms - bucket.updated_ms % _BIN_MS
    recent = bucket.recent
    if recent and recent[-1][0] == start:
        recent = (*recent[:-1], (start, recent[-1][1] + segments))
    else:
        recent = (*recent, (start, segments))
    return Bucket(bucket.level - segments * MINUTE_MS, bucket.updated_ms, recent)


def give_back(bucket: Bucket, rate: PacingRate, segments: int, now: int) -> Bucket:
    """Undoes a `take` whose message did not leave after all."""
    if rate.unlimited:
        return Bucket.full(rate, now)
    bucket = _refilled(bucket, rate, now)
    level = min(bucket.level + segments * MINUTE_MS, rate.capacity * MINUTE_MS)
    recent, left = [], segments
    for start, taken in reversed(bucket.recent):
        undone = min(taken, left)
        left -= undone
        if taken > undone:
            recent.append((start, taken - undone))
    return Bucket(level, bucket.updated_ms, tuple(reversed(recent)))


def ready_at(bucket: Bucket, rate: PacingRate, segments: int, now: int) -> int:
    """Returns the earliest time, `now` or later, at which `take` gives a bucket."""
    if rate.unlimited:
        return now
    bucket = _refilled(bucket, rate, now)
    wait = _wait(bucket, rate, segments)
    return now if wait == 0 else bucket.updated_ms + wait


def forecast(bucket: Bucket, rate: PacingRate, waiting: int, segments: int, now: int) -> int:
    """Returns when a message may leave if `waiting` segments of others leave before it.

    Exact while those and it are no longer than the bucket, a lower bound otherwise.
    """
    if rate.unlimited:
        return now
    bucket = _refilled(bucket, rate, now)
    need = (waiting + min(segments, rate.capacity)) * MINUTE_MS - bucket.level
    alone = _wait(bucket, rate, segments)
    wait = max(alone, -(-need // rate.segments_per_minute))
    return now if wait <= 0 else bucket.updated_ms + wait


def eta_s(bucket: Bucket, rate: PacingRate, waiting: int, segments: int, now: int) -> int:
    """Returns the `forecast` in whole seconds from now, rounded up. 0 means at once."""
    return -(-(forecast(bucket, rate, waiting, segments, now) - now) // 1_000)


def _refilled(bucket: Bucket, rate: PacingRate, now: int) -> Bucket:
    elapsed = now - bucket.updated_ms
    if elapsed < -CLOCK_JITTER_MS:
        return Bucket.full(rate, now)
    elapsed = max(elapsed, 0)
    now = bucket.updated_ms + elapsed
    level = min(bucket.level + elapsed * rate.segments_per_minute, rate.capacity * MINUTE_MS)
    recent = bucket.recent
    while recent and recent[0][0] + _BIN_MS + MINUTE_MS <= now:
        recent = recent[1:]
    return Bucket(level, now, recent)


def _wait(bucket: Bucket, rate: PacingRate, segments: int) -> int:
    """Milliseconds from `updated_ms` until the message may leave, of a bucket just refilled."""
    need = min(segments, rate.capacity) * MINUTE_MS - bucket.level
    wait = max(0, -(-need // rate.segments_per_minute))
    if segments > rate.capacity:
        taken = sum(count for _, count in bucket.recent)
        for start, count in bucket.recent:
            if taken + segments <= rate.ceiling:
                break
            # The last take of the entry may have been at the end of its five seconds.
            wait = max(wait, start + _BIN_MS + MINUTE_MS - bucket.updated_ms)
            taken -= count
    return wait
