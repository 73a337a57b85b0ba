"""The door as the gateway sees it: opened, drained, gone."""

import trio

from phonegate.settings import HttpSettings, TlsSettings

from . import tls as encryption
from .calls import AsgiApp
from .errors import AppUnusable
from .express import Express, HotDesk
from .forwarded import networks
from .house import House
from .lanes import Lanes, PhoneLane
from .listener import Gatekeeper, Listener


class Door:
    """One guarded listener before all lanes.

    Args:
        settings: Addresses, limits and deadlines.
        tls: The certificate, or empty for plain HTTP.
        app: The ASGI application of the house lane.
        phone_lane: Serves the websockets at `phone_path`.
        hot: Answers plain requests for the hot endpoints; without it the application gets them.
        phone_path: The path of the phone link.
        guard: The limits of each address; without it there are none.

    Raises:
        CertificateUnusable: The files of `[tls]` make no certificate.
        ValueError: `trusted_proxies` names something that is no network.
    """

    def __init__(
        self,
        settings: HttpSettings,
        tls: TlsSettings,
        *,
        app: AsgiApp,
        phone_lane: PhoneLane,
        hot: HotDesk | None = None,
        phone_path: str = "/websocket",
        guard: Gatekeeper | None = None,
    ) -> None:
        context = encryption.context(tls)
        trusted = networks(settings.trusted_proxies)
        self._house = House(app, settings, trusted)
        self._express = None if hot is None else Express(hot, settings, trusted)
        self._lanes = Lanes(
            settings,
            tls=context,
            trusted=trusted,
            house=self._house,
            express=self._express,
            phone_lane=phone_lane,
            phone_path=phone_path,
        )
        self._listener = Listener(
            settings,
            self._lanes.serve,
            plain=context is None,
            guard=guard,
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

    async def serve(
        self,
        *,
        task_status: trio.TaskStatus[list[tuple[str, int]]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listens and serves until `drain` was called and the last connection has ended.

        Started with the bound addresses, once the application is ready for requests.

        Raises:
            CannotListen: An address of `bind` can't be had.
            AppUnusable: The application failed to start.
        """
        bound = await self._listener.open()
        failed = False
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._house.run)
                if self._express is not None:
                    nursery.start_soon(self._express.run)
                task_status.started(bound)
                await self._listener.run()
                self._house.stop()
                if self._express is not None:
                    self._express.stop()
        except* AppUnusable:
            failed = True
        finally:
            self._listener.close()
        if failed:
            raise AppUnusable("The web application failed to start.")

    def drain(self) -> None:
        """Stops accepting at once and lets running requests and phones finish.

        Connections without a request are closed. How long the rest may take is the caller's to
        bound, by cancelling `serve`.
        """
        self._listener.close()
        self._lanes.drain()
        self._house.drain()
