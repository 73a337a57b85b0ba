"""A sample: everything that an operator may want to know of a gateway, at one moment. Pure."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

import attrs

from phonegate.api.request_counts import Route
from phonegate.domain.alarms import State, Waiting
from phonegate.domain.rate_limits import Kind
from phonegate.domain.reported_values import Kind as Cleaned
from phonegate.histogram import Histogram
from phonegate.model.events import Move
from phonegate.model.messages import Backlog, Lane
from phonegate.model.states import OUTBOUND_STATES, SENDING
from phonegate.store.data_file import Space
from phonegate.store.writer import WriterStatistics

Reason = Literal["phone", "turn", "carrier", "time", "approval", "result"]
"""What a message waits for: a phone that is away, its turn at one that is connected, its turn at
a carrier, its own time, a person's approval, or what its phone or carrier says became of it."""

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

Count = Literal[
    "accepted",
    "pushed",
    "sent",
    "delivered",
    "failed",
    "expired",
    "cancelled",
    "uncertain",
    "received",
    "duplicate",
    "deleted",
]
"""What can happen to a message. One that is pushed, sent or delivered was accepted before."""

COUNTS: Final[tuple[Count, ...]] = get_args(Count)

_NAMES: Final[Mapping[str, Count]] = {
    SENDING: "pushed",
    "sent": "sent",
    "delivered": "delivered",
    "failed": "failed",
    "expired": "expired",
    "cancelled": "cancelled",
    "uncertain": "uncertain",
}


def counts(flow: Mapping[Move, int]) -> dict[Count, int]:
    """What has happened to messages, from how they moved between statuses."""
    sums: dict[Count, int] = dict.fromkeys(COUNTS, 0)
    for (before, after), count in flow.items():
        if before == after:
            sums["duplicate"] += count
        elif after is None:
            sums["deleted"] += count
        elif after == "received":
            sums["received"] += count
        else:
            if before is None and after in OUTBOUND_STATES:
                sums["accepted"] += count
            if after in _NAMES:
                sums[_NAMES[after]] += count
    return sums


@attrs.frozen
class Queue:
    """Messages that wait for the same thing."""

    count: int = 0
    since: int | None = None
    """When the one began that waits longest, in ms; None where that is no measure of anything."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """The gateway at one moment. Counts are since it started, times in ms of the wall clock."""

    at: int
    up_s: float
    """For how long it runs, by a clock that never jumps."""
    version: str
    phones: Mapping[int, int]
    """Connected phones, by org."""
    messages: Mapping[str, int]
    """Stored messages by status."""
    flow: Mapping[Move, int]
    """How messages moved between statuses."""
    writer: WriterStatistics
    space: Space
    backlog: Backlog
    away: frozenset[Lane]
    """The lanes of the backlog that wait for a phone which is not connected."""
    connections: int
    refused_connections: int
    refused_phones: int
    limited: Mapping[Kind, int]
    """What was refused or slowed down because of a limit, by the limit."""
    cleaned: Mapping[Cleaned, int] = attrs.field(factory=dict)
    """What was put right of phones' and carriers' reports, by kind."""
    requests: Mapping[tuple[Route, int], int]
    """Answers by method and path of their endpoint, and status."""
    seconds: Mapping[Route, Histogram]
    """What the answers took, by the same."""
    carriers: Mapping[tuple[str, str], int]
    """Messages handed to carriers, by provider and outcome."""
    failing: Mapping[int, int]
    """Failures in a row of assistants' carriers."""
    lag_s: float
    """The longest that the event loop was late within the last minute."""
    tasks: int

    @property
    def online(self) -> int:
        """How many phones are connected."""
        return sum(self.phones.values())

    @property
    def counts(self) -> dict[Count, int]:
        """What has happened to messages since the start."""
        return counts(self.flow)

    @property
    def queues(self) -> dict[Reason, Queue]:
        """What waits, by what it waits for."""
        found: dict[Reason, Queue] = {
            "time": Queue(self.backlog.timed),
            "approval": Queue(self.backlog.asked),
            "result": Queue(self.messages.get(SENDING, 0)),
        }
        for reason in ("phone", "turn", "carrier"):
            lanes = [lane for lane in self.backlog.lanes if self.reason(lane) == reason]
            since = min((lane.since for lane in lanes), default=None)
            found[reason] = Queue(sum(lane.count for lane in lanes), since)
        return {reason: found[reason] for reason in REASONS}

    def reason(self, lane: Lane) -> Reason:
        """What the messages of a lane wait for."""
        if lane.assistant is not None:
            return "carrier"
        return "phone" if lane in self.away else "turn"

    @property
    def state(self) -> State:
        """What the alarms are about."""
        return State(
            now=self.at / 1000,
            up_s=self.up_s,
            waiting=tuple(
                Waiting(
                    org=lane.org_name,
                    count=lane.count,
                    since=lane.since / 1000,
                    away=lane in self.away,
                    queue=(lane.sim_selector, lane.phone),
                )
                for lane in self.backlog.lanes
            ),
            free_bytes=self.space.free,
            database_bytes=self.space.database,
            log_bytes=self.space.log,
            in_place=self.space.in_place,
            carrier_failures=self.failing,
        )
