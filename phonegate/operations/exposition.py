"""Snapshots as Prometheus reads them: the text format, or OpenMetrics where it is asked for.

The parts of the gateway count in plain integers. Only here, once for each scrape, do they become
metrics, in a registry made for it. No label has more values than the table has endpoints: no
org, number, or path of a request is one.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from phonegate.domain.alarm_wording import WORDINGS
from phonegate.domain.rate_limits import KINDS
from phonegate.domain.reported_values import KINDS as CLEANED
from phonegate.events.webhooks.courier import OUTCOMES as DELIVERED_AS
from phonegate.histogram import Histogram
from phonegate.model.states import STATES
from phonegate.operations.notices.notifier import OUTCOMES
from phonegate.operations.snapshot import Snapshot


def expose(snapshot: Snapshot, accept: str = "") -> tuple[bytes, str]:
    """Returns a snapshot as the body of an answer, and its Content-Type.

    Args:
        snapshot: The snapshot.
        accept: The request's Accept header.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(families(snapshot)))
    # Memory, descriptors, CPU time and start of this process, by Prometheus's usual names.
    ProcessCollector(registry=registry)
    encode, media = choose_encoder(accept)
    return encode(registry), media


class _Fixed(Collector):
    """A collector of metric families that are made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Returns all of them."""
        return self._families


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Yields every metric of a snapshot."""
    yield from _of_messages(snapshot)
    yield from _of_requests(snapshot)
    yield from _of_storage(snapshot)
    info = GaugeMetricFamily("phonegate_info", "The program that runs.", labels=["version"])
    info.add_metric([snapshot.version], 1)
    yield info
    yield _gauge("phones_online", "Phones that are connected.", snapshot.online)
    yield _counter(
        "phones_refused",
        "Phones turned away at their handshake, for a wrong secret most likely.",
        snapshot.refused_phones,
    )
    yield _gauge("connections", "Open connections of phones and apps.", snapshot.connections)
    yield _gauge(
        "event_followers", "Streams of events and long polls that are open.", snapshot.followers
    )
    yield _counter(
        "connections_refused",
        "Connections turned away because there were too many.",
        snapshot.refused_connections,
    )
    limited = CounterMetricFamily(
        "phonegate_limited",
        "What [limits] refused; of phone_frames and org_frames, how often a phone was slowed down.",
        labels=["limit"],
    )
    for kind in KINDS:
        limited.add_metric([kind], snapshot.limited.get(kind, 0))
    yield limited
    cleaned = CounterMetricFamily(
        "phonegate_cleaned",
        "What was put right or left out of what phones and carriers reported: cut was too long, "
        "entry could not be read at all.",
        labels=["kind"],
    )
    for one in CLEANED:
        cleaned.add_metric([one], snapshot.cleaned.get(one, 0))
    yield cleaned
    yield _gauge(
        "event_loop_lag_seconds",
        "The longest that the event loop was late within the last minute.",
        snapshot.lag_s,
    )
    yield _gauge("tasks", "Tasks that live in the event loop.", snapshot.tasks)
    yield _gauge(
        "certificate_ends_timestamp_seconds",
        "When the certificate of [tls] ends, or of [stand_in] if that is earlier, in seconds since "
        "1970; 0 without one.",
        (snapshot.certificate_ends or 0) / 1000,
    )
    alarms = GaugeMetricFamily("phonegate_alarms", "Alarms that are on.", labels=["alarm"])
    for alarm in WORDINGS:
        alarms.add_metric([alarm], snapshot.alarms_on.get(alarm, 0))
    yield alarms
    yield from _of_webhooks(snapshot)
    notices = CounterMetricFamily(
        "phonegate_notices",
        "Notices of alarms to people: delivered, and attempts that failed.",
        labels=["outcome"],
    )
    for became in OUTCOMES:
        notices.add_metric([became], snapshot.notices.get(became, 0))
    yield notices
    yield _gauge(
        "notice_targets_failing",
        "Targets of notices that have taken none for a minute.",
        len(snapshot.mute),
    )
    carriers = CounterMetricFamily(
        "phonegate_carrier_messages",
        "Messages handed to carriers: taken, refused, not_taken (certainly not), unknown.",
        labels=["provider", "outcome"],
    )
    for (provider, outcome), count in sorted(snapshot.carriers.items()):
        carriers.add_metric([provider, outcome], count)
    yield carriers
    yield _gauge(
        "carrier_assistants_failing",
        "Assistants whose carrier did not answer their last message.",
        len(snapshot.failing),
    )


def _of_messages(snapshot: Snapshot) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "phonegate_message_events",
        "What happened to messages since the start.",
        labels=["event"],
    )
    for event, count in snapshot.counts.items():
        events.add_metric([event], count)
    yield events
    stored = GaugeMetricFamily(
        "phonegate_messages_stored", "Messages in the database.", labels=["status"]
    )
    # Only known states: those of a newer schema would make a label of unknown size.
    for status in STATES:
        stored.add_metric([status], snapshot.messages.get(status, 0))
    yield stored
    depth = GaugeMetricFamily(
        "phonegate_queue_messages",
        "Messages that wait, by what for: a phone that is away, their turn, a carrier, their time, "
        "a person's approval, or the result of a push.",
        labels=["reason"],
    )
    age = GaugeMetricFamily(
        "phonegate_queue_oldest_seconds",
        "For how long the oldest message has waited that could leave.",
        labels=["reason"],
    )
    for reason, queue in snapshot.queues.items():
        depth.add_metric([reason], queue.count)
        if reason in ("phone", "turn", "carrier"):
            since = snapshot.at if queue.since is None else queue.since
            age.add_metric([reason], max(0, snapshot.at - since) / 1000)
    yield from (depth, age)


def _of_webhooks(snapshot: Snapshot) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "phonegate_webhook_deliveries",
        "Calls of webhooks: delivered, failed (tried again), given_up, lost (the event was deleted "
        "before).",
        labels=["outcome"],
    )
    for outcome in DELIVERED_AS:
        calls.add_metric([outcome], snapshot.deliveries.get(outcome, 0))
    yield calls
    waiting = snapshot.deliveries_waiting
    yield _gauge(
        "webhook_deliveries_waiting", "Events that webhooks are still to get.", waiting.count
    )
    since = snapshot.at if waiting.since is None else waiting.since
    yield _gauge(
        "webhook_oldest_seconds",
        "For how long the oldest of them waits.",
        max(0, snapshot.at - since) / 1000,
    )


def _of_requests(snapshot: Snapshot) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "phonegate_http_requests",
        "Requests answered, by endpoint and status; 499: the client left.",
        labels=["method", "path", "status"],
    )
    for (route, status), count in sorted(snapshot.requests.items()):
        answers.add_metric([*route, str(status)], count)
    yield answers
    seconds = HistogramMetricFamily(
        "phonegate_http_request_seconds",
        "Time from a request's head to its answer, by endpoint.",
        labels=["method", "path"],
    )
    for route, histogram in sorted(snapshot.seconds.items()):
        seconds.add_metric(list(route), _buckets(histogram), histogram.total)
    yield seconds
    refused = CounterMetricFamily(
        "phonegate_http_refused",
        "Requests refused, by why: their status is 401, 403, 429 or 503.",
        labels=["reason"],
    )
    for status, reason in _REFUSALS.items():
        total = sum(count for (_, one), count in snapshot.requests.items() if one == status)
        refused.add_metric([reason], total)
    yield refused
    dialects = CounterMetricFamily(
        "phonegate_dialect_requests",
        "Requests at addresses of dialects: answered, refused (4xx), failed (5xx).",
        labels=["dialect", "outcome"],
    )
    for (name, outcome), count in sorted(snapshot.dialects.items()):
        dialects.add_metric([name, outcome], count)
    yield dialects


_REFUSALS = {401: "unauthorized", 403: "forbidden", 429: "throttled", 503: "unavailable"}


def _of_storage(snapshot: Snapshot) -> Iterator[Metric]:
    writer, space = snapshot.writer, snapshot.space
    yield _gauge("writer_waiting", "Writes that wait for the writer.", writer.waiting)
    yield _histogram(
        "commit_seconds",
        "Time from taking up a group of writes to their commit, on the disk.",
        writer.commit_seconds,
    )
    yield _histogram("commit_operations", "Writes that shared a commit.", writer.group_sizes)
    yield _counter(
        "commit_failures", "Groups of writes that the disk did not take.", writer.failures
    )
    yield _gauge("storage_failing", "1 while the disk takes no writes.", int(writer.failing))
    yield _gauge("database_bytes", "Size of the database's file.", space.database)
    yield _gauge("database_log_bytes", "Size of its write-ahead log.", space.log)
    yield _gauge("disk_free_bytes", "Room on the database's disk.", space.free)
    yield _gauge("disk_bytes", "Size of the database's disk.", space.disk)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"phonegate_{name}", about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"phonegate_{name}", about, value=value)


def _histogram(name: str, about: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(f"phonegate_{name}", about)
    family.add_metric([], _buckets(histogram), histogram.total)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, (float(n) for n in histogram.cumulative()), strict=True))
