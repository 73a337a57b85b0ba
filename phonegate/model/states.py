"""The life of an outbound message: a pure table of what may follow what.

`queued → sending → sent → delivered`, or it ends `failed`, `expired`, `cancelled`, or
`uncertain`, which a late report can still resolve. No entry of the table leads backwards, so
reports in any order, and repeated ones, leave a message where the furthest of them put it. The
furthest is the proof that it was sent: a delivery, which replaces even a failure, since networks
report "not yet" in words that phones take for "never".
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

QUEUED: Final = "queued"
"""Waits in the database: for its time, a phone, or its SIM's pacing."""
SENDING: Final = "sending"
"""Pushed to a phone or carrier, and waiting for its answer."""
SENT: Final = "sent"
"""The phone's radio or the carrier accepted it."""
DELIVERED: Final = "delivered"
"""The recipient's phone confirmed it."""
FAILED: Final = "failed"
"""The phone, the carrier or the recipient's network refused it. A later delivery replaces this."""
EXPIRED: Final = "expired"
"""Its `ttl` ran out before it was given to any phone."""
CANCELLED: Final = "cancelled"
"""Withdrawn by its sender before it left, as far as is known. Proof that it left replaces this."""
UNCERTAIN: Final = "uncertain"
"""A phone or carrier had it, and never reported a result."""
RECEIVED: Final = "received"
"""Inbound. Never changes."""

OUTBOUND_STATES: Final = (
    QUEUED,
    SENDING,
    SENT,
    DELIVERED,
    FAILED,
    EXPIRED,
    CANCELLED,
    UNCERTAIN,
)
STATES: Final = (*OUTBOUND_STATES, RECEIVED)

FINAL_STATES: Final = frozenset({DELIVERED, FAILED, EXPIRED, CANCELLED})
"""Nothing more is expected in these states. Only proof that a message was sent changes one."""

UNDELIVERED: Final = frozenset({FAILED, EXPIRED, UNCERTAIN})
"""States of a message that its recipient did not get, or may not have."""

LEFT: Final = frozenset({SENT, DELIVERED})
"""States of a message that has left, as far as its phone or carrier says."""

LOST: Final = UNDELIVERED | {CANCELLED}
"""States of a message that will not leave any more, or may never be known to have left."""


class Cause(Enum):
    """Why a message moves from one state to another: what happened to it."""

    PUSHED = "handed to a phone or carrier"
    RADIOED = "a send result of success"
    REFUSED = "a send result of failure"
    DROPPED = "the holder confirmed a cancellation"
    DELIVERED = "a delivery report of success"
    UNDELIVERED = "a delivery report of failure"
    LOST_TRACK = "the holder vanished, or said that it does not know"
    OUT_OF_TIME = "its time ran out"
    WITHDRAWN = "the sender cancelled it"
    RECALLED = "the sender cancelled it, which its holder can't have sent, away as it is"


_NEXT: Final[dict[tuple[str, Cause], str]] = {
    (QUEUED, Cause.PUSHED): SENDING,
    (QUEUED, Cause.OUT_OF_TIME): EXPIRED,
    (QUEUED, Cause.WITHDRAWN): CANCELLED,
    (SENDING, Cause.RADIOED): SENT,
    (SENDING, Cause.REFUSED): FAILED,
    (SENDING, Cause.DROPPED): CANCELLED,
    # A delivery report can arrive before the send result.
    (SENDING, Cause.DELIVERED): DELIVERED,
    (SENDING, Cause.UNDELIVERED): FAILED,
    (SENDING, Cause.RECALLED): CANCELLED,
    (SENDING, Cause.LOST_TRACK): UNCERTAIN,
    # Once pushed, it may have left: it can't be called expired.
    (SENDING, Cause.OUT_OF_TIME): UNCERTAIN,
    (UNCERTAIN, Cause.RADIOED): SENT,
    (UNCERTAIN, Cause.REFUSED): FAILED,
    (UNCERTAIN, Cause.DROPPED): CANCELLED,
    (UNCERTAIN, Cause.DELIVERED): DELIVERED,
    (UNCERTAIN, Cause.UNDELIVERED): FAILED,
    (SENT, Cause.DELIVERED): DELIVERED,
    (SENT, Cause.UNDELIVERED): FAILED,
    (FAILED, Cause.DELIVERED): DELIVERED,
    (CANCELLED, Cause.RADIOED): SENT,
    (CANCELLED, Cause.DELIVERED): DELIVERED,
}


STORED_AS: Final = frozenset({QUEUED, SENDING, RECEIVED})
"""The states in which a message can be stored."""


def allows(before: str | None, after: str | None) -> bool:
    """Tells whether a message may go from one state to another.

    Before it is stored, and once it is deleted, the state is None. A message can be deleted in any
    state.
    """
    if before is None:
        return after in STORED_AS
    return after is None or (before, after) in _MOVES


_MOVES: Final = frozenset((before, after) for (before, _), after in _NEXT.items())


def may_become(before: str, after: str) -> bool:
    """Tells whether a message may come from one state to another one, by any number of steps."""
    return after in _LATER.get(before, ())


def _later() -> Mapping[str, frozenset[str]]:
    found = {status: {after for before, after in _MOVES if before == status} for status in STATES}
    for _ in STATES:
        for later in found.values():
            later.update(*(found[status] for status in later))
    return {status: frozenset(later) for status, later in found.items()}


_LATER: Final = _later()


def advance(status: str, cause: Cause) -> str | None:
    """Returns the state that `cause` leads to from `status`, or None where it changes nothing."""
    return _NEXT.get((status, cause))


def delivered_at(reported: int | None, *, sent_at: int, now: int) -> int:
    """Returns when a message counts as delivered, in ms.

    This is the reported time, kept between the time of sending and now: it comes from the clock
    of the phone or carrier, which may be minutes or years off.
    """
    return max(sent_at, min(reported or now, now))
