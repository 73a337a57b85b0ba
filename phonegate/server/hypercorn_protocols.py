"""Hypercorn's HTTP/1.1 and HTTP/2 machines, each held to what the ASGI shell is for.

Hypercorn (0.18) keeps sockets out of its `protocol` package, so its machines can be driven by
our own shell (`house`). What is changed here, and why, stands at each override.
"""

import re
import time
from contextlib import suppress
from typing import Any
from wsgiref.handlers import format_date_time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import h11
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Data, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, H2Protocol
from hypercorn.protocol.h11 import H11Protocol

from phonegate import log
from phonegate.config.settings import HttpSettings

from .answers import JSON_TYPE, error_body
from .head import AUTHORITY

_log = log.get("server")

SHUTDOWN_S = 5.0
"""Seconds the web application has for its own start and for its own end."""

_METHOD = re.compile(rb"(?!CONNECT$)[!#$%&'*+\-.^_`|~0-9A-Z]+")
_PATH = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # visible ASCII, no fragment
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Quiet:
    """Hypercorn's logger: its tracebacks would show values, and we log calls ourselves."""

    def __init__(self, config: Config) -> None:
        del config

    async def access(self, *_: Any) -> None:
        """Nothing: the web application logs its requests, redacted."""

    async def _tell(self, message: str, *_: Any) -> None:
        _log.warning("hypercorn", message=message)

    critical = error = warning = exception = _tell

    async def info(self, *_: Any) -> None:
        """Nothing."""

    debug = info


def config(settings: HttpSettings) -> Config:
    """Hypercorn's configuration; what is not set here the shell or the head decides."""
    made = Config()
    made.logger_class = Quiet  # type: ignore[assignment]  # the same methods, other base
    made.include_server_header = False
    # The canonical head may be a little longer than the one that came: Connection, Host.
    made.h11_max_incomplete_size = settings.max_head_bytes + 1024
    made.h2_max_header_list_size = settings.max_head_bytes
    made.startup_timeout = made.shutdown_timeout = SHUTDOWN_S
    return made


class _OneRequest(h11.Connection):
    """h11 that takes what follows the one request for nothing, not for an error.

    A client may pipeline; ours is a connection for one request, and its answer says so.
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
        """The body came wrong (a bad chunk): says so in JSON, as every error is said."""
        body = error_body("The body of the request is not what its head announced.", "bad_request")
        headers = [
            (b"date", format_date_time(time.time()).encode()),
            (b"content-type", JSON_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


class StrictH2(H2Protocol):
    """HTTP/2 without websockets, in which a wrong request costs its stream alone."""

    draining = False
    """Whether new requests are refused, for the client to send elsewhere."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        codes = h2.settings.SettingCodes
        # Hypercorn offers extended CONNECT (RFC 8441) here, which leads to its own websockets.
        self.connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                codes.MAX_CONCURRENT_STREAMS: self.config.h2_max_concurrent_streams,
                codes.MAX_HEADER_LIST_SIZE: self.config.h2_max_header_list_size,
            },
        )

    @property
    def idle(self) -> bool:
        """No request is running, and no end of an answer waits for its turn to be sent."""
        return not self.streams and not self.stream_buffers

    async def handle(self, event: Event) -> None:
        """Frees the calls that wait to write, too, when the client has gone."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()

    async def farewell(self) -> None:
        """Says that the connection ends (GOAWAY)."""
        with suppress(h2.exceptions.ProtocolError):
            self.connection.close_connection()
        data = self.connection.data_to_send()
        if data:
            await self.send(RawData(data))

    async def stream_send(self, event: StreamEvent) -> None:
        """Resets the stream of an answer that was cut short, or its client would wait on."""
        if isinstance(event, StreamClosed):
            buffer = self.stream_buffers.get(event.stream_id)
            if buffer is not None and not buffer.complete:
                with suppress(h2.exceptions.ProtocolError):
                    self.connection.reset_stream(
                        event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR
                    )
                await self._drop_answer(event.stream_id)
                await self._flush()
        await super().stream_send(event)
        if isinstance(event, Body | Data):
            await self._taken(event.stream_id)

    async def _taken(self, stream_id: int) -> None:
        """Waits until most of what a stream has to send has left.

        Hypercorn's own wait ends as soon as the client's window lets little or nothing leave, so
        that an answer would be handed on whole whether its client takes it or not.
        """
        while buffer := self.stream_buffers.get(stream_id):
            if len(buffer.buffer) < BUFFER_HIGH_WATER:
                return
            await buffer._paused.wait()  # noqa: SLF001 - set whenever a part has left, and at its end
            await buffer._paused.clear()  # noqa: SLF001

    async def _drop_answer(self, stream_id: int) -> None:
        """Lets the sending task forget a stream that was reset; Hypercorn keeps its buffer."""
        if stream_id in self.stream_buffers:
            await self.stream_buffers[stream_id].close()
            await self._window_updated(stream_id)

    async def _send_data(self, stream_id: int) -> None:
        """Tells the shell when an answer is out: a connection that drains ends no earlier."""
        await super()._send_data(stream_id)
        if stream_id not in self.stream_buffers:
            await self.send(Updated(idle=self.idle))

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        """Keeps from Hypercorn the events that it raises on, which would end all streams."""
        for event in events:
            if isinstance(event, h2.events.RequestReceived) and not _acceptable(event):
                self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
            elif isinstance(event, h2.events.RequestReceived) and self.draining:
                # RFC 9113, 8.7: the client may send it again, to whoever comes after us.
                self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            elif isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                # The body of a request that was already answered or refused. It still uses the
                # connection's window, so it is acknowledged or the other streams would starve.
                with suppress(h2.exceptions.ProtocolError):
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length or 0, event.stream_id
                    )
            else:
                await super()._handle_events([event])
                if isinstance(event, h2.events.StreamReset):
                    await self._drop_answer(event.stream_id)
        await self._flush()


def _acceptable(request: h2.events.RequestReceived) -> bool:
    fields = [(bytes(name), bytes(value)) for name, value in request.headers or ()]
    pseudo = dict(fields)
    path = pseudo.get(b":path", b"")
    method = pseudo.get(b":method", b"")
    hosts = [value for name, value in fields if name in {b":authority", b"host"}]
    return (
        _METHOD.fullmatch(method) is not None
        and (_PATH.fullmatch(path) is not None or (method, path) == (b"OPTIONS", b"*"))
        and all(AUTHORITY.fullmatch(host.decode("latin-1")) for host in hosts)
        and not any(_CONTROL.search(name) or _CONTROL.search(value) for name, value in fields)
    )
