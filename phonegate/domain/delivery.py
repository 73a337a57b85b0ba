"""What becomes of a message that a phone has, or had: leases, acks, results, redelivery.

Each function is one step inside a write transaction: it reads the message, lets
`states.advance` decide, and writes the outcome. Reports may come late, twice, or in any
order; each has at most one effect.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal

import attrs

from phonegate.domain.admission import KEY_REVOKED, why_no_copy
from phonegate.domain.routing import is_slot
from phonegate.model.messages import Leased, Message
from phonegate.model.phones import Sim, number_form
from phonegate.model.states import (
    QUEUED,
    SENDING,
    UNCERTAIN,
    Cause,
    advance,
    delivered_at,
)
from phonegate.store.due_messages import SEGMENT_MS
from phonegate.store.tables import Tables

CANCEL_ERROR = "cancelled"
"""The `error` of a failed result by which a phone confirms that it dropped a message."""

WITHDRAWN_AT_ONCE = 500
"""Messages of a revoked key that one transaction cancels: some 10 ms of the writer's time."""

_UNSENT = "before it could be sent"
_AWAY = "while the phone that was given it was away"


@attrs.frozen(kw_only=True)
class Policy:
    """What to do about phones that do not answer (`[delivery]` in the configuration)."""

    max_attempts: int = 5
    unacknowledged: Literal["resend", "hold"] = "resend"
    result_timeout_ms: int = 300_000
    away_timeout_ms: int = 259_200_000


@attrs.frozen(kw_only=True)
class Pick:
    """A queued message that a phone takes, and the SIM it will leave by."""

    id: int
    sim_slot: int | None
    sim: str | None


def lease(tx: Tables, phone: int, picks: Sequence[Pick], now: int) -> list[Leased]:
    """Gives queued messages to a phone, in their order. Those no longer queued are left out.

    So are those whose time has run out and which the scheduler has not come to yet: they expire
    here, and so never stand in the way of the ones behind them. What a revoked key has sent is
    cancelled here in the same way.
    """
    by_sim: dict[tuple[int | None, str | None], list[int]] = {}
    for pick in picks:
        by_sim.setdefault((pick.sim_slot, pick.sim), []).append(pick.id)
    leased = {
        message.id: message
        for (slot, number), ids in by_sim.items()
        for message in tx.phone_queue.lease(ids, phone=phone, sim_slot=slot, sim=number, now=now)
    }
    for pick in picks:
        if pick.id not in leased:
            _end_if_over(tx, phone, pick.id, now)
    return [leased[pick.id] for pick in picks if pick.id in leased]


def acknowledge(tx: Tables, org: int, phone: int, message_id: int, now: int) -> Message | None:
    """Notes that a phone has journalled a message: it is never pushed again.

    Returns the message, or None when this phone was never given one of that id.
    """
    message = _held(tx, org, phone, message_id)
    if message is None or message.acked_at is not None:
        return message
    return _change(tx, message, acked_at=now)


def acknowledge_all(tx: Tables, org: int, phone: int, ids: Sequence[int], now: int) -> bool:
    """Does as `acknowledge` for many messages at once, if it is new of each of them.

    False where it isn't of some, which `acknowledge` then has to say why.
    """
    return all(tx.phone_queue.acknowledge_all([(id_, org, phone) for id_ in ids], now))


def apply_sent_results(
    tx: Tables, org: int, phone: int, results: Sequence[tuple[int, int | None]], now: int
) -> bool:
    """Applies many results of success at once, given as ids with segments.

    Returns False where some were not awaited of this phone. Those are as they were, and
    `apply_result` has to say why. Asked of the others too, it changes nothing.
    """
    rows = [(id_, org, phone, segments) for id_, segments in results]
    return all(tx.phone_queue.store_sent_all(rows, now))


def apply_result(
    tx: Tables,
    org: int,
    phone: int,
    message_id: int,
    *,
    success: bool,
    error: str | None,
    segments: int | None,
    uncertain: bool,
    now: int,
) -> Message | None:
    """Applies a phone's `send_result`.

    A result implies the ack. Returns the message as it stands then, changed or not, or None
    when this phone was never given one of that id.
    """
    message = _held(tx, org, phone, message_id)
    if message is None:
        return None
    acked_at = message.acked_at or now
    if uncertain:
        if message.status != SENDING:
            return message
        reason = error or "the phone does not know whether it was sent"
        return give_up(tx, _change(tx, message, acked_at=acked_at), Cause.LOST_TRACK, reason, now)
    cause = Cause.RADIOED if success else Cause.REFUSED
    if not success and error == CANCEL_ERROR:
        cause = Cause.DROPPED
    changed = tx.messages.transition(
        message,
        cause,
        acked_at=acked_at,
        sent_at=now if success else None,
        error=None if success else (error or "the phone gave no reason"),
        segments=segments or message.segments,
    )
    return changed or message


def confirm(
    tx: Tables,
    org: int,
    phone: int,
    message_id: int,
    *,
    delivered: bool,
    date: int | None,
    now: int,
) -> Message | None:
    """Applies a delivery report. `date` is the recipient network's time in ms, if known.

    Returns as `apply_result` does.
    """
    message = _held(tx, org, phone, message_id)
    if message is None:
        return None
    sent_at = message.sent_at or now
    changed = tx.messages.transition(
        message,
        Cause.DELIVERED if delivered else Cause.UNDELIVERED,
        acked_at=message.acked_at or now,
        sent_at=sent_at,
        delivered_at=delivered_at(date, sent_at=sent_at, now=now) if delivered else None,
        error=None if delivered else "the network reported that it was not delivered",
    )
    return changed or message


def resume(
    tx: Tables,
    phone: int,
    *,
    acks: bool,
    in_flight: Collection[int],
    sims: Sequence[Sim] = (),
    now: int,
    policy: Policy,
) -> list[Message]:
    """Returns what a returning phone must be given again, oldest first, each attempt counted.

    `acks` says whether the phone journals and acknowledges; `in_flight` are the ids already
    pushed over the present link, and `sims` what was reported over it. Acknowledged messages
    are never pushed again: their result is awaited. A phone that never acknowledges may have
    sent what it was given, so the policy bounds how often that is risked. What it doesn't
    allow becomes `uncertain`.
    What was asked of a SIM waits on while the phone does not have it: no other may send it.
    """
    again = []
    for message in tx.phone_queue.awaiting_result(phone):
        if message.acked_at is not None or message.id in in_flight:
            continue
        if message.expires_at is not None and message.expires_at <= now:
            give_up(tx, message, Cause.OUT_OF_TIME, f"{why_late(message)} {_AWAY}", now)
        elif not acks and policy.unacknowledged == "hold":
            give_up(tx, message, Cause.LOST_TRACK, "the phone left without a result", now)
        elif not acks and message.attempts >= policy.max_attempts:
            reason = f"no result after {message.attempts} attempts"
            give_up(tx, message, Cause.LOST_TRACK, reason, now)
        elif (sim := _sim_for(message, sims)) is not None:
            again.append(
                _change(
                    tx,
                    message,
                    attempts=message.attempts + 1,
                    pushed_at=now,
                    sim_slot=sim.slot,
                    sim=sim.number,
                )
            )
        elif not sims and (not message.sim_selector or is_slot(message.sim_selector)):
            # It has not said yet which SIMs it has.
            again.append(_change(tx, message, attempts=message.attempts + 1, pushed_at=now))
    return again


def _sim_for(message: Message, sims: Sequence[Sim]) -> Sim | None:
    """Returns which of a phone's SIMs sends a message that it is given again."""
    if message.sim_selector and not is_slot(message.sim_selector):
        return next((sim for sim in sims if sim.form == message.sim_selector), None)
    if message.sim_selector:
        return next((sim for sim in sims if str(sim.slot) == message.sim_selector), None)
    had = None if message.sim is None else number_form(message.sim)
    same = (sim for sim in sims if (sim.slot, sim.form) == (message.sim_slot, had))
    return next(same, min(sims, key=lambda sim: sim.slot, default=None))


def give_up(tx: Tables, message: Message, cause: Cause, reason: str, now: int) -> Message:
    """Ends the wait for a message, as `cause` says, with `reason` as its error.

    One that turns `uncertain` is sent again as a new message if its sender asked for that.
    The new one holds if it comes to the same, so that a text is repeated once at most, and counts
    against the limits of the API key that sent it, without room in which there is none. A phone
    that journals would drop a second push of the same id: hence the new id.
    """
    status = advance(message.status, cause)
    if status is None:
        return message
    again = (
        status == UNCERTAIN
        and message.on_uncertain == "resend"
        and (message.expires_at is None or message.expires_at > now)
    )
    if again and (refused := why_no_copy(tx, message.key, message.address, now)):
        reason = f"{reason}; not sent again: {refused}"
    elif again:
        phone = message.phone if is_slot(message.sim_selector) else None
        copy = tx.messages.insert(message.again(created_at=now, phone=phone))
        reason = f"{reason}; sent again as message {copy}"
    return tx.messages.transition(message, cause, error=reason) or message


def why_late(message: Message) -> str:
    """Returns what ends a message that has not left by its `expires_at`."""
    if message.quiet_at is not None and message.quiet_at == message.expires_at:
        return "its API key's quiet hours began"
    return "its ttl ran out"


def approve(tx: Tables, message: Message, now: int) -> Message:
    """Lets a message that waits for approval leave, at once or at the time that it asked for.

    Returns it as it stands then.
    """
    if message.approval != "asked" or message.status != QUEUED:
        return message
    if message.expires_at is not None and message.expires_at <= now:
        return _expired(tx, message, now)
    if message.wanted_at is not None and message.wanted_at > now:
        return tx.messages.reschedule(message, message.wanted_at, approval="given")
    # The age of the queue counts from here, as for all that was held; a carrier counts its tries.
    since = now if message.assistant is None else message.first_tried_at
    return tx.messages.reschedule(message, None, approval="given", first_tried_at=since)


def refuse(tx: Tables, message: Message, now: int) -> Message:
    """Cancels a message that waits for approval. Returns it as it then is."""
    if message.approval != "asked" or message.status != QUEUED:
        return message
    refused = _change(tx, message, approval="refused")
    return give_up(tx, refused, Cause.WITHDRAWN, "refused by its owner", now)


def withdraw_of_key(tx: Tables, key: str) -> int:
    """Cancels up to `WITHDRAWN_AT_ONCE` queued messages of a revoked API key. Returns how many."""
    count = tx.messages.withdraw(key, WITHDRAWN_AT_ONCE, error=KEY_REVOKED)
    if count < WITHDRAWN_AT_ONCE:
        tx.keys.cleared(key)
    return count


def recall(tx: Tables, message: Message) -> Message:
    """Withdraws a message that was pushed to a phone which went away and never acknowledged it.

    It is never pushed again. A phone that acknowledges before it sends has not sent it, unless
    its word was lost on the way: so it counts as cancelled, and a late result says otherwise.
    Any other phone may have sent it without a word.
    """
    holder = None if message.phone is None else tx.phones.get(message.phone)
    acks = holder is not None and holder.acks_first
    cause, doubt = (Cause.RECALLED, "") if acks else (Cause.LOST_TRACK, ", which may have sent it")
    if message.acked_at is not None:
        return message
    reason = f"cancelled by its sender {_AWAY}{doubt}"
    return tx.messages.transition(message, cause, error=reason) or message


def expire(tx: Tables, now: int, limit: int) -> list[Message]:
    """Ends the queued messages whose time ran out, at most `limit`. Returns them as they are now.

    Those already pushed are left to `resume` and `abandon_silent`.
    """
    return [_expired(tx, message, now) for message in tx.due_messages.expired(now, limit)]


def abandon_silent(
    tx: Tables, *, online: Collection[int], now: int, policy: Policy, limit: int
) -> list[Message]:
    """Turns messages `uncertain` whose phone has had them too long without a result.

    One that was never acknowledged waits on while its phone is away, for it is pushed again
    when the phone returns, unless its ttl has run out by then, or the phone stays away for so
    long that it may never return. Returns the messages that changed, at most `limit`.
    """
    away = f"the phone that was given it has been away for {policy.away_timeout_ms // 1000} s"
    changed = []
    for message in overdue(tx, online=online, now=now, policy=policy, limit=limit):
        if message.acked_at is None and message.phone not in online:
            if message.expires_at is not None and message.expires_at <= now:
                cause, reason = Cause.OUT_OF_TIME, f"{why_late(message)} {_AWAY}"
            else:
                cause, reason = Cause.LOST_TRACK, away
        else:
            seconds = (policy.result_timeout_ms + longer_ms(message)) // 1000
            cause, reason = Cause.LOST_TRACK, f"no result from the phone within {seconds} s"
        changed.append(give_up(tx, message, cause, reason, now))
    return changed


def longer_ms(message: Message) -> int:
    """Returns how much longer than one of one segment a message may be without a result."""
    return SEGMENT_MS * ((message.segments or 1) - 1)


def overdue(
    tx: Tables, *, online: Collection[int], now: int, policy: Policy, limit: int
) -> list[Message]:
    """Returns the messages that `abandon_silent` would give up. Only reads."""
    return tx.due_messages.overdue(
        now - policy.result_timeout_ms,
        limit,
        online=online,
        away_before=now - policy.away_timeout_ms,
        now=now,
    )


def _end_if_over(tx: Tables, phone: int, message_id: int, now: int) -> None:
    holder = tx.phones.get(phone)
    message = None if holder is None else tx.messages.find(holder.org, message_id)
    if message is None or message.status != QUEUED:
        return
    if is_of_ended_key(tx, message):
        give_up(tx, message, Cause.WITHDRAWN, KEY_REVOKED, now)
    elif message.expires_at is not None and message.expires_at <= now:
        _expired(tx, message, now)


def is_of_ended_key(tx: Tables, message: Message) -> bool:
    """Tells whether a queued message's API key was revoked, so that it is to be cancelled."""
    return message.key is not None and tx.keys.is_ending(message.key)


def _expired(tx: Tables, message: Message, now: int) -> Message:
    return give_up(tx, message, Cause.OUT_OF_TIME, f"{why_late(message)} {_UNSENT}", now)


def _held(tx: Tables, org: int, phone: int, message_id: int) -> Message | None:
    """Returns the message if `phone` was given it, or might be the phone that was.

    Phones that don't name themselves are recognised by their SIMs, which may come after their
    reports; between two named phones of an org a report must come from the right one.
    """
    message = tx.messages.find(org, message_id)
    if message is None or message.attempts == 0 or message.phone is None:
        return None
    if message.phone != phone:
        holder, reporter = tx.phones.get(message.phone), tx.phones.get(phone)
        if holder and reporter and holder.device_id and reporter.device_id:
            return None
    return message


def _change(tx: Tables, message: Message, **columns: Any) -> Message:
    tx.messages.set(message.id, **columns)
    return attrs.evolve(message, **columns)
