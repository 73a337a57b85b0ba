"""What becomes of a message at a carrier: each function is one step of a write transaction.

Answers, reports and look-ups say the same things in any order and repetition; `states.advance`
decides what they change. What the carrier has said that it has is never called unsent.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

import attrs

from phonegate import log
from phonegate.domain.admission import admit_to_disk, size_of
from phonegate.domain.carrier import CarrierFault, CarrierMessage, InboundReport, StatusReport
from phonegate.domain.carrier_timings import PollTimings
from phonegate.domain.delivery import is_of_ended_key, why_late
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.segmentation import count
from phonegate.model.assistants import Assistant
from phonegate.model.messages import Message, NewInbound
from phonegate.model.states import (
    FINAL_STATES,
    QUEUED,
    SENDING,
    UNCERTAIN,
    Cause,
    advance,
    delivered_at,
)
from phonegate.store.database import Database
from phonegate.store.tables import Tables

WATCHED_MS: Final = 72 * 3_600_000
"""How long a message is watched: networks keep trying to reach a phone for up to three days."""

_CAUSES: Final = {
    "sent": Cause.RADIOED,
    "delivered": Cause.DELIVERED,
    "failed": Cause.UNDELIVERED,
}

_FOUND: Final = "the carrier has it and has not said yet whether it was sent"
_SILENT: Final = "the carrier did not say within 72 h what became of it"


_log = log.get("carriers")


class CarrierReports:
    """Stores what carriers report by themselves: states of messages, and received ones."""

    def __init__(
        self,
        database: Database,
        rate_limits: RateLimits,
        *,
        now_ms: Callable[[], int],
        polls: PollTimings,
    ) -> None:
        self._database = database
        self._rate_limits = rate_limits
        self._now_ms = now_ms
        self._polls = polls

    async def apply(
        self, assistant: Assistant, report: StatusReport, message_id: int | None = None
    ) -> None:
        """Stores what a carrier reports of a message. A report of no known message changes nothing.

        Args:
            assistant: Whose carrier reports.
            report: What it says.
            message_id: Of the message that the report was asked for, where its address says it.
        """
        now = self._now_ms()
        message = await self._database.write(
            lambda tx: reported(tx, assistant, report, message_id, now, polls=self._polls)
        )
        if message is None:
            _log.info("report_of_no_message", assistant=assistant.id, progress=report.progress)
        else:
            _log.info("message_reported", message=message.id, status=message.status)

    async def receive(self, assistant: Assistant, report: InboundReport) -> None:
        """Stores a message for one of an assistant's numbers, once however often it comes.

        Raises:
            StorageSpent, DiskLow: the org may store no more just now.
        """
        now = self._now_ms()

        def store(tx: Tables) -> int | None:
            stored = received(tx, assistant, report, now)
            if stored is not None:
                admit_to_disk(tx, self._rate_limits, assistant.org, size_of((report,)), now)
            return stored

        stored = await self._database.write(store)
        _log.info("message_received", assistant=assistant.id, message=stored)


def next_poll(
    message: Message, now: int, *, polls: PollTimings, at_least_s: float = 0
) -> int | None:
    """Returns when to ask the carrier again, in ms. Returns None when it has no more to say."""
    if message.status in FINAL_STATES or now >= _watched_until(message):
        return None
    called = message.callback_url is not None and message.carrier_id is not None
    first = polls.first_called_ms if called else polls.first_ms
    pause = min(first << min(message.polls, 20), polls.longest_pause_ms)
    return now + max(pause, round(at_least_s * 1000))


def is_promised(message: Message) -> bool:
    """Tells whether the sender already had an answer before the first try.

    That is so for a message that had to wait for its time. The sender of any other waits for the
    outcome of the first try, which begins when the message is stored.
    """
    return message.first_tried_at is None or message.first_tried_at > message.created_at


def accepted(
    tx: Tables, message: Message, found: CarrierMessage, now: int, *, polls: PollTimings
) -> Message | None:
    """Notes that the carrier has a message, under an id of its own, and how far it came.

    None when that id is another message's: what was found is not this one.
    """
    present = _present(tx, message)
    if message.assistant is not None:
        holder = tx.carrier_queue.by_carrier_id(message.assistant, found.id)
        if holder is not None and holder.id != message.id:
            return None
    if present.carrier_id not in {None, found.id}:
        return present
    return progressed(tx, _adopt(tx, present, found.id, now, polls), found, now)


def progressed(
    tx: Tables, message: Message, report: CarrierMessage | StatusReport, now: int
) -> Message:
    """Applies how far the carrier says that a message came."""
    changes: dict[str, Any] = {}
    if report.segments is not None and report.segments != message.segments:
        changes["segments"] = report.segments
    cause = _CAUSES.get(report.progress)
    status = None if cause is None else advance(message.status, cause)
    if cause is not None and status is not None:
        changes["error"] = sentence(report.fault) if report.progress == "failed" else None
        if report.progress != "failed":
            sent_at = changes["sent_at"] = message.sent_at or _sent_at(report) or now
            if report.progress == "delivered":
                at = _delivered_at(report)
                changes["delivered_at"] = delivered_at(at, sent_at=sent_at, now=now)
        if status in FINAL_STATES:
            changes["next_poll_at"] = None
        return tx.messages.transition(message, cause, **changes) or message
    return _change(tx, message, changes)


def rejected(tx: Tables, message: Message, reason: str) -> Message:
    """Ends a message that the carrier certainly does not have."""
    present = _present(tx, message)
    if present.carrier_id is not None:
        return present
    changed = tx.messages.transition(present, Cause.REFUSED, error=reason, next_poll_at=None)
    return changed or present


def lost_track(
    tx: Tables,
    message: Message,
    reason: str,
    tried_at: int,
    now: int,
    *,
    polls: PollTimings,
    at_least_s: float = 0,
) -> Message:
    """Notes that the carrier may have a message, which is looked for from now on."""
    present = _present(tx, message)
    if present.carrier_id is not None:
        return present
    after = advance(present.status, Cause.LOST_TRACK)
    if (after or present.status) != UNCERTAIN:
        return present
    uncertain = attrs.evolve(present, status=UNCERTAIN)
    changes = {
        "error": f"the carrier may have it: {reason}",
        "pushed_at": tried_at,
        "next_poll_at": next_poll(uncertain, now, polls=polls, at_least_s=at_least_s),
        "polls": present.polls + 1,
    }
    if after is None:
        return _change(tx, present, changes)
    return tx.messages.transition(present, Cause.LOST_TRACK, **changes) or present


def postponed(
    tx: Tables,
    message: Message,
    reason: str,
    now: int,
    *,
    polls: PollTimings,
    at_least_s: float = 0,
) -> Message:
    """Lets a message wait that the carrier certainly does not have, and may take later."""
    present = _present(tx, message)
    if present.carrier_id is not None or present.status not in {SENDING, UNCERTAIN}:
        return present
    next_poll_at = next_poll(present, now, polls=polls, at_least_s=at_least_s)
    if next_poll_at is None:
        return rejected(tx, present, f"{reason}; it was tried for 72 h")
    changes = {
        "pushed_at": None,
        "next_poll_at": next_poll_at,
        "polls": present.polls + 1,
        "error": reason,
    }
    return _change(tx, present, changes)


def leased(tx: Tables, message: Message, now: int, until: int) -> tuple[Message, bool] | None:
    """Takes a message in hand until a time. Returns None if it needs nothing more.

    Returns it with whether it is to be tried now, for the first time or again, which counts as
    an attempt; otherwise its carrier is to be asked for it.
    """
    present = _present(tx, message)
    if present.status == QUEUED:
        late = present.expires_at is not None and present.expires_at <= now
        if present.held_until is not None or late or is_of_ended_key(tx, present):
            return None  # The scheduler ends it.
    elif present.next_poll_at is None:
        return None
    changes: dict[str, Any] = {"next_poll_at": until}
    # Certainly not at its carrier, and under no try.
    untried = present.carrier_id is None and present.pushed_at is None
    if untried:
        if present.expires_at is not None and present.expires_at <= now:
            rejected(tx, present, f"{why_late(present)} before the carrier took it")
            return None
        # Later than its storing, so that it differs from one whose sender waits.
        first = present.first_tried_at or max(now, present.created_at + 1)
        changes |= {
            "attempts": present.attempts + 1,
            "pushed_at": now,
            "first_tried_at": first,
        }
    pushed = tx.messages.transition(present, Cause.PUSHED, **changes)
    return pushed or _change(tx, present, changes), untried


def delayed(tx: Tables, message: Message, until: int) -> None:
    """Lets a message wait for its turn at its carrier: to be sent, or to be looked at."""
    present = _present(tx, message)
    if present.status == QUEUED and present.held_until is None:
        tx.messages.reschedule(present, until)
    elif present.next_poll_at is not None:
        _change(tx, present, {"next_poll_at": until})


def polled(
    tx: Tables, message: Message, now: int, *, polls: PollTimings, at_least_s: float = 0
) -> Message:
    """Notes that the carrier was asked in vain: the next time is later, or never."""
    present = _present(tx, message)
    next_poll_at = next_poll(present, now, polls=polls, at_least_s=at_least_s)
    changes: dict[str, Any] = {"next_poll_at": next_poll_at, "polls": present.polls + 1}
    ended = None
    if next_poll_at is None:
        ended = tx.messages.transition(present, Cause.LOST_TRACK, error=_SILENT, **changes)
    return ended or _change(tx, present, changes)


def orphaned(tx: Tables, message: Message, reason: str, *, untried: bool) -> Message:
    """Ends the watch over a message whose assistant is gone, or its account."""
    present = _present(tx, message)
    cause = Cause.REFUSED if untried else Cause.LOST_TRACK
    ended = tx.messages.transition(present, cause, error=reason, next_poll_at=None)
    if ended is not None:
        return ended
    changes: dict[str, Any] = {"next_poll_at": None}
    if present.status == UNCERTAIN:
        changes["error"] = reason
    return _change(tx, present, changes)


def reported(
    tx: Tables,
    assistant: Assistant,
    report: StatusReport,
    message_id: int | None,
    now: int,
    *,
    polls: PollTimings,
) -> Message | None:
    """Applies a carrier's report. Returns None if it is of no message of this assistant.

    `message_id` is the message that the report was asked for: the carrier may be faster with it
    than with its answer, which would have had its own id.
    """
    message = tx.carrier_queue.by_carrier_id(assistant.id, report.carrier_id)
    if message is None and message_id is not None:
        asked = tx.messages.find(assistant.org, message_id)
        if (
            asked is None
            or asked.assistant != assistant.id
            or asked.carrier_id is not None
            or not asked.attempts
        ):
            return None
        message = _adopt(tx, asked, report.carrier_id, now, polls)
    return None if message is None else progressed(tx, message, report, now)


def received(tx: Tables, assistant: Assistant, report: InboundReport, now: int) -> int | None:
    """Stores a message for one of an assistant's numbers. Returns None if it was stored before."""
    identity = json.dumps([assistant.provider, report.carrier_id]).encode()
    return tx.messages.insert_inbound(
        NewInbound(
            org=assistant.org,
            address=report.sender,
            body=report.body,
            created_at=now,
            date=report.date,
            phone=None,
            sim_slot=None,
            sim=report.recipient,
            segments=report.segments or count(report.body),
            provider=assistant.provider,
            media_urls=report.media_urls or None,
            fingerprint=hashlib.sha256(identity).digest(),
        )
    )


def _present(tx: Tables, message: Message) -> Message:
    """Returns the message as it is now, or as it was if it has been removed with its org."""
    return tx.messages.find(message.org, message.id) or message


def _adopt(tx: Tables, message: Message, carrier_id: str, now: int, polls: PollTimings) -> Message:
    """Gives a message the carrier's id, and with it the time of the first look."""
    if message.carrier_id is not None:
        return message
    changes: dict[str, Any] = {"carrier_id": carrier_id, "polls": 0}
    if message.status == UNCERTAIN:
        changes["error"] = _FOUND
    elif message.status == SENDING:
        changes["error"] = None
    changes["next_poll_at"] = next_poll(attrs.evolve(message, **changes), now, polls=polls)
    changes["polls"] = 1
    return _change(tx, message, changes)


def sentence(fault: CarrierFault | None) -> str:
    """Returns a carrier's refusal as it is kept on the message."""
    if fault is None:
        return "the carrier gave no reason"
    return f"{fault.code}: {fault.text}" if fault.code else fault.text


def _sent_at(report: CarrierMessage | StatusReport) -> int | None:
    if isinstance(report, CarrierMessage):
        return report.sent_at
    return report.at if report.progress == "sent" else None


def _delivered_at(report: CarrierMessage | StatusReport) -> int | None:
    return report.delivered_at if isinstance(report, CarrierMessage) else report.at


def _watched_until(message: Message) -> int:
    return (message.first_tried_at or message.created_at) + WATCHED_MS


def _change(tx: Tables, message: Message, changes: dict[str, Any]) -> Message:
    if not changes:
        return message
    tx.messages.set(message.id, **changes)
    return attrs.evolve(message, **changes)
