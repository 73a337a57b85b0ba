"""The ASGI shell: Hypercorn's HTTP/1.1 between a stream and the web application.

Hypercorn's own trio shell is not used. It shields every send without a deadline, so a client
that stops reading defeats all time-outs and the shutdown, and any exception of one connection
ends its server (hypercorn#225). This shell is the same idea with the deadlines in, and serves one
request on a connection.
"""

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import unquote

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError

from phonegate import log
from phonegate.config.settings import HttpSettings
from phonegate.http.prefix import without_prefix
from phonegate.http.scope import RELAYED

from .app_call import ANSWER_GRACE_S, AppCall, AsgiApp, Message, Send
from .errors import AppUnusable
from .forwarded import Network, SocketPeer, true_peer
from .hypercorn_h11 import OneRequestH11, config
from .streams import send_in_pieces

_log = log.get("server")

_RECEIVE_BYTES = 65_536


class AsgiShell:
    """Serves whole connections to an ASGI application, one task tree each.

    Args:
        app: The ASGI application. Its lifespan runs once, in `run`.
        settings: Limits and deadlines.
        trusted: The proxies that may say who the client is.
        answer_grace_s: See `app_call.ANSWER_GRACE_S`.
    """

    def __init__(
        self,
        app: AsgiApp,
        settings: HttpSettings,
        trusted: Sequence[Network],
        *,
        answer_grace_s: float = ANSWER_GRACE_S,
    ) -> None:
        self.longest_s = settings.request_timeout_s + answer_grace_s
        """Seconds that a request may take, its answer included."""
        self.app = app
        self.settings = settings
        self.trusted = trusted
        self.config = config(settings)
        self.worker = WorkerContext(max_requests=None)
        self._streams: set[AppCall] = set()
        self._draining = False
        self._stop = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the application's lifespan. Started once its startup is complete.

        Raises:
            AppUnusable: The application failed to start (inside an exception group).
        """
        lifespan = Lifespan(ASGIWrapper(self.app), self.config, {})
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(lifespan.handle_lifespan)
                await lifespan.wait_for_startup()
                if lifespan.supported and lifespan.shutdown.is_set():
                    # It has ended already, by an error that is on its way to this nursery.
                    await trio.sleep_forever()
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
        for call in self._streams:
            call.hang_up()

    @contextmanager
    def streaming(self, call: AppCall) -> Iterator[None]:
        """Notes a call whose answer is produced while it is sent."""
        self._streams.add(call)
        if self._draining:
            call.hang_up()
        try:
            yield
        finally:
            self._streams.discard(call)

    def stop(self) -> None:
        """Ends `run`, once no connection is left."""
        self._stop.set()

    async def serve_request(self, stream: trio.abc.Stream, peer: SocketPeer, data: bytes) -> None:
        """Serves one request.

        Args:
            stream: The connection, or TLS on it.
            peer: Its other end.
            data: The canonical head of the request, and what came after it.
        """
        await _AppConnection(self, stream, peer).run(data)


class _AppConnection:
    """One connection: what the stream brings goes to Hypercorn's protocol, and back.

    It is also the task group in which that protocol starts the call of the application.
    """

    def __init__(self, shell: AsgiShell, stream: trio.abc.Stream, peer: SocketPeer) -> None:
        self._shell = shell
        self._stream = stream
        self._peer = peer
        self._whole = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._sending = trio.Lock()
        self._broken = False
        self._streaming = ExitStack()
        self._nursery: trio.Nursery
        self._protocol = OneRequestH11(
            shell.app,
            shell.config,
            shell.worker,
            self,
            ConnectionState({}),
            peer.scheme == "https",
            (peer.address, peer.port),
            None,
            self.send,
        )

    async def run(self, data: bytes) -> None:
        """Serves the request that `data` begins."""
        self._whole.deadline = trio.current_time() + self._shell.longest_s
        with self._whole, self._streaming:
            async with trio.open_nursery() as self._nursery:
                with self._reading:
                    await self._read(data)
                await self._protocol.handle(Closed())

    def spawn(self, task: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Starts one of Hypercorn's own tasks."""
        self._nursery.start_soon(task, *args)

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Send:
        """Starts the call of the application. Returns what feeds its `receive`."""
        self._name_client(scope)

        def on_stream() -> None:
            self._whole.deadline = math.inf
            self._streaming.enter_context(self._shell.streaming(call))

        call = AppCall(
            app,
            send,
            on_stream=on_stream,
            timeout_s=self._shell.settings.request_timeout_s,
            queue=config.max_app_queue_size,
        )
        self._nursery.start_soon(call.run, scope)
        return call.put

    async def send(self, event: Event) -> None:
        """Does what Hypercorn's protocol asks for."""
        if isinstance(event, RawData):
            async with self._sending:
                await self._send(event.data)
        elif isinstance(event, Closed):
            self._reading.cancel()

    def _name_client(self, scope: Message) -> None:
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        own = self._peer
        peer = true_peer(own.address, own.scheme, headers, self._shell.trusted)
        scope["client"] = (peer.address, own.port if peer.address == own.address else 0)
        scope["scheme"] = peer.scheme
        scope[RELAYED] = peer.relayed
        self._name_prefix(scope, peer.prefix)

    def _name_prefix(self, scope: Message, taken_off: str) -> None:
        """Sets `root_path`, which the path then begins with, whether it came so or not (ASGI).

        Args:
            scope: The scope of the call.
            taken_off: The prefix that a proxy has taken off the path.
        """
        own = self._shell.settings.prefix
        prefix = taken_off or own
        if not prefix:
            return
        local = scope["raw_path"].decode("latin-1")
        if not taken_off:
            local = without_prefix(local, own)
        scope["root_path"] = prefix
        scope["raw_path"] = (prefix + local).encode("latin-1")
        scope["path"] = prefix + unquote(local)

    async def _read(self, data: bytes) -> None:
        while data:
            await self._protocol.handle(RawData(data))
            try:
                data = bytes(await self._stream.receive_some(_RECEIVE_BYTES))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
        await self._protocol.handle(RawData(data))

    async def _send(self, data: bytes) -> None:
        if self._broken:
            return
        self._broken = True  # for as long as a part of it may be all that has left
        if await send_in_pieces(self._stream, data, self._shell.settings.peer_timeout_s):
            self._broken = False
        else:
            self._reading.cancel()
