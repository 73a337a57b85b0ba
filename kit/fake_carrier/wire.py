"""A small HTTP/1.1 server on h11 that can also break off in every way a link can."""

import json
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import h11
import trio

MAX_BODY_BYTES = 1_048_576
"""Above what either carrier takes."""

IDLE_S = 75
"""How long a kept-alive connection may wait for its next request."""

BACKLOG = 1024

Ending = Literal["whole", "cut", "truncated", "noise"]


@attrs.frozen(kw_only=True)
class Request:
    """A request as it came; header names in lower case, `raw` with every byte of it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@attrs.frozen(kw_only=True)
class Answer:
    """What to send, and whether to send all of it."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    ending: Ending = "whole"


def json_answer(status: int, content: Any, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status=status, body=json.dumps(content).encode(), headers=headers)


Handler = Callable[[Request], Awaitable[Answer]]


class Broken(Exception):
    """The peer went away in the middle of a request."""


async def serve_connection(stream: trio.SocketStream, handler: Handler) -> None:
    """Answers requests until either side closes. An error of the peer ends only this."""
    connection = _Connection(stream, handler)
    try:
        await connection.run()
    except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError, Broken):
        pass
    finally:
        stream.socket.close()


class _Connection:
    def __init__(self, stream: trio.SocketStream, handler: Handler) -> None:
        self._stream = stream
        self._handler = handler
        self._http = h11.Connection(h11.SERVER)
        self._raw = bytearray()

    async def run(self) -> None:
        while True:
            with trio.move_on_after(IDLE_S) as idle:
                request = await self._read()
            if idle.cancelled_caught or request is None:
                return
            answer = await self._handler(request)
            if not await self._send(answer, head_only=request.method == "HEAD"):
                return
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _read(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        await self._stream.send_all(
                            self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
                            or b""
                        )
                    chunk = bytes(await self._stream.receive_some())
                    self._raw += chunk
                    self._http.receive_data(chunk)
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                    if len(body) > MAX_BODY_BYTES:
                        raise Broken
                case h11.EndOfMessage():
                    break
                case _:
                    return None
        assert head is not None
        rest, _ = self._http.trailing_data
        raw = bytes(self._raw[: len(self._raw) - len(rest)])
        self._raw = bytearray(rest)
        return Request(
            method=head.method.decode(),
            target=head.target.decode("latin-1"),
            headers=tuple((key.decode(), value.decode("latin-1")) for key, value in head.headers),
            body=bytes(body),
            raw=raw,
        )

    async def _send(self, answer: Answer, *, head_only: bool) -> bool:
        """False when the connection is over."""
        match answer.ending:
            case "cut":
                self._reset()
                return False
            case "noise":
                await self._stream.send_all(b"\x00\xffthis is no HTTP at all\r\n\r\n")
                return False
            case _:
                pass
        # A 204 has no body and so no length (RFC 9110, 8.6).
        described = (
            []
            if answer.status == HTTPStatus.NO_CONTENT
            else [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
            ]
        )
        head = self._http.send(
            h11.Response(
                status_code=answer.status,
                reason=HTTPStatus(answer.status).phrase.encode(),
                headers=[*described, *answer.headers],
            )
        )
        assert head is not None
        if answer.ending == "truncated":
            await self._stream.send_all(head + answer.body[: len(answer.body) // 2])
            return False
        body = b"" if head_only else self._http.send(h11.Data(data=answer.body)) or b""
        end = self._http.send(h11.EndOfMessage()) or b""
        await self._stream.send_all(head + body + end)
        return True

    def _reset(self) -> None:
        # Closing with a zero linger makes the kernel send RST in place of FIN.
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.socket.close()
