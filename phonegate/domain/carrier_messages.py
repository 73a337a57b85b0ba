"""Between a stored message and its carrier: what is handed over, and what becomes of it."""

import hashlib
import uuid
from typing import Final

from phonegate.domain import carrier_reports
from phonegate.domain.carrier import Outbound
from phonegate.domain.carrier_attempt import (
    Lost,
    Outcome,
    Rejected,
    Taken,
    Untaken,
)
from phonegate.model.assistants import Assistant
from phonegate.model.messages import Message, PageQuery
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_BYTES: Final = 1 << 28
"""More than so many texts for a carrier can have."""

MANY: Final = 1_000
"""Messages to one recipient among which one is looked for."""

_ACCOUNT: Final = ("account_sid", "api_key")
"""Credentials that say which account it is; the others may change without its being another."""


def new_reference(assistant: Assistant) -> str:
    """A reference for a message that is first tried at an assistant's present account."""
    return f"{uuid.uuid4()}:{_mark(assistant)}"


def is_of_account(message: Message, assistant: Assistant) -> bool:
    """Whether a message that may have been taken can be looked for at the present account.

    Another account knows nothing of it, and would take it for one that was never sent.
    """
    _, _, mark = (message.reference or "").partition(":")
    return mark in {"", _mark(assistant)}


def _mark(assistant: Assistant) -> str:
    names = [assistant.credentials.get(name, "") for name in _ACCOUNT]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]


def outbound(
    message: Message, *, tried_at: int | None = None, others: frozenset[str] = frozenset()
) -> Outbound:
    """A stored message as its carrier gets it: the same for every try."""
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


async def others(database: Database, message: Message) -> frozenset[str]:
    """The carrier's ids of an org's other messages to the same recipient."""
    # Whole, however long the texts are: one left out could be taken for another.
    query = PageQuery(limit=MANY, direction="out", address=message.address, most_bytes=MOST_BYTES)
    page = await database.read(lambda tx: tx.messages.page(message.org, query))
    return frozenset(
        other.carrier_id
        for other in page
        if other.carrier_id is not None and other.id != message.id
    )


def settled(tx: Tables, message: Message, outcome: Outcome, now: int) -> Message:
    """Stores what became of a message that was handed over.

    One that was not taken is tried again later if it is promised, and has failed otherwise.
    """
    match outcome:
        case Taken(told=told):
            changed = carrier_reports.taken(tx, message, told, now)
            if changed is None:
                reason = "what the carrier showed is another message"
                changed = carrier_reports.lost(tx, message, reason, now, now)
        case Rejected(fault=fault):
            changed = carrier_reports.rejected(tx, message, carrier_reports.sentence(fault))
        case Untaken(reason=reason, retry_after_s=pause_s) if carrier_reports.is_promised(message):
            changed = carrier_reports.postponed(tx, message, reason, now, at_least_s=pause_s or 0)
        case Untaken(reason=reason):
            changed = carrier_reports.rejected(tx, message, reason)
        case Lost(reason=reason, tried_at=tried_at):
            changed = carrier_reports.lost(tx, message, reason, tried_at, now)
    return changed
