"""The calls of the web application that one connection makes, each in a task of its own."""

import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import attrs
import trio

from phonegate import log
from phonegate.http.prefix import without_prefix
from phonegate.http.problem import Problem
from phonegate.http.scope import RELAYED, STREAM

from .forwarded import Network, Scheme, true_peer
from .redacted_trace import redacted

_log = log.get("server")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application: scope, receive, send."""

LAST_WORD_S = 5.0
"""Seconds for the answer that says a call has failed; a client that reads takes none."""


@attrs.frozen(kw_only=True)
class SocketPeer:
    """The other end of a socket, and what is spoken on it."""

    address: str
    port: int
    scheme: Scheme


class AppTasks:
    """Hypercorn's task group: starts the application for each request.

    Against Hypercorn's own: a call has a deadline, its errors are answered in JSON and logged
    without values, the client is the true one, and a call that ended while body or disconnect
    were still on their way to it holds up nobody.

    Args:
        nursery: The connection's, where the calls run.
        peer: The socket's other end.
        trusted: The proxies that may say who the client is.
        timeout_s: Seconds that a call may take.
        prefix: The path prefix that the gateway is at.
        on_stream: Called when a call begins to send what it produces meanwhile, which may take
            longer. It is given what ends that, as if the client had left.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        peer: SocketPeer,
        trusted: Sequence[Network],
        timeout_s: float,
        prefix: str,
        on_stream: Callable[[Callable[[], None]], None],
    ) -> None:
        self._nursery = nursery
        self._on_stream = on_stream
        self._peer = peer
        self._trusted = trusted
        self._timeout_s = timeout_s
        self._prefix = prefix

    def spawn(self, task: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Starts one of Hypercorn's own tasks."""
        self._nursery.start_soon(task, *args)

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Send:
        """Starts the application for one request; what is returned feeds its `receive`."""
        self._name_client(scope)
        call = _Call(
            app, send, self._on_stream, timeout_s=self._timeout_s, queue=config.max_app_queue_size
        )
        self._nursery.start_soon(call.run, scope)
        return call.put

    def _name_client(self, scope: Message) -> None:
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        peer = true_peer(self._peer.address, self._peer.scheme, headers, self._trusted)
        port = self._peer.port if peer.address == self._peer.address else 0
        scope["client"] = (peer.address, port)
        scope["scheme"] = peer.scheme
        scope[RELAYED] = peer.relayed
        self._name_prefix(scope, peer.prefix)

    def _name_prefix(self, scope: Message, taken_off: str) -> None:
        """Sets `root_path`, which the path then begins with, whether it came so or not (ASGI)."""
        prefix = taken_off or self._prefix
        if not prefix:
            return
        local = scope["raw_path"].decode("latin-1")
        if not taken_off:
            local = without_prefix(local, self._prefix)
        scope["root_path"] = prefix
        scope["raw_path"] = (prefix + local).encode("latin-1")
        scope["path"] = prefix + unquote(local)


class _Call:
    def __init__(
        self,
        app: AsgiApp,
        send: Callable[[Any], Awaitable[None]],
        on_stream: Callable[[Callable[[], None]], None],
        *,
        timeout_s: float,
        queue: int,
    ) -> None:
        self._app = app
        self._send = send
        self._on_stream = on_stream
        self._timeout_s = timeout_s
        self._patience = trio.CancelScope()
        self._to_app, self._from_client = trio.open_memory_channel[Message](queue)
        self._begun = False
        self._over = False

    async def put(self, message: Message) -> None:
        """What the client sent; waits while the application lags behind, unless it ended."""
        if message["type"] == "http.disconnect":
            # Not a message but the end of the channel: this may come from the call's own task,
            # in its last send, and must not wait for the call to read.
            self._over = True
            self.hang_up()
        else:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._to_app.send(message)

    def hang_up(self) -> None:
        """Lets the application believe that the client has left."""
        self._to_app.close()

    async def _receive(self) -> Message:
        try:
            return await self._from_client.receive()
        except trio.EndOfChannel:
            return {"type": "http.disconnect"}

    async def _answer(self, message: Message) -> None:
        self._begun = True
        if message.get(STREAM) is not None:
            self._patience.deadline = math.inf
            self._on_stream(self.hang_up)
        if self._over:  # ASGI: sending after the disconnect does nothing
            await trio.lowlevel.checkpoint()
        else:
            await self._send(message)

    async def run(self, scope: Message) -> None:
        with self._from_client:
            await self._run_app(scope)
        await self._send(None)  # tells Hypercorn that the call is over

    async def _run_app(self, scope: Message) -> None:
        failed = False
        self._patience.deadline = trio.current_time() + self._timeout_s
        with self._patience:
            try:
                await self._app(scope, self._receive, self._answer)
            except* Exception as group:  # noqa: BLE001 - whatever it is, it is this call's alone
                failed = True
                _log.error("request_failed", errors=redacted(group))
        if self._patience.cancelled_caught:
            _log.warning("request_timed_out", seconds=self._timeout_s)
        if self._begun or self._over:
            return
        if self._patience.cancelled_caught:
            await self._answer_error("timeout", "The gateway took too long over this.")
        elif failed:
            await self._answer_error("internal_error", "The gateway failed over this.")

    async def _answer_error(self, code: str, detail: str) -> None:
        problem = Problem.named(code, detail)
        fields, body = problem.written()
        headers = [(name.lower().encode(), value.encode()) for name, value in fields]
        with trio.move_on_after(LAST_WORD_S):
            await self._answer(
                {"type": "http.response.start", "status": problem.status, "headers": headers}
            )
            await self._answer({"type": "http.response.body", "body": body})
