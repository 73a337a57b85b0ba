"""When a call that failed is repeated, and when a webhook is given up. Pure. Times are in ms."""

from typing import Final

import attrs

HOUR_S: Final = 3_600

DELAYS_S: Final = (5, 30, 120, 600, 1_800, HOUR_S)
"""Seconds after each of the first failures."""

LATER_S: Final = 3 * HOUR_S
"""Seconds after each further one."""

LASTS_MS: Final = 72 * HOUR_S * 1000
"""For how long an event is tried, and how long a webhook may fail before it is disabled."""

SLACK_MS: Final = 60_000
"""The first call of an event is made a little after it was taken up, so that the last one, three
days later, finds a webhook that has failed for a little less."""

LAST_STRAW_MS: Final = LASTS_MS - SLACK_MS
"""A webhook that has failed for so long and fails again is disabled."""

LEAST_ATTEMPTS: Final = 6
"""An event is given up, and a webhook disabled, only after so many calls, which take 40 minutes: a
clock that was wrong when the machine started makes three days of a moment."""

JITTER: Final = 0.1
"""The largest part of a delay by which it is longer or shorter. What failed together, as when a
receiver was down, then does not return together."""

SHORTEST_PAUSE_S: Final = 1.0
"""A receiver that asks to be called again at once is called after this."""

PATIENT_ATTEMPTS: Final = 20
"""After so many failures a receiver can put the next call off, and no longer hasten it."""

GONE: Final = 410
"""HTTP status of a receiver that wants no more calls (Standard Webhooks 1.0.0)."""


@attrs.frozen(kw_only=True)
class Failure:
    """A call that failed."""

    now: int
    created_at: int
    """When the delivery began."""
    attempts: int
    """How many calls of it were made, this one included."""
    failing_since: int | None
    """The first failure of the webhook after which nothing succeeded. None if it is this one."""
    status: int | None
    retry_after_s: float | None = None
    """What the receiver asks for."""


@attrs.frozen(kw_only=True)
class Sequel:
    """What follows a failure."""

    next_at: int | None
    """None where it is not tried again."""
    disable: str | None = None
    """Why the webhook is to be called no more, in a sentence."""


def after(failure: Failure, luck: float, pace: float = 1.0) -> Sequel:
    """Says what follows a failure.

    Args:
        failure: The call that failed.
        luck: From 0 to 1, at random. It makes the delay shorter or longer.
        pace: What all delays are multiplied by.
    """
    now = failure.now
    if failure.status == GONE:
        return Sequel(next_at=None, disable="It answered 410: it wants no more events.")
    end = failure.created_at + LASTS_MS
    due = now + round(delay_s(failure.attempts, luck, failure.retry_after_s) * pace * 1000)
    since = now if failure.failing_since is None else failure.failing_since
    if failure.attempts < LEAST_ATTEMPTS and failure.retry_after_s is None:
        return Sequel(next_at=due)
    return Sequel(
        # The last call is made when the time is over.
        next_at=min(due, end) if now < end else None,
        disable="Every call has failed for three days." if now - since >= LAST_STRAW_MS else None,
    )


def delay_s(attempts: int, luck: float, asked_s: float | None = None) -> float:
    """Returns the seconds until the next call.

    Args:
        attempts: How many calls have failed.
        luck: From 0 to 1, at random.
        asked_s: What the receiver asks for.
    """
    planned = DELAYS_S[attempts - 1] if attempts <= len(DELAYS_S) else LATER_S
    usual = planned * (1 + JITTER * (2 * luck - 1))
    if asked_s is None:
        return usual
    asked_s = max(asked_s, SHORTEST_PAUSE_S)
    # Always a little later than asked: earlier would be refused.
    asked_s *= 1 + JITTER * luck
    return asked_s if attempts <= PATIENT_ATTEMPTS else max(asked_s, usual)
