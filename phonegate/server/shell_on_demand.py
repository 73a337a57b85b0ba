"""The ASGI shell, loaded when the first request needs it.

The shell, the web application and the packages under them are a quarter of all that a gateway
would load at its start, and a fifth of its memory. Phones and the busy endpoints need none of it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from phonegate import log
from phonegate.config.settings import HttpSettings

from .app_call import ANSWER_GRACE_S, AsgiApp
from .errors import RequestRefused
from .forwarded import Network, SocketPeer

if TYPE_CHECKING:
    from .asgi import AsgiShell

_log = log.get("server")


class ShellOnDemand:
    """Serves whole connections by an ASGI shell, which the first of them loads.

    It is loaded in a thread, for some tenths of a second, in which the event loop goes on. One
    that can't be loaded costs its requests alone, and is tried again by the next of them.

    Args:
        make_app: Returns the ASGI application. It is called in a thread.
        settings: Limits and deadlines.
        trusted: The proxies that may say who the client is.
        answer_grace_s: See `app_call.ANSWER_GRACE_S`.
    """

    def __init__(
        self,
        make_app: Callable[[], AsgiApp],
        settings: HttpSettings,
        trusted: Sequence[Network],
        *,
        answer_grace_s: float = ANSWER_GRACE_S,
    ) -> None:
        self._make_app = make_app
        self._settings = settings
        self._trusted = trusted
        self._answer_grace_s = answer_grace_s
        self._shell: AsgiShell | None = None
        self._loading = trio.Lock()
        self._draining = False
        self._stop = trio.Event()
        self._tasks: trio.Nursery

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the application's lifespan, from its first request until `stop`."""
        async with trio.open_nursery() as self._tasks:
            task_status.started()
            await self._stop.wait()
            if self._shell is not None:
                self._shell.stop()

    def drain(self) -> None:
        """Ends the answers that are produced while they are sent."""
        self._draining = True
        if self._shell is not None:
            self._shell.drain()

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._stop.set()

    async def serve_request(self, stream: trio.abc.Stream, peer: SocketPeer, data: bytes) -> None:
        """Serves one request, once all that it needs is loaded.

        Args:
            stream: The connection, or TLS on it.
            peer: Its other end.
            data: The canonical head of the request, and what came after it.

        Raises:
            RequestRefused: The application can't be loaded, or failed to start.
        """
        shell = self._shell or await self._load()
        await shell.serve_request(stream, peer, data)

    async def _load(self) -> "AsgiShell":
        async with self._loading:
            if self._shell is not None:  # another request has loaded it meanwhile
                return self._shell
            try:
                shell = await trio.to_thread.run_sync(self._make)
                await self._tasks.start(shell.run)
            except Exception as error:  # noqa: BLE001 - of whatever package it is
                _log.error("app_unusable", exc_info=error)
                detail = "The gateway can't load what answers this. Its log says why."
                raise RequestRefused(500, detail, "internal_error") from None
            if self._draining:
                shell.drain()
            self._shell = shell
            return shell

    def _make(self) -> "AsgiShell":
        from .asgi import AsgiShell  # noqa: PLC0415 - Hypercorn, see above

        return AsgiShell(
            self._make_app(),
            self._settings,
            self._trusted,
            answer_grace_s=self._answer_grace_s,
        )
