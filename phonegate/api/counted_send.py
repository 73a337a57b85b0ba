"""The app's answers on their way: what a large one takes is counted until the client has it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import trio

from phonegate.api.answer_budget import AnswerBudget, Leaving, Reader
from phonegate.domain.client_network import place
from phonegate.http.scope import OWNER

PIECE_BYTES: Final = 65_536
"""Bytes of a body that are handed on at once: what its client takes is seen piece by piece."""

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Departure:
    """An ASGI application whose answers are counted while they leave."""

    def __init__(self, app: App, unsent: AnswerBudget) -> None:
        self._app = app
        self._unsent = unsent

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Calls the application. If its answer is given up, it sends nothing more."""
        one: Leaving | None = None
        start: Message | None = None

        async def counted(message: Message) -> None:
            nonlocal one, start
            if message["type"] == "http.response.start":
                # Held back until the body is counted: a client that reads nothing at all already
                # keeps the head from being sent.
                start = message
                return
            if start is not None:
                head, start = start, None
                client = scope.get("client")
                reader = scope.get(OWNER) or Reader(place(client[0]) if client else "")
                one = self._unsent.enter(reader, len(message.get("body", b"")))
                await passed_on(head)
            body = message.get("body", b"")
            for at in range(0, len(body) - PIECE_BYTES, PIECE_BYTES):
                piece = body[at : at + PIECE_BYTES]
                await passed_on({**message, "body": piece, "more_body": True})
            if len(body) > PIECE_BYTES:
                message = {**message, "body": body[(len(body) - 1) // PIECE_BYTES * PIECE_BYTES :]}
            await passed_on(message)

        async def passed_on(message: Message) -> None:
            if one is None:
                await send(message)
            elif not one.given_up:
                with trio.CancelScope() as one.scope:
                    await send(message)
                    one.moved()

        try:
            await self._app(scope, receive, counted)
        finally:
            if one is not None:
                self._unsent.leave(one)
