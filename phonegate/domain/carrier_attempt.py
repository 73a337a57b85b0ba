"""One attempt to hand a message to its carrier: what is sent, when it is repeated, what is stored.

A message is sent again only while it is certain that the carrier does not have it. Where the answer
got lost, the message is looked for instead. The outcome is what can be known by the deadline.
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from phonegate.domain import carrier_reports
from phonegate.domain.carrier import (
    Carrier,
    CarrierFault,
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)
from phonegate.domain.carrier_timings import CarrierTimings, PollTimings
from phonegate.model.messages import Message, PageQuery
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MANY: Final = 1_000
"""Messages to one recipient among which one is looked for."""

MOST_BYTES: Final = 1 << 28
"""More than the texts of so many messages for a carrier can have."""


@attrs.frozen(kw_only=True)
class Accepted:
    """The carrier has the message."""

    message: CarrierMessage


@attrs.frozen(kw_only=True)
class Rejected:
    """The carrier refused the message for good."""

    fault: CarrierFault


@attrs.frozen(kw_only=True)
class NotAccepted:
    """The carrier certainly does not have the message, and could not be asked again in time."""

    reason: str
    retry_after_s: float | None = None


@attrs.frozen(kw_only=True)
class Unknown:
    """The carrier may have the message."""

    reason: str
    tried_at: int
    """When the try that may have succeeded ended, in ms."""


Outcome = Accepted | Rejected | NotAccepted | Unknown

LookUp = Callable[[], Awaitable[frozenset[str]]]
"""Gives the carrier's ids of other messages between the same two numbers."""


def new_reference(account_mark: str) -> str:
    """Makes a reference for a message that is first tried at the account with this mark."""
    return f"{uuid.uuid4()}:{account_mark}"


def is_of_account(message: Message, account_mark: str) -> bool:
    """Tells whether a message that may have been taken can be looked for at an account.

    Another account than that of its first try knows nothing of the message, and would take it
    for one that was never sent.
    """
    _, _, mark = (message.reference or "").partition(":")
    return mark in {"", account_mark}


def outbound(
    message: Message, *, tried_at: int | None = None, others: frozenset[str] = frozenset()
) -> Outbound:
    """Makes the message that a carrier gets of a stored one: the same for every try."""
    return Outbound(
        sender=message.sim or "",
        recipient=message.address,
        body=message.body,
        media_urls=message.media_urls or (),
        reference=message.reference or "",
        accepted_at=message.first_tried_at or message.created_at,
        tried_at=tried_at,
        not_after=message.expires_at,
        others=others,
        callback_url=message.callback_url,
    )


async def other_ids(database: Database, message: Message) -> frozenset[str]:
    """Reads the carrier's ids of an org's other messages to the same recipient."""
    # Whole, however long the texts are: one left out could be taken for another.
    query = PageQuery(limit=MANY, direction="out", address=message.address, most_bytes=MOST_BYTES)
    page = await database.read(lambda tx: tx.messages.page(message.org, query))
    return frozenset(
        other.carrier_id
        for other in page
        if other.carrier_id is not None and other.id != message.id
    )


async def hand_over(
    carrier: Carrier,
    message: Outbound,
    *,
    deadline_s: float,
    others: LookUp,
    now_ms: Callable[[], int],
    closing: trio.Event,
    timings: CarrierTimings,
) -> Outcome:
    """Sends a message, and looks for it where the carrier's answer got lost.

    Args:
        carrier: The account to send it over.
        message: What to send.
        deadline_s: Everything ends within it.
        others: Gives the ids that can't be the message's when it is looked for.
        now_ms: The wall clock.
        closing: Nothing more is tried once it is set.
        timings: The pauses between tries.
    """
    until = trio.current_time() + deadline_s
    pause_s = timings.first_pause_s
    while True:
        try:
            return Accepted(
                message=await carrier.send(message, deadline_s=until - trio.current_time())
            )
        except CarrierRefusal as refusal:
            return Rejected(fault=refusal.fault)
        except OutcomeUnknown as error:
            unknown = Unknown(reason=error.reason, tried_at=now_ms())
            try:
                tried = attrs.evolve(message, tried_at=unknown.tried_at)
                found = await _look_for(
                    carrier, tried, until=until, others=others, closing=closing, timings=timings
                )
            except OutcomeUnknown:
                return unknown
            if found is not None:
                return Accepted(message=found)
            not_accepted = NotAccepted(reason="the carrier never got it")
        except NotTaken as error:
            not_accepted = NotAccepted(reason=error.reason, retry_after_s=error.retry_after_s)
        wait_s = pause_s if not_accepted.retry_after_s is None else not_accepted.retry_after_s
        late = trio.current_time() + wait_s + timings.shortest_try_s > until
        late = late or await _interrupted(closing, wait_s)
        if late or (message.not_after is not None and now_ms() >= message.not_after):
            return not_accepted
        pause_s = min(2 * pause_s, timings.longest_pause_s)


async def _look_for(
    carrier: Carrier,
    message: Outbound,
    *,
    until: float,
    others: LookUp,
    closing: trio.Event,
    timings: CarrierTimings,
) -> CarrierMessage | None:
    """Looks for a message until the carrier says whether it has it.

    Returns:
        None where the carrier certainly does not have it.

    Raises:
        OutcomeUnknown: It could not be known in time.
    """
    pause_s = timings.first_pause_s
    while trio.current_time() + pause_s + timings.shortest_try_s <= until:
        if await _interrupted(closing, pause_s):
            break
        pause_s = min(2 * pause_s, timings.longest_pause_s)
        message = attrs.evolve(message, others=await others())
        try:
            return await carrier.find(message, deadline_s=until - trio.current_time())
        except (NotTaken, OutcomeUnknown):
            continue
    raise OutcomeUnknown("there was no time left to look for it")


async def _interrupted(closing: trio.Event, wait_s: float) -> bool:
    """Waits, and tells whether `closing` cut it short."""
    with trio.move_on_after(wait_s):
        await closing.wait()
    return closing.is_set()


def store_outcome(
    tx: Tables, message: Message, outcome: Outcome, now: int, *, polls: PollTimings
) -> Message:
    """Stores what became of an attempt, and gives the message as it is then.

    A message that was not accepted is tried again later if it was promised, and has failed
    otherwise.
    """
    match outcome:
        case Accepted(message=found):
            changed = carrier_reports.accepted(tx, message, found, now, polls=polls)
            if changed is None:
                reason = "what the carrier showed is another message"
                changed = carrier_reports.lost_track(tx, message, reason, now, now, polls=polls)
        case Rejected(fault=fault):
            changed = carrier_reports.rejected(tx, message, carrier_reports.sentence(fault))
        case NotAccepted(reason=reason, retry_after_s=pause_s) if carrier_reports.is_promised(
            message
        ):
            changed = carrier_reports.postponed(
                tx, message, reason, now, polls=polls, at_least_s=pause_s or 0
            )
        case NotAccepted(reason=reason):
            changed = carrier_reports.rejected(tx, message, reason)
        case Unknown(reason=reason, tried_at=tried_at):
            changed = carrier_reports.lost_track(tx, message, reason, tried_at, now, polls=polls)
    return changed
