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


class Shell:
    """Runs operations over the connections of httpx."""

    def __init__(self, http: httpx.Client, url: str, on_retry: OnRetry | None) -> None:
        self._http = http
        self._url = url
        self._on_retry = on_retry

    def run(self, operation: Operation[T]) -> T:
        """Runs an operation that opens no stream and finds no items, and returns its result."""
        outcome: Any = None
        while True:
            try:
                effect = operation.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = self.perform(effect, OpenStream())

    def perform(self, effect: Effect, stream: "OpenStream") -> Any:
        """Does what an operation asks for, and returns what came of it."""
        match effect:
            case Ask():
                return self._ask(effect)
            case Open():
                return self._open(effect, stream)
            case Read():
                return self._read(stream)
            case Close():
                stream.close()
            case Pause():
                _sleep(effect.seconds)
            case Clock():
                return time.monotonic()
            case Retrying() if self._on_retry is not None:
                self._on_retry(effect.error, effect.tries)
        return None

    def _ask(self, effect: Ask) -> Answer | GatewayError:
        made = connection.arguments(self._url, effect.request, effect.timeout_s)
        try:
            with self._http.stream(**made) as response:
                return self._whole(response, effect.timeout_s)
        except GatewayError as error:
            return error
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)

    def _whole(self, response: httpx.Response, timeout_s: float) -> Answer:
        content = connection.Content(self._url, timeout_s)
        for part in response.iter_bytes():
            content.add(part)
        return connection.answered(response, content)

    def _open(self, effect: Open, stream: "OpenStream") -> Answer | GatewayError:
        stream.close()
        made = connection.arguments(self._url, effect.request, effect.silence_s, streams=True)
        try:
            request = self._http.build_request(**made)
            response = self._http.send(request, stream=True)
            answer = connection.begun(response)
            if answer.is_stream:
                stream.hold(response)
                return answer
            try:
                return self._whole(response, effect.silence_s)
            finally:
                response.close()
        except GatewayError as error:
            return error
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)

    def _read(self, stream: "OpenStream") -> bytes | GatewayError:
        try:
            return stream.read()
        except connection.FAULTS as error:
            return connection.unanswered(self._url, error)


class OpenStream:
    """The one stream that an iteration has open, if any."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._chunks: Any = None

    def hold(self, response: httpx.Response) -> None:
        """Takes a response of which the head has come."""
        self._response = response
        self._chunks = response.iter_bytes()

    def read(self) -> bytes:
        """Returns the next bytes, or none where it has ended."""
        if self._chunks is None:
            return b""
        found: bytes = next(self._chunks, b"")
        return found

    def close(self) -> None:
        """Closes it, if one is open."""
        response, chunks = self._response, self._chunks
        self._response = self._chunks = None
        if response is None:
            return
        response.close()
        # httpx reads by generators within generators. Trio wants each of them ended, and the error
        # of a closed connection passes through all.
        with suppress(*connection.FAULTS):
            while next(chunks, b""):
                pass


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
