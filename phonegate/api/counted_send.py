"""Sends the app's answers, and counts the memory of large ones until their clients have them."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import trio

from phonegate.api.answer_budget import AnswerBudget, Reader, UnsentAnswer
from phonegate.domain.client_network import client_network
from phonegate.http.body_stream import BodyStream
from phonegate.http.scope import OWNER, STREAM

PIECE_BYTES: Final = 65_536
"""Bytes of a body that are sent at once. What a client takes is noted piece by piece."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class CountedSend:
    """An ASGI application whose answers are counted while they are sent.

    It also sends bodies that are produced meanwhile: the application leaves such a body in the
    scope of the call, and sends an empty one.
    """

    def __init__(self, app: App, budget: AnswerBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Calls the application. If its answer is given up, it sends nothing more."""
        answer = _Answer(scope, send, self._budget)
        try:
            await self._app(scope, receive, answer.send)
            if answer.stream is not None and answer.start is not None:
                await send_stream(answer.start, answer.stream, receive, answer.send_alone)
        finally:
            answer.leave()
            if answer.stream is not None:
                answer.stream.close()


async def send_stream(start: Message, body: BodyStream, receive: Receive, send: Send) -> None:
    """Sends an answer whose body is produced meanwhile.

    Args:
        start: The message that begins the answer.
        body: Its body.
        receive: Tells when the client leaves, or the server wants an end.
        send: Sends a message.
    """

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        body.end()

    async def send_piece(piece: bytes) -> None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await send({**start, STREAM: body})
        await body.run(send_piece)
        await send({"type": "http.response.body", "body": b""})
        nursery.cancel_scope.cancel()


class _Answer:
    """The answer to one call."""

    def __init__(self, scope: Any, send: Send, budget: AnswerBudget) -> None:
        self._scope = scope
        self._send = send
        self._budget = budget
        self._one: UnsentAnswer | None = None
        self._given_up = False
        self.start: Message | None = None
        """Held back until the body is counted: a client that reads nothing at all already keeps
        the head from being sent."""

    @property
    def stream(self) -> BodyStream | None:
        """Its body, if that is produced while it is sent."""
        stream: BodyStream | None = self._scope.get(STREAM)
        return stream

    async def send(self, message: Message) -> None:
        """Sends what the application sends, counted together until `leave`."""
        if message["type"] == "http.response.start":
            self.start = message
        elif self.stream is None:
            if self.start is not None:
                start, self.start = self.start, None
                self._enter(message)
                await self._pass_on(start)
            await self._pass_on(message)

    async def send_alone(self, message: Message) -> None:
        """Sends a message of an answer that is produced meanwhile, counted until it has left."""
        self._enter(message)
        try:
            await self._pass_on(message)
        finally:
            self.leave()
        if self._given_up and self.stream is not None:
            self.stream.end()

    def leave(self) -> None:
        """Counts no more what was sent."""
        if self._one is not None:
            self._budget.leave(self._one)
            self._one = None

    def _enter(self, message: Message) -> None:
        client = self._scope.get("client")
        reader = self._scope.get(OWNER) or Reader(client_network(client[0]) if client else "")
        self._one = self._budget.enter(reader, len(message.get("body", b"")))

    async def _pass_on(self, message: Message) -> None:
        body = message.get("body", b"")
        at = 0
        while len(body) - at > PIECE_BYTES:
            piece = {**message, "body": body[at : at + PIECE_BYTES], "more_body": True}
            await self._pass_on_piece(piece)
            at += PIECE_BYTES
        await self._pass_on_piece(message if not at else {**message, "body": body[at:]})

    async def _pass_on_piece(self, message: Message) -> None:
        one = self._one
        if self._given_up:
            return
        if one is None:
            await self._send(message)
            return
        with trio.CancelScope() as one.scope:
            await self._send(message)
            one.moved()
        self._given_up = one.given_up
