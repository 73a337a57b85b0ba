"""Hypercorn's HTTP/1.1 protocol, held to what the ASGI shell is for.

Hypercorn (0.18) keeps sockets out of its `protocol` package, so that `asgi` can drive it. What is
changed here, and why, stands at each override.
"""

import time
from typing import Any
from wsgiref.handlers import format_date_time

import h11
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol

from phonegate import log
from phonegate.config.settings import HttpSettings
from phonegate.http.problem import Problem

_log = log.get("server")

SHUTDOWN_S = 5.0
"""Seconds the web application has for its own start and for its own end."""


class SilentLogger:
    """A logger for Hypercorn, whose tracebacks would show values. Calls are logged elsewhere."""

    def __init__(self, config: Config) -> None:
        del config

    async def access(self, *_: Any) -> None:
        """Writes nothing: the web application logs its requests, redacted."""

    async def _log_message(self, message: str, *_: Any) -> None:
        _log.warning("hypercorn", message=message)

    critical = error = warning = exception = _log_message

    async def info(self, *_: Any) -> None:
        """Writes nothing."""

    debug = info


def config(settings: HttpSettings) -> Config:
    """Returns Hypercorn's configuration. What is not set here, the shell or the head decides."""
    made = Config()
    made.logger_class = SilentLogger  # type: ignore[assignment]  # the same methods, other base
    made.include_server_header = False
    # The canonical head may be a little longer than the one that came: Connection, Host.
    made.h11_max_incomplete_size = settings.max_head_bytes + 1024
    made.startup_timeout = made.shutdown_timeout = SHUTDOWN_S
    return made


class _OneRequest(h11.Connection):
    """An h11 connection that ignores what follows the one request, where h11 has an error.

    A client may pipeline. This is a connection for one request, and the answer says so.
    """

    def receive_data(self, data: bytes) -> None:
        if self.their_state is not h11.MUST_CLOSE or not data:
            super().receive_data(data)

    def next_event(self) -> Any:
        if self.their_state is h11.MUST_CLOSE:
            return h11.NEED_DATA
        return super().next_event()


class OneRequestH11(H11Protocol):
    """HTTP/1.1 for the one request whose head the server has already read.

    The canonical head names no protocol to switch to, so neither h2c nor a websocket begins here.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection = _OneRequest(
            h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size
        )

    async def _send_error_response(self, status_code: int) -> None:
        """Answers a body that came wrong, such as a bad chunk, in JSON as all errors are."""
        detail = "The body of the request is not what its head announced."
        fields, body = Problem.named("bad_request", detail).written()
        headers = [
            (b"date", format_date_time(time.time()).encode()),
            *((name.lower().encode(), value.encode()) for name, value in fields),
            (b"connection", b"close"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())
