"""A snapshot of everything that an operator may want to know about a gateway. Pure."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

import attrs

from phonegate.api.request_counts import Outcome, Route
from phonegate.domain.alarms import DeadWebhook, GatewayHealth, HintedPhone, WaitingMessages
from phonegate.domain.rate_limits import Kind
from phonegate.domain.reported_values import Kind as Cleaned
from phonegate.histogram import Histogram
from phonegate.model.dialects import DialectName
from phonegate.model.facts import Move
from phonegate.model.messages import Backlog, WaitingQueue
from phonegate.model.states import OUTBOUND_STATES, SENDING
from phonegate.store.data_file import Space
from phonegate.store.deliveries import NONE_WAITING, Waiting
from phonegate.store.writer import WriterStatistics

Reason = Literal["phone", "turn", "carrier", "time", "approval", "result"]
"""What a message waits for: a phone that is away, its turn at one that is connected, its turn at
a carrier, its `send_at`, a person's approval, or the result from its phone or carrier."""

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
"""What can happen to a message. One that is pushed, sent or delivered was accepted before that."""

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
    """Returns how often each thing has happened to messages, from their changes of status."""
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
class QueueSummary:
    """Messages that wait for the same thing."""

    count: int = 0
    since: int | None = None
    """When the longest wait began, in ms. None where that says nothing."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """The gateway at one moment. Counts are since it started. Times are in ms of the wall clock."""

    at: int
    up_s: float
    """Seconds for which it has run, by the monotonic clock."""
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
    away: frozenset[WaitingQueue]
    """The parts of the backlog that wait for a phone which is not connected."""
    connections: int
    followers: int = 0
    """Streams of events and long polls that are open."""
    refused_connections: int
    refused_phones: int
    limited: Mapping[Kind, int]
    """How often something was refused or slowed down because of a limit, by limit."""
    cleaned: Mapping[Cleaned, int] = attrs.field(factory=dict)
    """How often a value in a report of a phone or carrier was put right, by kind."""
    requests: Mapping[tuple[Route, int], int]
    """The number of answers, by method and path of the endpoint, and status."""
    dialects: Mapping[tuple[DialectName, Outcome], int] = attrs.field(factory=dict)
    """The number of answers at addresses of dialects, by what became of the request."""
    seconds: Mapping[Route, Histogram]
    """How long the answers took, by method and path of the endpoint."""
    carriers: Mapping[tuple[str, str], int]
    """The number of messages given to carriers, by provider and outcome."""
    failing: Mapping[int, int]
    """The number of successive failures at the carrier, by assistant."""
    hinted: tuple[HintedPhone, ...]
    """Some of the phones that their owners should do something for."""
    modem_problem: str | None = None
    """Why the modem of `[modem]` can't be used."""
    stranded: tuple[WaitingQueue, ...] = ()
    """Messages that were pushed to phones which left before they acknowledged them."""
    failing_orgs: Mapping[int, str] = attrs.field(factory=dict)
    """The orgs of the assistants in `failing`, by assistant."""
    dead_webhooks: tuple[DeadWebhook, ...] = ()
    """Some of the webhooks that are called no more because the calls failed."""
    mute: Mapping[str, str] = attrs.field(factory=dict)
    """The targets of `[alarms] notify` that take no notices, each with the reason."""
    deliveries: Mapping[str, int] = attrs.field(factory=dict)
    """How many calls of webhooks were made, by what came of them."""
    deliveries_waiting: Waiting = NONE_WAITING
    """What webhooks are still to get."""
    notices: Mapping[str, int] = attrs.field(factory=dict)
    """How many notices were delivered, and how many attempts failed, since the start."""
    alarms_on: Mapping[str, int] = attrs.field(factory=dict)
    """How many alarms are on, by name."""
    lag_s: float
    """The longest that the event loop was late within the last minute."""
    tasks: int
    certificate_ends: int | None = None
    """When the certificate in use ends. None for plain HTTP."""

    @property
    def online(self) -> int:
        """How many phones are connected."""
        return sum(self.phones.values())

    @property
    def answered(self) -> int:
        """How many requests were answered since the start."""
        return sum(self.requests.values())

    @property
    def counts(self) -> dict[Count, int]:
        """How often each thing has happened to messages since the start."""
        return counts(self.flow)

    @property
    def queues(self) -> dict[Reason, QueueSummary]:
        """The waiting messages, by what they wait for."""
        found: dict[Reason, QueueSummary] = {
            "time": QueueSummary(self.backlog.timed),
            "approval": QueueSummary(self.backlog.asked),
            "result": QueueSummary(self.messages.get(SENDING, 0)),
        }
        for reason in ("phone", "turn", "carrier"):
            queues = [queue for queue in self.backlog.queues if self.reason(queue) == reason]
            since = min((queue.since for queue in queues), default=None)
            found[reason] = QueueSummary(sum(queue.count for queue in queues), since)
        return {reason: found[reason] for reason in REASONS}

    def reason(self, queue: WaitingQueue) -> Reason:
        """Returns what the messages of one part of the backlog wait for."""
        if queue.assistant is not None:
            return "carrier"
        return "phone" if queue in self.away else "turn"

    @property
    def health(self) -> GatewayHealth:
        """The part of the snapshot that alarms are raised about."""
        return GatewayHealth(
            now=self.at / 1000,
            up_s=self.up_s,
            waiting=(
                *(_waiting(queue, away=queue in self.away) for queue in self.backlog.queues),
                *(_waiting(queue, away=True) for queue in self.stranded),
            ),
            free_bytes=self.space.free,
            database_bytes=self.space.database,
            log_bytes=self.space.log,
            in_place=self.space.in_place,
            carrier_failures=self.failing,
            assistant_orgs=self.failing_orgs,
            mute=self.mute,
            dead_webhooks=self.dead_webhooks,
            hinted=self.hinted,
            modem_problem=self.modem_problem,
            certificate_s=(
                None if self.certificate_ends is None else (self.certificate_ends - self.at) / 1000
            ),
        )


def _waiting(queue: WaitingQueue, *, away: bool) -> WaitingMessages:
    return WaitingMessages(
        org=queue.org_name,
        count=queue.count,
        since=queue.since / 1000,
        away=away,
        queue=(queue.sim_selector, queue.phone),
    )
