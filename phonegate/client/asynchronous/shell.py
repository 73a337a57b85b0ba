"""Does what operations ask for: the only place of the client that reads sockets and clocks."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import httpx

from phonegate.client import connection
from phonegate.client.effects import (
    Answer,
    Ask,
    Clock,
    Close,
    Effect,
    Open,
    Operation,
    Pause,
    Read,
    Retrying,
)
from phonegate.client.errors import GatewayError

T = TypeVar("T")

OnRetry = Callable[[GatewayError, int], None]


class AsyncShell:
    """Runs operations over the connections of httpx."""

    def __init__(self, http: httpx.AsyncClient, url: str, on_retry: OnRetry | None) -> None:
        self._http = http
        self._url = url
        self._on_retry = on_retry

    async def run(self, operation: Operation[T]) -> T:
        """Runs an operation that opens no stream and finds no items, and returns its result."""
        outcome: Any = None
        while True:
            try:
                effect = operation.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = await self.perform(effect, AsyncOpenStream())

    async def perform(self, effect: Effect, stream: "AsyncOpenStream") -> Any:
        """Does what an operation asks for, and returns what came of it."""
        match effect:
            case Ask():
                return await self._ask(effect)
            case Open():
                return await self._open(effect, stream)
            case Read():
                return await self._read(stream)
            case Close():
                await stream.aclose()
            case Pause():
                await _sleep(effect.seconds)
            case Clock():
                return time.monotonic()
            case Retrying() if self._on_retry is not None:
                self._on_retry(effect.error, effect.tries)
        return None

    async def _ask(self, effect: Ask) -> Answer | GatewayError:
        made = connection.arguments(self._url, effect.request, effect.timeout_s)
        try:
            async with self._http.stream(**made) as response:
                return await self._whole(response, effect.timeout_s)
        except GatewayError as error:
            return error
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)

    async def _whole(self, response: httpx.Response, timeout_s: float) -> Answer:
        content = connection.Content(self._url, timeout_s)
        async for part in response.aiter_bytes():
            content.add(part)
        return connection.answered(response, content)

    async def _open(self, effect: Open, stream: "AsyncOpenStream") -> Answer | GatewayError:
        await stream.aclose()
        made = connection.arguments(self._url, effect.request, effect.silence_s, streams=True)
        try:
            request = self._http.build_request(**made)
            response = await self._http.send(request, stream=True)
            answer = connection.begun(response)
            if answer.is_stream:
                stream.hold(response)
                return answer
            try:
                return await self._whole(response, effect.silence_s)
            finally:
                await response.aclose()
        except GatewayError as error:
            return error
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)

    async def _read(self, stream: "AsyncOpenStream") -> bytes | GatewayError:
        try:
            return await stream.read()
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)


class AsyncOpenStream:
    """The one stream that an iteration has open, if any."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._chunks: Any = None

    def hold(self, response: httpx.Response) -> None:
        """Takes a response of which the head has come."""
        self._response = response
        self._chunks = response.aiter_bytes()

    async def read(self) -> bytes:
        """Returns the next bytes, or none where it has ended."""
        if self._chunks is None:
            return b""
        found: bytes = await anext(self._chunks, b"")
        return found

    async def aclose(self) -> None:
        """Closes it, if one is open."""
        response, chunks = self._response, self._chunks
        self._response = self._chunks = None
        if response is None:
            return
        await response.aclose()
        # httpx reads by generators within generators. Trio wants each of them ended, and the error
        # of a closed connection passes through all.
        with suppress(*connection.FAULTS):
            while await anext(chunks, b""):
                pass


async def _sleep(seconds: float) -> None:
    import anyio  # noqa: PLC0415 - a program that waits does without it

    await anyio.sleep(seconds)
