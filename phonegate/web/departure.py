"""The app's answers on their way: what a large one takes is counted until the client has it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from phonegate.domain.place import place
from phonegate.web.unsent import Unsent

OWNER: Final = "phonegate.owner"
"""Who is answerable for a call's answer, in its ASGI scope; without, its client's place."""

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Departure:
    """An ASGI application whose answers are counted while they leave."""

    def __init__(self, app: App, unsent: Unsent) -> None:
        self._app = app
        self._unsent = unsent

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Calls the application; one whose answer is given up sends nothing more."""
        gone = False

        async def counted(message: Message) -> None:
            nonlocal gone
            if gone:
                return
            leaving = None
            if message["type"] == "http.response.body":
                client = scope.get("client")
                owner = scope.get(OWNER, place(client[0]) if client else "")
                leaving = self._unsent.leaving(owner, len(message.get("body", b"")))
            if leaving is None:
                await send(message)
                return
            with leaving as one:
                await send(message)
            gone = one.given_up

        await self._app(scope, receive, counted)
