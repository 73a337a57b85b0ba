"""SIMs as nearly every phone reports them when it connects, stored together with other phones'.

Such a report is plain: of a phone whose row is known, which owes no result, with numbers that no
other phone has. For any other `PhoneRegistry.report_sims` finds out what follows from it.
"""

from collections.abc import Sequence
from typing import Self

import attrs

from phonegate.domain import phone_events
from phonegate.model.phones import Sim
from phonegate.store.joint import Joint
from phonegate.store.phones import ReplacedSims
from phonegate.store.tables import Tables


class NotPlain(Exception):
    """The report says more than that the phone has these SIMs. It has changed nothing."""


@attrs.frozen
class StoredSims:
    """What is known once plain SIMs are stored."""

    sims: Sequence[Sim]
    """The SIMs, some with the number that their owner gave them."""
    something_waits: bool
    """A message of its org is queued that may leave now."""


class RecordPlainSims(Joint[StoredSims]):
    """Stores the SIMs that a phone has now, if that is all there is to it.

    Raises:
        NotPlain: It is not.
        TooMany: The org's phones would have more SIMs than they may.
    """

    __slots__ = ("most", "now", "org", "phone", "sims", "size")

    def __init__(self, org: int, phone: int, sims: Sequence[Sim], *, now: int, most: int) -> None:
        self.org = org
        self.phone = phone
        self.sims = sims
        self.now = now
        self.most = most
        self.size = 1 + len(sims)

    def __call__(self, tx: Tables) -> StoredSims:
        """Stores those of one phone."""
        (stored,) = self.together(tx, [self])
        if isinstance(stored, NotPlain):
            raise stored
        return stored

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[StoredSims | NotPlain]:
        """Stores those of several phones. What is found too late leaves each to be done alone."""
        waits: dict[int, bool] = {}
        stored: list[StoredSims | NotPlain] = []
        for one in ones:
            if tx.phone_queue.awaited(one.phone):
                stored.append(NotPlain())
                continue
            replaced = report(tx, one.org, one.phone, one.sims, one.now, most=one.most)
            if replaced.losers:
                raise NotPlain
            if one.org not in waits:
                waits[one.org] = tx.phone_queue.any_ready(one.org)
            stored.append(StoredSims(replaced.after, waits[one.org]))
        return stored


def report(
    tx: Tables, org: int, phone: int, sims: Sequence[Sim], now: int, *, most: int = 0
) -> ReplacedSims:
    """Stores the SIMs that a connected phone has now, and records it if that is news.

    Raises:
        TooMany: The org's phones would have more than *most* SIMs. 0 is any number.
    """
    replaced = tx.phones.replace_sims(org, phone, sims, now, most=most)
    if replaced.after != replaced.before:
        phone_events.record(tx, "phone.sims", phone, now, online=True)
    return replaced
