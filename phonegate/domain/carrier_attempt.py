"""Handing a message to its carrier: repeated while it certainly was not taken, never otherwise.

What comes out is all that can be known within the deadline.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from phonegate.domain.carrier import (
    Carrier,
    CarrierFault,
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)

FIRST_PAUSE_S: Final = 0.5
"""Before the first repeat: a carrier that restarts a process is back by then."""
LONGEST_PAUSE_S: Final = 5.0
SHORTEST_TRY_S: Final = 0.5
"""A try with less time than a carrier's usual answer takes could only end in uncertainty."""


@attrs.frozen(kw_only=True)
class Taken:
    """The carrier has it."""

    told: CarrierMessage


@attrs.frozen(kw_only=True)
class Rejected:
    """The carrier does not want it."""

    fault: CarrierFault


@attrs.frozen(kw_only=True)
class Untaken:
    """The carrier certainly does not have it, and could not be asked again in time."""

    reason: str
    retry_after_s: float | None = None


@attrs.frozen(kw_only=True)
class Lost:
    """The carrier may have it."""

    reason: str
    tried_at: int
    """When the try that may have succeeded ended, in ms."""


Outcome = Taken | Rejected | Untaken | Lost

LookUp = Callable[[], Awaitable[frozenset[str]]]
"""Gives the carrier's ids of other messages between the same two numbers."""


async def hand_over(
    carrier: Carrier,
    message: Outbound,
    *,
    deadline_s: float,
    others: LookUp,
    now_ms: Callable[[], int],
    closing: trio.Event,
) -> Outcome:
    """Sends a message within `deadline_s`; what got lost on the way is looked for, not repeated.

    Once `closing` is set nothing more is tried.
    """
    until = trio.current_time() + deadline_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return Taken(told=await carrier.send(message, deadline_s=until - trio.current_time()))
        except CarrierRefusal as refusal:
            return Rejected(fault=refusal.fault)
        except OutcomeUnknown as unknown:
            lost = Lost(reason=unknown.reason, tried_at=now_ms())
            try:
                tried = attrs.evolve(message, tried_at=lost.tried_at)
                found = await _look_for(carrier, tried, until, others, closing)
            except OutcomeUnknown:
                return lost
            if found is not None:
                return Taken(told=found)
            untaken = Untaken(reason="the carrier never got it")
        except NotTaken as error:
            untaken = Untaken(reason=error.reason, retry_after_s=error.retry_after_s)
        wait_s = pause_s if untaken.retry_after_s is None else untaken.retry_after_s
        late = trio.current_time() + wait_s + SHORTEST_TRY_S > until
        late = late or await _interrupted(closing, wait_s)
        if late or (message.not_after is not None and now_ms() >= message.not_after):
            return untaken
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _look_for(
    carrier: Carrier, message: Outbound, until: float, others: LookUp, closing: trio.Event
) -> CarrierMessage | None:
    """The message as the carrier has it; None means that it certainly has not.

    Raises:
        OutcomeUnknown: it could not be known in time.
    """
    pause_s = FIRST_PAUSE_S
    while trio.current_time() + pause_s + SHORTEST_TRY_S <= until:
        if await _interrupted(closing, pause_s):
            break
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        message = attrs.evolve(message, others=await others())
        try:
            return await carrier.find(message, deadline_s=until - trio.current_time())
        except (NotTaken, OutcomeUnknown):
            continue
    raise OutcomeUnknown("there was no time left to look for it")


async def _interrupted(closing: trio.Event, wait_s: float) -> bool:
    """Waits; whether it was cut short."""
    with trio.move_on_after(wait_s):
        await closing.wait()
    return closing.is_set()
