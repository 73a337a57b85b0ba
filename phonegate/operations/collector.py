"""Takes snapshots of a gateway, from the counts of its parts and from what the store holds."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs
import trio

from phonegate.api.request_counts import RequestCounts
from phonegate.domain.alarms import DeadWebhook, HintedPhone
from phonegate.domain.carrier_pool import CarrierHealth
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reported_values import Kind
from phonegate.events.flow import Flow
from phonegate.model.messages import Backlog, WaitingQueue
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.model.webhooks import Webhook
from phonegate.operations.lag import Lag
from phonegate.operations.snapshot import Snapshot
from phonegate.phones.link.phone_link import PhoneLink
from phonegate.phones.switchboard import Switchboard
from phonegate.store.database import Database
from phonegate.store.deliveries import Waiting
from phonegate.store.tables import Tables

MOST_HINTED: Final = 20
"""Phones about which alarms are raised at a time because of what their owners should do. A fleet
that is set up wrongly is one fault, and each of it is listed where phones are."""

MOST_DEAD: Final = 20
"""Webhooks about which alarms are raised at a time, for the same reason."""

DEADLINE_S: Final = 8.0
"""Prometheus gives up after ten seconds by default. An answer before that can say why."""


class ServerView(Protocol):
    """The counts of a server such as `server.Server`."""

    @property
    def connections(self) -> int:
        """The number of open connections."""

    @property
    def refused(self) -> int:
        """The number of connections that were refused because there were too many."""

    @property
    def certificate_ends(self) -> int | None:
        """When the certificate in use ends, in ms. None without one."""


@attrs.frozen(kw_only=True)
class NoticeCounts:
    """What there is to know of notices and alarms at one moment."""

    outcomes: Mapping[str, int] = attrs.field(factory=dict)
    """How many notices were delivered, and how many attempts failed, since the start."""
    mute: Mapping[str, str] = attrs.field(factory=dict)
    """The targets that take no notices, each with the reason, by their names."""
    alarms: Mapping[str, int] = attrs.field(factory=dict)
    """How many alarms are on, by name."""


@attrs.frozen(kw_only=True)
class _Stored:
    """What a snapshot reads of the store."""

    by_status: Mapping[str, int]
    backlog: Backlog
    stranded: tuple[WaitingQueue, ...]
    hinted: tuple[HintedPhone, ...]
    failing_orgs: Mapping[int, str]
    deliveries: Waiting
    dead_webhooks: tuple[DeadWebhook, ...]


@attrs.frozen(kw_only=True)
class Collector:
    """The parts of a gateway that a snapshot is taken of. It changes none of them."""

    database: Database
    flow: Flow
    switchboard: Switchboard
    requests: RequestCounts
    rate_limits: RateLimits
    cleaned: Counter[Kind]
    health: CarrierHealth
    link: PhoneLink
    server: Callable[[], ServerView]
    modem_problem: Callable[[], str | None]
    followers: Callable[[], int]
    """Counts the streams of events and long polls."""
    notices: Callable[[], NoticeCounts]
    deliveries: Mapping[str, int]
    """Calls of webhooks, by outcome."""
    lag: Lag
    now_ms: Callable[[], int]
    began: float
    """When the gateway started, in trio's time."""
    version: str

    async def snapshot(self) -> Snapshot:
        """Returns the gateway as it is now. Reads the queue in one transaction of the store.

        Raises:
            StorageUnavailable: The database can't be read, or not in time.
            StoreClosed: The gateway is stopping.
        """
        with trio.move_on_after(DEADLINE_S):
            return await self._sample()
        raise StorageUnavailable("reading took too long")

    async def _sample(self) -> Snapshot:
        online = list(self.switchboard.online_phones())
        failing = self.health.failures.copy()

        def look(tx: Tables) -> _Stored:
            hinted = tx.phones.hinted(MOST_HINTED)
            found = [tx.assistants.get(assistant) for assistant in failing]
            return _Stored(
                by_status=tx.message_counts.by_status(),
                backlog=tx.message_counts.backlog(),
                stranded=tx.message_counts.stranded(online),
                hinted=tuple(
                    HintedPhone(phone=phone, org=org, hint=hint) for phone, org, hint in hinted
                ),
                dead_webhooks=tuple(map(_dead, tx.webhooks.failed(MOST_DEAD))),
                deliveries=tx.deliveries.all_waiting(),
                failing_orgs={one.id: one.org_name for one in found if one is not None},
            )

        stored = await self.database.read(look)
        backlog, notices = stored.backlog, self.notices()
        space = await self.database.space()
        serves, server = self.switchboard.serves, self.server()
        return Snapshot(
            at=self.now_ms(),
            up_s=trio.current_time() - self.began,
            version=self.version,
            phones=self.switchboard.online_by_org(),
            messages=stored.by_status,
            flow=self.flow.counts.copy(),
            writer=self.database.statistics(),
            space=space,
            backlog=backlog,
            deliveries=dict(self.deliveries),
            deliveries_waiting=stored.deliveries,
            away=frozenset(
                queue
                for queue in backlog.queues
                if queue.assistant is None
                and not serves(queue.org, queue.phone, queue.sim_selector)
            ),
            connections=server.connections,
            followers=self.followers(),
            refused_connections=server.refused,
            refused_phones=self.link.refused,
            cleaned=self.cleaned.copy(),
            limited=self.rate_limits.refused.copy(),
            requests=self.requests.statuses.copy(),
            dialects=self.requests.dialects.copy(),
            seconds={route: one.copy() for route, one in self.requests.seconds.items()},
            carriers=self.health.outcomes.copy(),
            failing=failing,
            failing_orgs=stored.failing_orgs,
            hinted=stored.hinted,
            stranded=tuple(
                queue for queue in stored.stranded if self.switchboard.at(queue.phone or 0) is None
            ),
            dead_webhooks=stored.dead_webhooks,
            mute=notices.mute,
            notices=notices.outcomes,
            alarms_on=notices.alarms,
            modem_problem=self.modem_problem(),
            lag_s=self.lag.worst_s,
            certificate_ends=server.certificate_ends,
            tasks=trio.lowlevel.current_statistics().tasks_living,
        )


def _dead(webhook: Webhook) -> DeadWebhook:
    return DeadWebhook(
        webhook=webhook.id,
        org=webhook.org_name,
        reason=webhook.disabled_reason or "its calls failed",
        since=(webhook.disabled_at or 0) / 1000,
    )
