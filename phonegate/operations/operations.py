"""The operator's services of a gateway: alarms, metrics, readiness, status and retention."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio

from phonegate import log
from phonegate.api.endpoint import Endpoint
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.services import Services
from phonegate.api.table import Table
from phonegate.config.settings import Settings, TlsSettings
from phonegate.domain.alarm_record import AlarmRecord
from phonegate.domain.alarms import Alarms, AlarmThresholds, News
from phonegate.domain.carrier_pool import CarrierPool
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.domain.event_retention import EventRetention, kept_ms
from phonegate.domain.figure_keeping import FigureKeeping
from phonegate.domain.phone_history import HistoryKeeping
from phonegate.domain.retention import Retention
from phonegate.events.flow import Flow
from phonegate.model.storage_errors import StoreError
from phonegate.operations.alarm_loop import AlarmLoop
from phonegate.operations.app import OperatorApp
from phonegate.operations.collector import Collector, NoticeCounts
from phonegate.operations.copying import CopyDesk
from phonegate.operations.endpoints import OperatorEndpoints
from phonegate.operations.lag import Lag
from phonegate.operations.notices.heartbeat import UNKNOWN, Heartbeat
from phonegate.operations.notices.messenger import Trial
from phonegate.operations.notices.notifier import Notifier
from phonegate.operations.readiness import Readiness
from phonegate.operations.status import status_document
from phonegate.phones.link.phone_link import PhoneLink
from phonegate.phones.switchboard import Switchboard
from phonegate.server import Server
from phonegate.store.database import Database

if TYPE_CHECKING:
    from phonegate.operations.certificate_renewal import CertificateRenewal

MAX_CONNECTIONS = 64
"""Most connections at the operator's own address, for a few programs that ask every few seconds."""

_log = log.get("operations")


class Operations:
    """Observes the parts of a gateway. No other part depends on it."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        database: Database,
        switchboard: Switchboard,
        pool: CarrierPool,
        *,
        flow: Flow,
        link: PhoneLink,
        server: Callable[[], Server],
        modem_problem: Callable[[], str | None],
        deliveries: Mapping[str, int],
    ) -> None:
        """Prepares the observation.

        Args:
            settings: What the gateway runs by.
            services: Its services.
            database: Its store.
            switchboard: The phones that are connected.
            pool: The carriers.
            flow: Counts what becomes of messages.
            link: The link of phones.
            server: Returns the main server, which may be made later than this object.
            modem_problem: Returns why the modem of `[modem]` can't be used, or None.
            deliveries: The calls of webhooks so far, by outcome.
        """
        self._settings = settings
        self._services = services
        self._database = database
        self._lag = Lag()
        self._readiness = Readiness(
            database,
            disk_low_bytes=settings.alarms.disk_low_bytes,
            now_ms=services.now_ms,
        )
        self._collector = Collector(
            database=database,
            flow=flow,
            switchboard=switchboard,
            requests=services.requests,
            rate_limits=services.rate_limits,
            cleaned=services.cleaned,
            health=pool.health,
            link=link,
            server=server,
            modem_problem=modem_problem,
            followers=services.feed.__len__,
            notices=self._notice_counts,
            deliveries=deliveries,
            lag=self._lag,
            now_ms=services.now_ms,
            began=trio.current_time(),
            version=services.version,
        )
        self._alarms = Alarms(_thresholds(settings))
        self._record = AlarmRecord(database, now_ms=services.now_ms)
        self._notifier = Notifier(
            services,
            failing=pool.health.failures.keys,
            fields=self._alarms.fields,
            standing=lambda: self._alarms.standing,
            reported=self._record.reported,
        )
        self._notifier.engage(settings.alarms.notify)
        self._alarm_loop = AlarmLoop(self._collector, self._alarms, self._publish)
        self.copy_desk = CopyDesk(database, now_ms=services.now_ms)
        """Makes copies of the database that are ordered in the console."""
        self._heartbeat = Heartbeat(self._why_not_well)
        self._heartbeat.url = settings.alarms.heartbeat_url
        self._renewal = _certificate_renewal(settings)
        self._endpoints = OperatorEndpoints(
            self._collector, self._readiness, token=settings.operator.token
        )

        self._http = attrs.evolve(
            settings.http,
            bind=(settings.operator.bind,),
            prefix="",
            max_connections=MAX_CONNECTIONS,
        )
        table = Table(self._endpoints.endpoints())
        self._pipeline = build_pipeline(services, self._http, table, logged=settings.log.requests)

    @property
    def public_endpoints(self) -> tuple[Endpoint, ...]:
        """Returns the endpoints for the main server.

        There are none without a token, or where the operator has an address of its own.
        """
        operator = self._settings.operator
        return self._endpoints.endpoints() if operator.token and not operator.bind else ()

    async def take_up(self, settings: Settings) -> None:
        """Takes the alarms' thresholds and targets, what is logged, and the certificate anew."""
        if self._renewal is not None:
            self._renewal.settings = settings
        self._pipeline.log.logged = settings.log.requests
        self._alarms.thresholds = _thresholds(settings)
        self._notifier.engage(settings.alarms.notify)
        self._heartbeat.url = settings.alarms.heartbeat_url
        self._readiness.disk_low_bytes = settings.alarms.disk_low_bytes
        self._services.rate_limits.disk_low_bytes = settings.alarms.disk_low_bytes

    def drain(self) -> None:
        """Makes `GET /ready` refuse from now on, since the gateway is stopping."""
        self._readiness.draining = True

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled. It has started once it listens on its own address, if any.

        Raises:
            CannotListen: The address can't be used (inside an exception group).
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self._lag.run)
            await self._restore()
            await nursery.start(self._notifier.run)
            await nursery.start(self._record.run)
            await nursery.start(self._alarm_loop.run)
            await nursery.start(self._heartbeat.run)
            await nursery.start(self.copy_desk.run)
            if self._renewal is not None:
                await nursery.start(self._renewal.run)
            await self._start_retention(nursery)
            if self._settings.operator.bind:
                for host, port in await nursery.start(self._own_server().serve):
                    _log.info("operator_listening", host=host, port=port)
            task_status.started()

    async def _start_retention(self, nursery: trio.Nursery) -> None:
        days, now_ms = self._settings.retention.messages_days, self._services.now_ms
        jumps = ClockJumps(self._database, now_ms)
        if days:
            keeping = Retention(self._database, days=days, now_ms=now_ms, jumps=jumps)
            await nursery.start(keeping.run)
        events = EventRetention(
            self._database,
            keep_ms=kept_ms(self._settings.events.keep_hours, days),
            most=self._settings.limits.org_events,
            messages_go=days > 0,
            now_ms=now_ms,
            jumps=jumps,
        )
        await nursery.start(events.run)
        history = HistoryKeeping(self._database, now_ms=now_ms, jumps=jumps)
        await nursery.start(history.run)
        figures = FigureKeeping(
            self._database,
            days=self._settings.retention.figures_days,
            now_ms=now_ms,
            jumps=jumps,
        )
        await nursery.start(figures.run)

    async def status(self, *, phones: bool = False) -> Mapping[str, Any]:
        """Returns the gateway's status, with `phones` also how many each org has connected."""
        snapshot = await self._collector.snapshot()
        answer = status_document(snapshot, self._alarm_loop)
        if phones:
            names = {org.id: org.name for org in await self._services.accounts.orgs.all()}
            online = {names[org]: count for org, count in snapshot.phones.items() if org in names}
            answer = {**answer, "phones": dict(sorted(online.items()))}
        return answer

    @property
    def standing(self) -> Sequence[News]:
        """The alarms that are on, with what is known of them now."""
        return self._alarms.standing

    async def try_targets(self) -> Sequence[tuple[str, Trial]]:
        """Sends a test notice to every target. Returns what became of it, by target."""
        return await self._notifier.test()

    async def _restore(self) -> None:
        """Goes on with the alarms that were on when the gateway ended."""
        try:
            standing = await self._record.load()
        except StoreError as error:
            _log.warning("alarms_not_restored", reason=str(error))
            return
        now = trio.current_time() - self._collector.began
        self._alarms.restore([news for news, _ in standing], now, self._services.now_ms() / 1000)
        self._notifier.restore(standing)

    def _publish(self, news: News) -> None:
        self._notifier.take(news)
        self._record.take(news)

    def _notice_counts(self) -> NoticeCounts:
        return NoticeCounts(
            outcomes={str(name): n for name, n in self._notifier.outcomes.items()},
            mute=self._notifier.mute,
            alarms=Counter(name for name, _ in self._alarms.on),
        )

    async def _why_not_well(self) -> str | None:
        """Returns why the heartbeat must not be sent, in a word, or None while all is well."""
        if (alarm := self._alarms.trouble) is not None:
            return alarm
        if not self._alarm_loop.works:
            return UNKNOWN
        reasons = await self._readiness.reasons()
        return reasons[0].code if reasons else None

    def _own_server(self) -> Server:
        app = OperatorApp(self._pipeline)
        return Server(
            self._http,
            TlsSettings(),
            make_app=lambda: app,
            serve_phone=_no_phone,
            phone_path="",
        )


def _thresholds(settings: Settings) -> AlarmThresholds:
    """Returns the settings of `[alarms]` that are thresholds."""
    names = (field.name for field in attrs.fields(AlarmThresholds))
    return AlarmThresholds(**{name: getattr(settings.alarms, name) for name in names})


async def _no_phone(*_: object) -> None:
    """Takes no phones. It is never called, since its path is empty and no request's path is."""


def _certificate_renewal(settings: Settings) -> "CertificateRenewal | None":
    """Returns what renews the certificate, where there is one."""
    if not (settings.tls.certificate or settings.stand_in.enabled):
        return None
    from phonegate.operations.certificate_renewal import (  # noqa: PLC0415 - most have none
        CertificateRenewal,
    )

    return CertificateRenewal(settings)
