"""The server as the gateway sees it, from its opening to its end."""

import ssl
from collections.abc import Callable

import trio

from phonegate import log
from phonegate.config.settings import HttpSettings, TlsSettings

from . import tls as encryption
from .app_call import ANSWER_GRACE_S, AsgiApp
from .connection import ConnectionHandler, ServePhone
from .errors import CertificateUnusable
from .fast_path import FastPath
from .fast_pipeline import FastPipeline
from .forwarded import networks
from .listener import AddressLimits, Listener
from .shell_on_demand import ShellOnDemand

CERTIFICATE_POLL_S = 15.0
"""Seconds between two checks for a renewed certificate: two calls of stat(2). A person who renews
one by hand waits for it."""

_log = log.get("server")


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
        phone_path: The path of the phone link.
        rate_limits: The limits of each address. Without it there are none.
        answer_grace_s: See `app_call.ANSWER_GRACE_S`.
        certificate_poll_s: See `CERTIFICATE_POLL_S`.

    Raises:
        CertificateUnusable: The files of `[tls]` make no certificate.
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
        phone_path: str = "/websocket",
        rate_limits: AddressLimits | None = None,
        answer_grace_s: float = ANSWER_GRACE_S,
        certificate_poll_s: float = CERTIFICATE_POLL_S,
    ) -> None:
        self._certificate_poll_s = certificate_poll_s
        self._tls = tls
        self._certificate: object = encryption.version(tls)
        context = encryption.context(tls)
        self._ends_at = encryption.ends_at(tls)
        trusted = networks(settings.trusted_proxies)
        self._shell = ShellOnDemand(make_app, settings, trusted, answer_grace_s=answer_grace_s)
        self._fast_path = (
            None if fast_pipeline is None else FastPath(fast_pipeline, settings, trusted)
        )
        self._connections = ConnectionHandler(
            settings,
            tls=context,
            trusted=trusted,
            shell=self._shell,
            fast_path=self._fast_path,
            serve_phone=serve_phone,
            phone_path=phone_path,
        )
        self._listener = Listener(
            settings,
            self._connections.serve,
            plain=context is None,
            rate_limits=rate_limits,
            trusted=trusted,
        )

    @property
    def connections(self) -> int:
        """Connections open now."""
        return self._listener.connections

    @property
    def refused(self) -> int:
        """Connections turned away since the start."""
        return self._listener.refused

    @property
    def certificate_ends(self) -> int | None:
        """When the certificate in use ends, in ms since 1970. None where there is none."""
        return self._ends_at

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
        bound = await self._listener.open()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._shell.run)
                if self._fast_path is not None:
                    await nursery.start(self._fast_path.run)
                async with trio.open_nursery() as watch:
                    if self._tls.certificate:
                        watch.start_soon(self._watch_certificate)
                    task_status.started(bound)
                    await self._listener.run()
                    watch.cancel_scope.cancel()
                self._shell.stop()
                if self._fast_path is not None:
                    self._fast_path.stop()
        finally:
            self._listener.close()

    async def renew(self, tls: TlsSettings) -> bool:
        """Reads the certificate and its key anew, for connections that come from now on.

        A server that speaks plain HTTP goes on doing so.

        Returns:
            Whether they were others than before.

        Raises:
            CertificateUnusable: They make no certificate. The one before it stays in use.
        """

        def read() -> tuple[object, ssl.SSLContext | None, int | None]:
            return encryption.version(tls), encryption.context(tls), encryption.ends_at(tls)

        version, context, ends_at = await trio.to_thread.run_sync(read)
        if context is None or not self._tls.certificate:
            return False
        renewed = version != self._certificate
        self._connections.renew(context)
        self._tls, self._certificate, self._ends_at = tls, version, ends_at
        return renewed

    async def _watch_certificate(self) -> None:
        """Takes up each certificate that an ACME client renews."""
        refused: object = None
        while True:
            await trio.sleep(self._certificate_poll_s)
            version = await trio.to_thread.run_sync(encryption.version, self._tls)
            if version in (self._certificate, refused):
                continue
            try:
                await self.renew(self._tls)
            except CertificateUnusable as error:
                # As between the writing of the one file and of the other. The next look comes
                # after the second was written.
                refused = version
                _log.warning("certificate_unusable", reason=str(error))
            else:
                _log.info("certificate_renewed")

    def drain(self) -> None:
        """Stops accepting at once, and lets running requests and phones finish.

        Connections without a request are closed, and answers that are produced while they are
        sent are ended. The caller bounds how long the rest may take, by cancelling `serve`.
        """
        self._listener.close()
        self._connections.drain()
        if self._fast_path is not None:
            self._fast_path.drain()
        self._shell.drain()
