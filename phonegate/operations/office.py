"""The operator's side of a gateway, put together: what watches it, cleans up and tells of it."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from phonegate import log
from phonegate.control import Command, Report
from phonegate.domain.alarms import Alarms, Limits
from phonegate.domain.lines import Lines
from phonegate.domain.retention import Retention
from phonegate.door import Door
from phonegate.operations.app import OperatorApp
from phonegate.operations.endpoints import Counter
from phonegate.operations.lag import Lag
from phonegate.operations.readiness import Readiness
from phonegate.operations.status import told
from phonegate.operations.survey import Survey
from phonegate.operations.watch import Watch
from phonegate.phones.link import PhoneLink
from phonegate.phones.switchboard import Switchboard
from phonegate.settings import Settings, TlsSettings
from phonegate.web.app import build_desk
from phonegate.web.endpoint import Endpoint
from phonegate.web.services import Services
from phonegate.web.table import Table

MAX_CONNECTIONS = 64
"""At the operator's own address: a few programs that ask every few seconds."""

_log = log.get("operations")


class Office:
    """Looks at the parts of a gateway, without being one that the others need."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        switchboard: Switchboard,
        lines: Lines,
        *,
        link: PhoneLink,
        door: Callable[[], Door],
    ) -> None:
        """`door` gives the main door, which may be made later than this."""
        self._settings = settings
        self._services = services
        self._lag = Lag()
        self._readiness = Readiness(
            services.database,
            disk_low_bytes=settings.alarms.disk_low_bytes,
            now_ms=services.now_ms,
        )
        self._survey = Survey(
            database=services.database,
            switchboard=switchboard,
            requests=services.requests,
            guard=services.guard,
            cleaned=services.cleaned,
            experience=lines.experience,
            link=link,
            door=door,
            lag=self._lag,
            now_ms=services.now_ms,
            began=trio.current_time(),
            version=services.version,
        )
        self._alarms = Alarms(Limits(**attrs.asdict(settings.alarms)))
        self._watch = Watch(self._survey, self._alarms)
        self._counter = Counter(self._survey, self._readiness, token=settings.operator.token)

        self._http = attrs.evolve(
            settings.http, bind=(settings.operator.bind,), max_connections=MAX_CONNECTIONS
        )
        table = Table(self._counter.endpoints())
        self._desk = build_desk(services, self._http, table, logged=settings.log.requests)

    @property
    def public_endpoints(self) -> tuple[Endpoint, ...]:
        """What the main door answers as well: nothing without a token, or with an own address."""
        operator = self._settings.operator
        return self._counter.endpoints() if operator.token and not operator.bind else ()

    def commands(self) -> Mapping[str, Command]:
        """What the control socket answers, beside the owner's commands."""
        return {"status": self.status}

    async def take_up(self, settings: Settings) -> None:
        """Takes the thresholds of the alarms, and what is logged, from settings read again."""
        self._desk.logged = settings.log.requests
        self._alarms.limits = Limits(**attrs.asdict(settings.alarms))
        self._readiness.disk_low_bytes = settings.alarms.disk_low_bytes
        self._services.guard.disk_low_bytes = settings.alarms.disk_low_bytes

    def drain(self) -> None:
        """Says that the gateway was told to stop."""
        self._readiness.draining = True

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled; started once its own address, if any, is listened on.

        Raises:
            CannotListen: the address can't be had (inside an exception group).
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self._lag.run)
            await nursery.start(self._watch.run)
            if days := self._settings.retention.messages_days:
                services = self._services
                keeping = Retention(services.database, days=days, now_ms=services.now_ms)
                await nursery.start(keeping.run)
            if self._settings.operator.bind:
                for host, port in await nursery.start(self._own_door().serve):
                    _log.info("operator_listening", host=host, port=port)
            task_status.started()

    async def status(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """The gateway as it is now; with `phones`, how many each org has connected."""
        sample = await self._survey.sample()
        answer = told(sample, self._watch)
        if request.get("phones"):
            names = {org.id: org.name for org in await self._services.accounts.orgs()}
            online = {names[org]: count for org, count in sample.phones.items() if org in names}
            answer = {**answer, "phones": dict(sorted(online.items()))}
        return answer

    def _own_door(self) -> Door:
        app = OperatorApp(self._desk)
        return Door(self._http, TlsSettings(), app=app, phone_lane=_no_phone, phone_path="")


async def _no_phone(*_: object) -> None:
    """No path is empty, so none is a phone's."""
