"""The ASGI shell: Hypercorn's HTTP/1.1 between a stream and the web application.

Hypercorn's own trio shell is not used. It shields every send without a deadline, so a client
that stops reading defeats all time-outs and the shutdown, and any exception of one connection
ends its server (hypercorn#225). This shell is the same idea with the deadlines in.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError

from phonegate import log
from phonegate.config.settings import HttpSettings

from .app_tasks import AppTasks, AsgiApp, SocketPeer
from .errors import AppUnusable
from .forwarded import Network
from .hypercorn_h11 import OneRequestH11, config
from .streams import send_in_pieces

_log = log.get("server")

ANSWER_GRACE_S = 3.0
"""Seconds past a request's time-out in which the answer that says so may leave."""

_RECEIVE_BYTES = 65_536


class AsgiShell:
    """Serves whole connections to an ASGI application, one task tree each.

    Args:
        app: The ASGI application; its lifespan runs once, in `run`.
        settings: Limits and deadlines.
        trusted: The proxies that may say who the client is.
    """

    def __init__(self, app: AsgiApp, settings: HttpSettings, trusted: Sequence[Network]) -> None:
        self.app = app
        self.settings = settings
        self.trusted = trusted
        self.config = config(settings)
        self.worker = WorkerContext(max_requests=None)
        self._streams: set[Callable[[], None]] = set()
        """What ends each answer that is produced while it is sent."""
        self._draining = False
        self._stop = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the application's lifespan; started when its startup is complete.

        Raises:
            AppUnusable: The application failed to start (inside an exception group).
        """
        lifespan = Lifespan(ASGIWrapper(self.app), self.config, {})
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(lifespan.handle_lifespan)
                await lifespan.wait_for_startup()
                task_status.started()
                await self._stop.wait()
                try:
                    await lifespan.wait_for_shutdown()
                except LifespanTimeoutError:
                    _log.warning("app_shutdown_timed_out")
                nursery.cancel_scope.cancel()
        except* (LifespanFailureError, LifespanTimeoutError) as group:
            if self._stop.is_set():
                _log.warning("app_shutdown_failed")
            else:
                detail = "The web application failed to start."
                raise AppUnusable(detail) from group

    def drain(self) -> None:
        """Ends the answers that are produced while they are sent."""
        self._draining = True
        for end in self._streams:
            end()

    @contextmanager
    def streaming(self, end: Callable[[], None]) -> Iterator[None]:
        """Notes an answer that is produced while it is sent, and what ends it."""
        self._streams.add(end)
        if self._draining:
            end()
        try:
            yield
        finally:
            self._streams.discard(end)

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._stop.set()

    async def serve_request(self, stream: trio.abc.Stream, peer: SocketPeer, data: bytes) -> None:
        """Serves the one request that `data` begins (canonical head and what came after it)."""
        await _AppConnection(self, stream, peer).run(data)


class _AppConnection:
    """One connection: what the stream brings goes to Hypercorn's protocol, and back."""

    def __init__(self, shell: AsgiShell, stream: trio.abc.Stream, peer: SocketPeer) -> None:
        self._shell = shell
        self._stream = stream
        self._peer = peer
        self._whole = trio.CancelScope()
        self._answer = ExitStack()
        self._reading = trio.CancelScope()
        self._sending = trio.Lock()
        self._broken = False
        self._protocol: OneRequestH11

    async def run(self, data: bytes) -> None:
        shell = self._shell
        timeout_s = shell.settings.request_timeout_s
        self._whole.deadline = trio.current_time() + timeout_s + ANSWER_GRACE_S
        with self._whole, self._answer:
            async with trio.open_nursery() as nursery:
                calls = AppTasks(
                    nursery,
                    peer=self._peer,
                    trusted=shell.trusted,
                    timeout_s=timeout_s,
                    prefix=shell.settings.prefix,
                    on_stream=self._begin_stream,
                )
                self._protocol = OneRequestH11(
                    shell.app,
                    shell.config,
                    shell.worker,
                    calls,
                    ConnectionState({}),
                    self._peer.scheme == "https",
                    (self._peer.address, self._peer.port),
                    None,
                    self.send,
                )
                with self._reading:
                    await self._read(data)
                await self._protocol.handle(Closed())

    def _begin_stream(self, end: Callable[[], None]) -> None:
        self._whole.deadline = math.inf
        self._answer.enter_context(self._shell.streaming(end))

    async def _read(self, data: bytes) -> None:
        while data:
            await self._protocol.handle(RawData(data))
            try:
                data = bytes(await self._stream.receive_some(_RECEIVE_BYTES))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
        await self._protocol.handle(RawData(data))

    async def send(self, event: Event) -> None:
        """Does what Hypercorn's protocol asks for."""
        if isinstance(event, RawData):
            async with self._sending:
                await self._send(event.data)
        elif isinstance(event, Closed):
            self._reading.cancel()

    async def _send(self, data: bytes) -> None:
        if self._broken:
            return
        self._broken = True  # for as long as a part of it may be all that has left
        if await send_in_pieces(self._stream, data, self._shell.settings.peer_timeout_s):
            self._broken = False
        else:
            self._reading.cancel()
