"""The application behind the operator's own address: ASGI around a pipeline, and nothing more."""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from typing import Any

from phonegate.api.counted_send import send_stream
from phonegate.api.pipeline import Pipeline

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class OperatorApp:
    """Answers HTTP requests from a pipeline whose endpoints take no body."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope: the lifespan, or a request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        reply = await self._pipeline.answer(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={n.decode("latin-1").lower(): v.decode("latin-1") for n, v in scope["headers"]},
            client=client[0] if client else "",
            body=b"",
        )
        headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        if reply.stream is not None:
            with closing(reply.stream) as body:
                await send_stream(start, body, receive, send)
        else:
            await send(start)
            await send({"type": "http.response.body", "body": reply.body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
