"""The app's answers on their way: what a large one takes is counted until the client has it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from phonegate.domain.place import place
from phonegate.scope import OWNER
from phonegate.web.unsent import Leaving, Unsent

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Departure:
    """An ASGI application whose answers are counted while they leave."""

    def __init__(self, app: App, unsent: Unsent) -> None:
        self._app = app
        self._unsent = unsent

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Calls the application. If its answer is given up, it sends nothing more."""
        one: Leaving | None = None

        async def counted(message: Message) -> None:
            nonlocal one
            if one is None and message["type"] == "http.response.body":
                client = scope.get("client")
                owner = scope.get(OWNER, place(client[0]) if client else "")
                one = self._unsent.enter(owner, len(message.get("body", b"")))
            if one is None:
                await send(message)
            elif not one.given_up:
                # HTTP/2 waits for its client's window at the end of a body, not while it is given.
                with trio.CancelScope() as one.scope:
                    await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            if one is not None:
                self._unsent.leave(one)
