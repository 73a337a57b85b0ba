"""When a message that has to wait for its SIM's pacing will leave: the promise of `eta_s`. Pure.

The SIM's bucket is taken as it stands, and the sending of what goes before is simulated, message
by message where one of them is longer than the bucket. The message can leave later than promised
if a more urgent one comes after it, or the phone goes away. All that is known at the time of the
promise is part of it.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.domain.pacing import MINUTE_MS, Bucket, PacingRate, eta_s, ready_at, take
from phonegate.model.messages import Candidate, Queue

MOST_LOOKED_AT: Final = 1_000
"""Waiting messages of one queue whose sending is simulated: three quarters of an hour's at the
default pace. What is behind them is only counted, and taken to be short where all of them are."""

_LONGEST_REST_MS: Final = MINUTE_MS + 5_000
"""How long a message that is longer than the bucket may wait for room in the last minute."""


@attrs.frozen(kw_only=True)
class Outlook:
    """What is known of a SIM's pacing while a send is planned."""

    bucket: Bucket
    rate: PacingRate
    now: int
    """By the clock of the bucket."""
    queues: tuple[Queue, ...] = ()
    """The queues that this SIM serves."""
    left_open: tuple[int, ...] = ()
    """Segments of each message of an earlier link, which goes before everything queued."""


@attrs.frozen(kw_only=True)
class Waiting:
    """What waits in a SIM's queues."""

    first: Sequence[Candidate] = ()
    """As many as are simulated, in the order in which they leave."""
    total: int = 0
    """Segments of all that waits."""


@attrs.frozen
class NewEntry:
    """A message about to be queued."""

    priority: int
    segments: int


def etas(outlook: Outlook, waiting: Waiting, entries: Sequence[NewEntry]) -> list[int]:
    """Forecasts whole seconds from now until each of `entries` leaves, queued in this order."""
    rate = outlook.rate
    unseen = max(0, waiting.total - sum(one.segments for one in waiting.first))
    # An entry is younger than all that waits: of these only the less urgent stand behind it.
    line = sorted(
        [
            *((-one.priority, False, at, one.segments) for at, one in enumerate(waiting.first)),
            *((-one.priority, True, at, one.segments) for at, one in enumerate(entries)),
        ]
    )
    lengths = [*outlook.left_open, *(segments for *_, segments in line)]
    found = [0] * len(entries)
    if max(lengths, default=0) <= rate.capacity:
        ahead = sum(outlook.left_open) + unseen
        for _, new, at, segments in line:
            if new:
                found[at] = eta_s(outlook.bucket, rate, ahead, segments, outlook.now)
            ahead += segments
        return found
    bucket, now = outlook.bucket, outlook.now
    for segments in outlook.left_open:
        bucket, now = _sent(bucket, rate, segments, now)
    behind = _unseen_ms(unseen, rate)
    for _, new, at, segments in line:
        bucket, now = _sent(bucket, rate, segments, now)
        if new:
            found[at] = -(-(now + behind - outlook.now) // 1_000)
    return found


def _sent(bucket: Bucket, rate: PacingRate, segments: int, now: int) -> tuple[Bucket, int]:
    """Sends a message as soon as the bucket has room. Returns the bucket then, and the time."""
    now = ready_at(bucket, rate, segments, now)
    after = take(bucket, rate, segments, now)
    assert after is not None, "it was ready"  # noqa: S101
    return after, now


def _unseen_ms(segments: int, rate: PacingRate) -> int:
    """Returns the longest time that so many segments can take, however long their messages are."""
    longs = -(-segments // (rate.capacity + 1))
    return -(-segments * MINUTE_MS // max(1, rate.segments_per_minute)) + longs * _LONGEST_REST_MS
