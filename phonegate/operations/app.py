"""The application behind the operator's address and the control socket: ASGI around a pipeline."""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from functools import partial
from typing import Any, Final

from phonegate.api.counted_send import send_stream
from phonegate.api.endpoint import Request
from phonegate.api.pipeline import Pipeline
from phonegate.http.refusals import TooLarge

MAX_BODY_BYTES: Final = 65_536
"""Bytes of a body: the longest real one is the limits of a key, with a few hundred numbers."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class OperatorApp:
    """Answers HTTP requests from a pipeline.

    Args:
        pipeline: What answers.
        authorization: The credential of all requests, where another thing proves who calls.
    """

    def __init__(self, pipeline: Pipeline, authorization: str | None = None) -> None:
        self._pipeline = pipeline
        self._headers = {} if authorization is None else {"authorization": authorization}

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
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={
                **{n.decode("latin-1").lower(): v.decode("latin-1") for n, v in scope["headers"]},
                **self._headers,
            },
            client=client[0] if client else "",
        )
        reply = await self._pipeline.reply(request, partial(_read_body, receive))
        headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        if reply.stream is not None:
            with closing(reply.stream) as body:
                await send_stream(start, body, receive, send)
        else:
            await send(start)
            await send({"type": "http.response.body", "body": reply.body})


async def _read_body(receive: Receive, grew: Callable[[int], None]) -> bytes:
    """Reads the body of a request.

    Raises:
        TooLarge: It is larger than any command of a person.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(MAX_BODY_BYTES)
        grew(len(message.get("body", b"")))
        if not message.get("more_body", False):
            return bytes(body)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
