"""The ASGI shell: Hypercorn's protocol machines between a stream and the web application.

Hypercorn's own trio shell is not used. It shields every send without a deadline, so a client
that stops reading defeats all time-outs and the shutdown, and any exception of one connection
ends its server (hypercorn#225). This shell is the same idea with the deadlines in.
"""

from collections.abc import Sequence

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError

from phonegate import log
from phonegate.config.settings import HttpSettings

from .app_tasks import AppTasks, AsgiApp, SocketPeer
from .errors import AppUnusable
from .forwarded import Network
from .hypercorn_protocols import OneRequestH11, StrictH2, config
from .streams import PIECE_BYTES

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
        self.sends: set[trio.CancelScope] = set()
        """The sends under way: shielded from everything but this set."""
        self.abandoned = False
        self.draining = False
        self._kept: set[_Wire] = set()
        self._stop = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the application's lifespan; started when its startup is complete.

        When this is cancelled, the sends of all connections are given up.

        Raises:
            AppUnusable: The application failed to start (inside an exception group).
        """
        lifespan = Lifespan(ASGIWrapper(self.app), self.config, {})
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(lifespan.handle_lifespan)
                await lifespan.wait_for_startup()
                task_status.started()
                try:
                    await self._stop.wait()
                finally:
                    self._abandon()
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
        """Closes HTTP/2 connections as soon as they have no request running."""
        self.draining = True
        for wire in self._kept:
            wire.note_idle()

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._stop.set()

    async def serve_request(self, stream: trio.abc.Stream, peer: SocketPeer, data: bytes) -> None:
        """Serves the one request that `data` begins (canonical head and what came after it)."""
        limit = trio.current_time() + self.settings.request_timeout_s + ANSWER_GRACE_S
        wire = _Wire(self, stream, peer, deadline=limit)
        await wire.run(OneRequestH11, data)

    async def serve_http2(self, stream: trio.abc.Stream, peer: SocketPeer) -> None:
        """Serves an HTTP/2 connection (by ALPN, so with prior knowledge) to its end."""
        wire = _Wire(self, stream, peer, deadline=float("inf"))
        self._kept.add(wire)
        try:
            await wire.run(StrictH2, b"")
        finally:
            self._kept.discard(wire)

    def _abandon(self) -> None:
        self.abandoned = True
        for scope in self.sends:
            scope.cancel()


class _Wire:
    """One connection: what the stream brings goes to the protocol machine, and back."""

    def __init__(
        self, house: AsgiShell, stream: trio.abc.Stream, peer: SocketPeer, *, deadline: float
    ) -> None:
        self._house = house
        self._stream = stream
        self._peer = peer
        self._deadline = deadline
        self._reading = trio.CancelScope()
        self._out = bytearray()
        self._sending = trio.Lock()
        self._broken = False
        self._protocol: OneRequestH11 | StrictH2

    async def run(self, machine: type[OneRequestH11 | StrictH2], data: bytes) -> None:
        house = self._house
        with trio.CancelScope(deadline=self._deadline):
            async with trio.open_nursery() as nursery:
                calls = AppTasks(
                    nursery,
                    peer=self._peer,
                    trusted=house.trusted,
                    timeout_s=house.settings.request_timeout_s,
                )
                self._protocol = machine(
                    house.app,
                    house.config,
                    house.worker,
                    calls,
                    ConnectionState({}),
                    self._peer.scheme == "https",
                    (self._peer.address, self._peer.port),
                    None,
                    self.send,
                )
                with self._reading:
                    await self._read(data)
                if isinstance(self._protocol, StrictH2):
                    await self._protocol.farewell()
                await self._protocol.handle(Closed())

    async def _read(self, data: bytes | bytearray) -> None:
        await self._protocol.initiate()
        if data:
            await self._protocol.handle(RawData(bytes(data)))
        self.note_idle()
        while True:
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            await self._protocol.handle(RawData(bytes(data)))
            if not data:
                return
            self.note_idle()

    def note_idle(self) -> None:
        """Sets how long to wait for a next request, on a connection that may have one."""
        if not isinstance(self._protocol, StrictH2):
            return
        self._protocol.draining = self._house.draining
        if not self._protocol.idle:
            self._reading.deadline = float("inf")
        elif self._house.draining:
            self._reading.cancel()
        elif self._reading.deadline == float("inf"):
            self._reading.deadline = trio.current_time() + self._house.settings.keepalive_timeout_s

    async def send(self, event: Event) -> None:
        """What the protocol machine wants done."""
        if isinstance(event, RawData):
            # The bytes join the buffer before anything is awaited: a call that is cancelled
            # here must not take with it a frame which the other side's HPACK state counts on.
            if event.data and not self._broken:
                self._out += event.data
                async with self._sending:
                    await self._flush()
        elif isinstance(event, Closed):
            self._reading.cancel()
        elif isinstance(event, Updated):
            self.note_idle()

    async def _flush(self) -> None:
        sends = self._house.sends
        while self._out and not self._broken:
            piece = bytes(self._out[:PIECE_BYTES])
            del self._out[:PIECE_BYTES]
            limit = trio.current_time() + self._house.settings.peer_timeout_s
            # Shielded, since half a frame would break every other stream of the connection.
            with trio.CancelScope(shield=True, deadline=min(limit, self._deadline)) as scope:
                sends.add(scope)
                try:
                    if self._house.abandoned:
                        scope.cancel()
                    await self._stream.send_all(piece)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self._break()
                finally:
                    sends.discard(scope)
            if scope.cancelled_caught:
                self._break()

    def _break(self) -> None:
        self._broken = True
        self._out.clear()
        self._reading.cancel()
