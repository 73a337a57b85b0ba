"""The server as the gateway sees it, from its opening to its end."""

import ssl
from collections.abc import Callable

import trio

from phonegate.config.settings import HttpSettings, TlsSettings

from .app_call import ANSWER_GRACE_S, AsgiApp
from .connection import ConnectionHandler, Face, ServePhone
from .fast_path import FastPath
from .fast_pipeline import FastPipeline
from .forwarded import networks
from .listener import AddressLimits, Door, Listener
from .served_certificate import ServedCertificate
from .shell_on_demand import ShellOnDemand
from .stand_in import StandIn

CERTIFICATE_POLL_S = 15.0
"""Seconds between two checks for a renewed certificate: two calls of stat(2). A person who renews
one by hand waits for it."""


class Server:
    """One guarded listener before the fast path, the phone link and the application.

    Args:
        settings: Addresses, limits and deadlines.
        tls: The certificate, or empty for plain HTTP.
        make_app: Returns the ASGI application of the ASGI shell. It is called in a thread, by the
            first request that needs it.
        serve_phone: Serves the websockets at `phone_path`.
        fast_pipeline: Answers plain requests for the busy endpoints. Without it the application
            gets them.
        stand_in: The host in whose place it answers too, if it does.
        phone_path: The path of the phone link.
        rate_limits: The limits of each address. Without it there are none.
        answer_grace_s: See `app_call.ANSWER_GRACE_S`.
        certificate_poll_s: See `CERTIFICATE_POLL_S`.

    Raises:
        CertificateUnusable: The files of `[tls]`, or of the stand-in, make no certificate.
        ValueError: `trusted_proxies` names something that is no network.
    """

    def __init__(
        self,
        settings: HttpSettings,
        tls: TlsSettings,
        *,
        make_app: Callable[[], AsgiApp],
        serve_phone: ServePhone,
        fast_pipeline: FastPipeline | None = None,
        stand_in: StandIn | None = None,
        phone_path: str = "/websocket",
        rate_limits: AddressLimits | None = None,
        answer_grace_s: float = ANSWER_GRACE_S,
        certificate_poll_s: float = CERTIFICATE_POLL_S,
    ) -> None:
        self._certificate_poll_s = certificate_poll_s
        trusted = networks(settings.trusted_proxies)
        self._shell = ShellOnDemand(make_app, settings, trusted, answer_grace_s=answer_grace_s)
        self._fast_paths: list[FastPath] = []
        self._certificate = ServedCertificate(tls, self._use)
        face = Face(tls=self._certificate.context, fast_path=None)
        if fast_pipeline is not None:
            face.fast_path = FastPath(fast_pipeline, settings, trusted)
            self._fast_paths.append(face.fast_path)
        other: Face | None = None
        self._stand_in_certificate: ServedCertificate | None = None
        if stand_in is not None:
            self._stand_in_certificate = ServedCertificate(
                stand_in.tls,
                self._use_for_stand_in,
                section="[stand_in]",
                remedy=f"`phonegate certificate --stand-in {stand_in.host}` makes it.",
            )
            other = Face(tls=self._stand_in_certificate.context, fast_path=None, stand_in=stand_in)
            if fast_pipeline is not None:
                other.fast_path = FastPath(fast_pipeline, settings, trusted, stand_in.has)
                self._fast_paths.append(other.fast_path)
        self._connections = ConnectionHandler(
            settings,
            face=face,
            stand_in=other,
            trusted=trusted,
            shell=self._shell,
            serve_phone=serve_phone,
            phone_path=phone_path,
        )
        usual = Door(bind=settings.bind, serve=self._connections.serve, plain=face.tls is None)
        doors = [usual]
        if stand_in is not None:
            serve, setting = self._connections.serve_stand_in, "[stand_in] bind"
            doors.append(Door(bind=stand_in.bind, setting=setting, serve=serve, plain=False))
        if settings.plain_bind:
            serve, setting = self._connections.serve_plain, "[http] plain_bind"
            doors.append(Door(bind=settings.plain_bind, setting=setting, serve=serve, plain=True))
        self._listener = Listener(settings, doors, rate_limits=rate_limits, trusted=trusted)
        self._bound: dict[str, list[tuple[str, int]]] = {}

    @property
    def connections(self) -> int:
        """Connections open now."""
        return self._listener.connections

    @property
    def refused(self) -> int:
        """Connections turned away since the start."""
        return self._listener.refused

    @property
    def stand_in_bound(self) -> list[tuple[str, int]]:
        """The addresses of the stand-in alone that are listened on."""
        return self._bound.get("[stand_in] bind", [])

    @property
    def every_bound(self) -> list[tuple[str, int]]:
        """All addresses that are listened on."""
        return [address for addresses in self._bound.values() for address in addresses]

    @property
    def certificate_ends(self) -> int | None:
        """When the certificate in use ends that ends first, in ms since 1970. None without one."""
        other = self._stand_in_certificate
        ends = (self._certificate.ends_at, None if other is None else other.ends_at)
        return min((one for one in ends if one is not None), default=None)

    async def serve(
        self,
        *,
        task_status: trio.TaskStatus[list[tuple[str, int]]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listens and serves until `drain` was called and the last connection has ended.

        It is started with the bound addresses.

        Raises:
            CannotListen: An address of `bind` can't be had.
        """
        self._bound = await self._listener.open()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._shell.run)
                for fast_path in self._fast_paths:
                    await nursery.start(fast_path.run)
                async with trio.open_nursery() as watch:
                    watch.start_soon(self._certificate.watch, self._certificate_poll_s)
                    if self._stand_in_certificate is not None:
                        other = self._stand_in_certificate
                        watch.start_soon(other.watch, self._certificate_poll_s)
                    task_status.started(self._bound["[http] bind"])
                    await self._listener.run()
                    watch.cancel_scope.cancel()
                self._shell.stop()
                for fast_path in self._fast_paths:
                    fast_path.stop()
        finally:
            self._listener.close()

    async def renew(self, tls: TlsSettings, stand_in: TlsSettings | None = None) -> bool:
        """Reads the certificates and their keys anew, for connections that come from now on.

        A server that speaks plain HTTP goes on doing so.

        Args:
            tls: The files of its own.
            stand_in: Those of the host that it stands in for.

        Returns:
            Whether any were others than before.

        Raises:
            CertificateUnusable: They make no certificate. The one before it stays in use.
        """
        renewed = await self._certificate.renew(tls)
        if stand_in is not None and self._stand_in_certificate is not None:
            return await self._stand_in_certificate.renew(stand_in) or renewed
        return renewed

    def _use(self, context: ssl.SSLContext) -> None:
        self._connections.renew(context)

    def _use_for_stand_in(self, context: ssl.SSLContext) -> None:
        self._connections.renew_stand_in(context)

    def drain(self) -> None:
        """Stops accepting at once, and lets running requests and phones finish.

        Connections without a request are closed, and answers that are produced while they are
        sent are ended. The caller bounds how long the rest may take, by cancelling `serve`.
        """
        self._listener.close()
        self._connections.drain()
        for fast_path in self._fast_paths:
            fast_path.drain()
        self._shell.drain()
