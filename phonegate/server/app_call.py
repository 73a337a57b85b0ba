"""One call of the web application, for one request."""

import math
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import trio

from phonegate import log
from phonegate.http.problem import Problem
from phonegate.http.scope import STREAM

from .redacted_trace import redacted

_log = log.get("server")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application: scope, receive, send."""

ANSWER_GRACE_S = 3.0
"""Seconds past a request's time-out in which the answer that says so may leave."""

LAST_WORD_S = 5.0
"""Seconds for the answer that says a call has failed; a client that reads needs none."""


class AppCall:
    """A call of an ASGI application.

    It has a deadline, unless its answer is one that is produced while it is sent. Its errors are
    answered in JSON, and logged without values. A call that has ended holds up nothing that is
    still on its way to it.

    Args:
        app: The application.
        send: Hypercorn's `send`, which takes `None` for the end of the call.
        on_stream: Called when an answer begins that is produced while it is sent.
        timeout_s: Seconds that the call may take.
        queue: Messages that may wait for the application to receive them.
    """

    def __init__(
        self,
        app: AsgiApp,
        send: Callable[[Any], Awaitable[None]],
        *,
        on_stream: Callable[[], None],
        timeout_s: float,
        queue: int,
    ) -> None:
        self._app = app
        self._send = send
        self._on_stream = on_stream
        self._timeout_s = timeout_s
        self._patience = trio.CancelScope()
        self._to_app, self._from_client = trio.open_memory_channel[Message](queue)
        self._heard = False
        """Whether all of the request's body has come."""
        self._begun = False
        self._over = False

    async def put(self, message: Message) -> None:
        """Passes on what the client sent.

        Waits while the application lags behind, but not for one that has ended.
        """
        if message["type"] == "http.disconnect":
            # Not a message but the end of the channel: this may come from the call's own task,
            # in its last send, and must not wait for the call to read.
            self._over = True
            self.hang_up()
        else:
            self._heard = not message.get("more_body", False)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._to_app.send(message)

    def hang_up(self) -> None:
        """Tells the application that the client has left. It may still send."""
        self._to_app.close()

    async def run(self, scope: Message) -> None:
        """Runs the call to its end."""
        with self._from_client:
            await self._run_app(scope)
        await self._send(None)

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
        if self._patience.cancelled_caught and not self._heard:
            await self._answer_error("request_timeout", "The body did not arrive in time.")
        elif self._patience.cancelled_caught:
            await self._answer_error("timeout", "The gateway took too long over this.")
        elif failed:
            await self._answer_error("internal_error", "The gateway failed over this.")

    async def _receive(self) -> Message:
        try:
            return await self._from_client.receive()
        except trio.EndOfChannel:
            return {"type": "http.disconnect"}

    async def _answer(self, message: Message) -> None:
        self._begun = True
        if message.get(STREAM) is not None:
            self._patience.deadline = math.inf
            self._on_stream()
        if self._over:  # ASGI: sending after the disconnect does nothing
            await trio.lowlevel.checkpoint()
        else:
            await self._send(message)

    async def _answer_error(self, code: str, detail: str) -> None:
        problem = Problem.named(code, detail)
        fields, body = problem.written()
        headers = [(name.lower().encode(), value.encode()) for name, value in fields]
        with trio.move_on_after(LAST_WORD_S):
            await self._answer(
                {"type": "http.response.start", "status": problem.status, "headers": headers}
            )
            await self._answer({"type": "http.response.body", "body": body})
