"""MMS that a phone first announces and brings later, under names that have nothing in common.

What ties the two together is who sent it. An announcement is a message of its own, and the next MMS
of its sender takes its place. So each MMS is one message, and one that never comes is seen.
"""

from collections.abc import Callable
from typing import Final

from phonegate.domain.inbox import Received
from phonegate.model.messages import Message, PageQuery
from phonegate.store.tables import Tables

NOT_FETCHED: Final = "The phone has not fetched this MMS from its network yet."

MOST_READ: Final = 50
"""The newest messages of a sender among which the other half of an MMS is looked for."""

CLOSE_MS: Final = 600_000
"""An MMS and its announcement bear the network's time and the phone's: they differ by less."""


def is_there(tx: Tables, org: int, phone: int, item: Received) -> bool:
    """Tells whether an announced MMS is known, be it by another announcement or by itself."""
    return _latest(tx, org, phone, item, lambda kept: _is_mms(kept) and _is_close(kept, item)) != ()


def announced(tx: Tables, org: int, phone: int, item: Received) -> Message | None:
    """Returns the oldest announcement that an MMS may be that of, among the latest."""
    found = _latest(tx, org, phone, item, lambda kept: kept.error == NOT_FETCHED)
    return min(found, key=lambda kept: (not _is_close(kept, item), kept.id), default=None)


def _latest(
    tx: Tables, org: int, phone: int, item: Received, fits: Callable[[Message], bool]
) -> tuple[Message, ...]:
    query = PageQuery(limit=MOST_READ, direction="in", address=item.address)
    page = tx.messages.page(org, query)
    return tuple(kept for kept in page if kept.phone == phone and fits(kept))


def _is_mms(kept: Message) -> bool:
    return kept.parts > 0 or kept.error == NOT_FETCHED


def _is_close(kept: Message, item: Received) -> bool:
    if kept.date is None or item.date is None:
        return False
    return abs(kept.date - item.date) <= CLOSE_MS
