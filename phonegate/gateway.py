"""The whole gateway: what it is made of, in which order it starts and how it stops.

Start: store, declared assistants, scheduler and reconciler, control socket, operator's side,
server. Stop is the reverse, each step under a deadline: no new connections, every phone asked to
come back (1012), running requests answered, webhooks and carriers hung up on, writes committed, the
file checkpointed.
"""

import gc
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from phonegate import log, process, supervisor
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.pipeline import Pipeline
from phonegate.api.table import fast_table
from phonegate.assembly import TIMINGS, Core, Timings
from phonegate.bind_address import is_loopback
from phonegate.carriers import registry
from phonegate.config.settings import Settings
from phonegate.domain.registration import Mode
from phonegate.events.bus import Bus
from phonegate.operations.control import Control
from phonegate.operations.operations import Operations
from phonegate.operations.reload import Reload, Reread
from phonegate.own_addresses import OwnUrls
from phonegate.phones.close_codes import RESTART
from phonegate.phones.link.phone_link import PhoneLink
from phonegate.server import AppUnusable, AsgiApp, Server, StandIn
from phonegate.store.database import Database

if TYPE_CHECKING:
    from phonegate.builtin_phone.service import BuiltinPhone

GOODBYE_S = 3.0
"""Time for the close frames of all phones; the rest of the drain belongs to running requests."""

HANG_UP_S = 3.0
"""Of the drain, kept for storing what became of messages that no carrier has answered: a flush to
an SD card can take a second or two."""

OPEN_TO_ALL = (
    "every caller who reaches this gateway can make an org and store messages. "
    "`phonegate registration local` lets only private networks do so"
)

LATER: Final = (
    "flask_swagger_ui",
    "h11",
    "hypercorn",
    "jinja2",
    "phonenumbers",
    "quart",
    "quart_trio",
    "werkzeug",
    "wsproto",
)
"""Packages that are loaded when they are needed. Whether they are there is looked at before."""


Reloads = tuple[Reread, "trio.MemoryReceiveChannel[None]"]
"""How the settings are read again, and what tells when."""

Ready = Callable[[list[tuple[str, int]], Mode, str | None], None]
"""Gets the addresses that are listened on, who may make an org by a first call, and the path of the
set-up link where there is no org yet."""

_log = log.get("gateway")


def run(
    settings: Settings,
    *,
    ready: Ready | None = None,
    reread: Reread | None = None,
    hang_up_stops: bool = False,
    timings: Timings = TIMINGS,
) -> None:
    """Serves until SIGTERM or SIGINT, then drains. `ready` gets what `Ready` says.

    At SIGHUP the settings are read again by `reread`, and what can be taken up is. Where
    `hang_up_stops`, SIGHUP stops it like SIGTERM.

    Raises:
        StoreError: the database can't be used.
        BadInput: an assistant of the configuration can't be used.
        ServerError: an address can't be listened on, the certificate or key can't be used, or a
            package is missing.
    """
    # Two clients call webhooks, and each keeps as many connections idle as it may use.
    called = 4 * settings.webhooks.calls_at_once
    _demand_installed()
    process.prepare(settings.http.max_connections + called)
    try:
        trio.run(
            partial(_run_until_signalled, hang_up_stops=hang_up_stops, timings=timings),
            settings,
            ready,
            reread or (lambda: settings),
        )
    except BaseExceptionGroup as group:
        raise _cause(group) from group


def _demand_installed() -> None:
    missing = [name for name in LATER if find_spec(name) is None]
    if missing:
        raise AppUnusable(f"{' and '.join(missing)} is not installed here. Install phonegate anew.")


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns what went wrong, without the nurseries that it passed through on its way."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _run_until_signalled(
    settings: Settings,
    ready: Ready | None,
    reread: Reread,
    *,
    hang_up_stops: bool,
    timings: Timings,
) -> None:
    stop = trio.Event()
    # One that waits is enough: whatever was changed before it is read is read with it.
    ask, asked = trio.open_memory_channel[None](1)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    serve, settings, stop, reloads=(reread, asked), ready=ready, timings=timings
                )
            )
            supervisor.report(supervisor.READY)
            # What is loaded now stays until the end, so it need not be searched for garbage.
            gc.freeze()
            async for number in signals:
                if number == signal.SIGHUP and not hang_up_stops:
                    with suppress(trio.WouldBlock):
                        ask.send_nowait(None)
                    continue
                _log.info("stopping", signal=signal.Signals(number).name)
                supervisor.report(supervisor.STOPPING)
                break
            stop.set()


async def serve(
    settings: Settings,
    stop: trio.Event | None = None,
    *,
    reloads: Reloads | None = None,
    ready: Ready | None = None,
    timings: Timings = TIMINGS,
    task_status: "trio.TaskStatus[list[tuple[str, int]]]" = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until `stop` is set, then drains and returns. Cancelling it skips the drain.

    `reloads` reads the settings again whenever its channel has something. Reports the bound
    addresses through `task_status`, and to `ready` with what else it gets. Raises as `run` does.
    """
    bus = Bus()
    database = await trio.to_thread.run_sync(
        lambda: Database.open(
            Path(settings.database.path),
            readers=settings.database.readers,
            checkpoint=settings.database.checkpoint,
            first_id=settings.database.first_id,
            commits=settings.database.commits,
            publish=bus.publish,
        )
    )
    try:
        async with trio.open_nursery() as store:
            await store.start(database.run_writer)
            await _Gateway.assemble(settings, database, bus, timings).serve(
                trio.Event() if stop is None else stop, reloads, ready, task_status
            )
            database.stop_writing()
    finally:
        database.close()
        _log.info("stopped")


@attrs.frozen(kw_only=True)
class _Gateway:
    """The edges around the core: sockets, and what the operator sees."""

    core: Core
    link: PhoneLink
    pipeline: Pipeline
    server: Server
    operations: Operations
    make_owner: Callable[[], AsgiApp]
    """Makes what answers the owner's commands."""
    urls: OwnUrls
    """The gateway's URLs, once it listens."""
    builtin: "BuiltinPhone | None"
    """The phone of `[modem]`."""

    @classmethod
    def assemble(
        cls, settings: Settings, database: Database, bus: Bus, timings: Timings
    ) -> "_Gateway":
        """Builds the edges around the core."""
        core = Core.assemble(settings, database, bus, timings)
        services, phones = core.services, core.phones
        rate_limits = services.rate_limits
        link = PhoneLink(core.admission, phones)
        builtin = _builtin_phone(core)
        operations = Operations(
            settings,
            services,
            database,
            phones.switchboard,
            core.carrier_pool,
            flow=core.flow,
            link=link,
            server=lambda: server,
            modem_problem=lambda: None if builtin is None else builtin.problem,
            deliveries=core.webhooks.courier.counts,
        )
        pipeline = build_pipeline(
            services,
            settings.http,
            fast_table(*operations.public_endpoints),
            encrypted=bool(settings.tls.certificate),
            logged=settings.log.requests,
        )

        urls = OwnUrls(
            scheme="https" if settings.tls.certificate else "http",
            public_url=settings.http.public_url,
            prefix=settings.http.prefix,
        )

        def make_app() -> AsgiApp:
            from phonegate.applications import (  # noqa: PLC0415 - see there
                inner_pairing,
                main_app,
                owner_endpoints,
            )

            inner = (
                *owner_endpoints(core, operations, urls.for_others, urls.for_this_machine),
                *inner_pairing(core, urls.for_others),
            )
            return main_app(core, pipeline, operations.public_endpoints, inner)

        server = Server(
            settings.http,
            settings.tls,
            make_app=make_app,
            serve_phone=link.serve,
            fast_pipeline=pipeline,
            stand_in=_stand_in(settings),
            rate_limits=rate_limits,
        )

        def make_owner() -> AsgiApp:
            from phonegate.applications import owner_app  # noqa: PLC0415 - see there

            return owner_app(core, operations, urls.for_others, urls.for_this_machine)

        return cls(
            core=core,
            link=link,
            pipeline=pipeline,
            server=server,
            operations=operations,
            make_owner=make_owner,
            urls=urls,
            builtin=builtin,
        )

    async def serve(
        self,
        stop: trio.Event,
        reloads: Reloads | None,
        ready: Ready | None,
        task_status: Any,
    ) -> None:
        """Runs the parts. Returns once `stop` was set and everything running has ended."""
        await self.core.services.accounts.load()
        await self.core.services.assistants.sync(self.core.settings.assistants)
        await self._note_unsigned()
        async with trio.open_nursery() as services:
            await services.start(self.core.scheduler.run)
            await services.start(self.core.reconciler.run)
            # No phone stays connected for long without it.
            await services.start(self.core.phones.heartbeat.run)
            await services.start(self.core.attendance.run)
            await services.start(self.core.services.presences.run)
            await services.start(self.core.services.feed.run)
            await services.start(Control(self.core.database.path, self.make_owner).serve)
            await services.start(self.operations.run)
            await services.start(self.core.webhooks.run)
            await services.start(self.core.simulated.run)
            modem = trio.CancelScope()
            if self.builtin is not None:
                services.start_soon(_until_cancelled, self.builtin.run, modem)
            if reloads is not None:
                services.start_soon(self._reload(reloads[0]).run, reloads[1])
            async with trio.open_nursery() as sockets:
                bound = await sockets.start(self.server.serve)
                self.urls.bound[:] = bound
                self.core.own_ports.update(port for _, port in self.server.every_bound)
                self.core.own_urls[:] = self.urls.for_others()
                self.core.services.reached_at[:] = self.urls.every()
                for host, port in bound:
                    _log.info("listening", host=host, port=port)
                services.start_soon(_note_stand_in, self.core.settings, self.server)
                mode = self.core.services.accounts.orgs.registration.mode
                if mode == "open" and beyond_loopback(bound):
                    _log.warning("registration_open", problem=OPEN_TO_ALL)
                if ready is not None:
                    ready(bound, mode, self.core.services.accounts.set_up.path)
                task_status.started(bound)
                await stop.wait()
                self.operations.drain()
                self.server.drain()
                self.core.services.waits.close()
                self.core.services.feed.close()
                modem.cancel()
                self.core.simulated.close()
                services.start_soon(self._hang_up, sockets.cancel_scope)
                with trio.move_on_after(GOODBYE_S):
                    await self.core.phones.switchboard.close_all(RESTART, "the gateway restarts")
                await self.core.attendance.finish()
            await self.core.webhooks.close()
            await self.core.carrier_pool.close()
            services.cancel_scope.cancel()

    async def _note_unsigned(self) -> None:
        """Logs the assistants whose carriers' callbacks can't be verified."""
        unsigned: dict[str, list[int]] = {}
        for one in await self.core.services.assistants.every():
            if reason := registry.unsigned(one.provider, one.credentials):
                unsigned.setdefault(reason, []).append(one.id)
        for reason, ids in unsigned.items():
            _log.warning("callbacks_unsigned", assistants=ids, reason=reason)

    def _reload(self, reread: Reread) -> Reload:
        async def renew_certificate(settings: Settings) -> str | None:
            beside = _stand_in(self.core.settings)
            files = None if beside is None else beside.tls
            renewed = await self.server.renew(settings.tls, files)
            return "tls (certificate renewed)" if renewed else None

        async def log_as_set(settings: Settings) -> None:
            chosen = settings.log
            log.configure(chosen.format, chosen.level, trouble_per_s=chosen.trouble_per_s)
            self.pipeline.log.logged = chosen.requests

        # The certificate first: it alone can be refused.
        return Reload(
            self.core.settings, reread, renew_certificate, log_as_set, self.operations.take_up
        )

    async def _hang_up(self, sockets: trio.CancelScope) -> None:
        """Ends the drain: what no carrier has answered first, so that its outcome can be stored."""
        drain_s = self.core.settings.http.drain_s
        kept_s = min(HANG_UP_S, drain_s)
        await trio.sleep(drain_s - kept_s)
        # Not set before: a machine that stood still until now would pass both times at once.
        sockets.deadline = trio.current_time() + kept_s
        await self.core.carrier_pool.close()


def _builtin_phone(core: Core) -> "BuiltinPhone | None":
    """Returns the phone of `[modem]`, where there is one."""
    modem = core.settings.modem
    if not modem.enabled:
        return None
    from phonegate.builtin_phone.service import BuiltinPhone  # noqa: PLC0415 - most have none

    return BuiltinPhone.assemble(modem, core.services.accounts, core.admission, core.phones)


def _stand_in(settings: Settings) -> StandIn | None:
    """Returns what is served in place of another host, where something is."""
    if not settings.stand_in.enabled:
        return None
    from phonegate.operations import stand_ins  # noqa: PLC0415 - most have none

    return stand_ins.stand_in(settings)


async def _note_stand_in(settings: Settings, server: Server) -> None:
    """Logs where the gateway stands in for another host, where it does."""
    if settings.stand_in.enabled:
        from phonegate.operations import stand_ins  # noqa: PLC0415 - as above

        await stand_ins.note(settings, server.stand_in_bound)


async def _until_cancelled(run: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    with scope:
        await run()


def beyond_loopback(bound: Sequence[tuple[str, int]]) -> bool:
    """Tells whether others than this machine can reach one of these addresses."""
    return not all(is_loopback(host) for host, _ in bound)
