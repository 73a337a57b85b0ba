"""Reports that phones make of nearly every message, recorded for many phones by one statement.

A plain report is an ack, or a result of success, that says what is awaited of its phone. Where one
says anything else, `phone_delivery.PhoneReports` finds out what that means.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Self

import attrs

from phonegate.store.joint import Joint
from phonegate.store.tables import Tables


@attrs.frozen
class PlainReports:
    """What one phone has said at once, if it is plain."""

    acked: Sequence[int]
    """The messages that it has, but for those that it has sent."""
    sent: Sequence[tuple[int, int | None]]
    """Those that it has sent and, where it says so, the number of their segments."""

    @property
    def count(self) -> int:
        """How many messages they are about."""
        return len(self.acked) + len(self.sent)


class RecordPlainReports(Joint[bool]):
    """Records the plain reports of a phone. Its result is whether all of them were awaited.

    Those that were not have changed nothing. Recorded again, neither have the others.
    """

    __slots__ = ("now_ms", "org", "phone", "reports", "size")

    def __init__(
        self, org: int, phone: int, reports: PlainReports, now_ms: Callable[[], int]
    ) -> None:
        self.org = org
        self.phone = phone
        self.reports = reports
        self.now_ms = now_ms
        self.size = reports.count

    def __call__(self, tx: Tables) -> bool:
        """Records those of one phone."""
        return self.together(tx, [self])[0]

    @classmethod
    def together(cls, tx: Tables, ones: Sequence[Self]) -> Sequence[bool]:
        """Records those of several phones."""
        now = ones[0].now_ms()
        acked: list[tuple[int, int, int]] = []
        sent: list[tuple[int, int, int, int | None]] = []
        for one in ones:
            org, phone, reports = one.org, one.phone, one.reports
            acked += [(id_, org, phone) for id_ in reports.acked]
            sent += [(id_, org, phone, segments) for id_, segments in reports.sent]
        was_acked = iter(tx.phone_queue.acknowledge_all(acked, now) if acked else ())
        was_sent = iter(tx.phone_queue.store_sent_all(sent, now) if sent else ())
        awaited: list[bool] = []
        for one in ones:
            of_acks = list(islice(was_acked, len(one.reports.acked)))
            of_results = list(islice(was_sent, len(one.reports.sent)))
            awaited.append(all(of_acks) and all(of_results))
        return awaited
