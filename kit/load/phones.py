"""Phones as bare sockets: a handshake, frames without a mask's work, an answer for each push."""

import asyncio
import base64
import contextlib
import json
import ssl
import struct
from collections.abc import Callable, Iterator
from typing import Any, cast

from kit.load.http import HOST

KEY = base64.b64encode(b"phonegate bench!").decode()
"""The same key for every handshake: there are no caches here to guard against."""

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

OnPush = Callable[["PhoneWire", dict[str, Any]], None]


class Refused(Exception):
    """The server did not upgrade, or hung up."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Returns a client's frame, masked with zeros: valid, and the payload stands as it is."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + bytes(4) + payload


def frames(buffer: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """The whole frames of a server that begin at `at`: opcode, and where the payload lies."""
    size = len(buffer)
    while size - at >= 2:
        length, start = buffer[at + 1] & 127, at + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            if size < start:
                return
            length = int.from_bytes(buffer[at + 2 : start])
        if size - start < length:
            return
        yield buffer[at] & 15, start, start + length
        at = start + length


class PhoneWire(asyncio.Protocol):
    """One connected phone; `on_push` gets each `send_sms`, `on_other` each other frame."""

    def __init__(self, number: str, on_push: OnPush, *, acks: bool = False) -> None:
        self.number = number
        self.acks = acks
        """Whether it answers each push with `ack` before its result."""
        self.on_push = on_push
        self.on_other: Callable[[dict[str, Any]], None] | None = None
        self.refuses = False
        """A phone that takes nothing: pushes are counted and not answered."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self.gone = asyncio.Event()
        """Set once the connection is lost."""
        self.close_code: int | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._upgraded = False
        self._out: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def shake(self, target: str) -> None:
        self.write(
            f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
            "\r\n".encode()
        )

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    async def drained(self) -> None:
        """Waits until the server reads again, where it doesn't."""
        await self._writable.wait()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Goes as a phone out of range does, as far as the server's machine can tell."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.lost = True
        self.gone.set()
        self._writable.set()
        if not self.ready.done():
            self.ready.set_exception(Refused("the server hung up"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        at = 0
        if not self._upgraded:
            at = buffer.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = buffer
                return
            if buffer[9:12] != b"101":
                self.ready.set_exception(Refused(buffer[:at].decode("latin-1")))
                self.drop()
                return
            self._upgraded = True
        for opcode, start, end in frames(buffer, at):
            self._take(opcode, buffer[start:end])
            at = end
        self._buffer = buffer[at:]
        if self._out:
            self.write(b"".join(self._out))
            self._out.clear()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._out.append(frame(payload, PONG))
        elif opcode == CLOSE:
            self.close_code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
            self._out.append(frame(payload, CLOSE))
        elif opcode == TEXT:
            self._read(json.loads(payload))

    def _read(self, value: dict[str, Any]) -> None:
        kind = value["type"]
        if kind == "send_sms":
            self.on_push(self, value)
            if self.refuses:
                return
            message = value["id"]
            if self.acks:
                self._out.append(frame(b'{"type":"ack","id":%d}' % message))
            self._out.append(frame(b'{"type":"send_result","id":%d,"success":true}' % message))
        elif kind == "connected":
            if not self.ready.done():
                self.ready.set_result(None)
        elif self.on_other is not None:
            self.on_other(value)


def sims(number: str) -> bytes:
    return frame(
        b'{"type":"sims","sims":[{"slot":0,"number":"%s","carrier":"Bench"}]}' % number.encode()
    )


def hello(device: str) -> bytes:
    return frame(
        json.dumps(
            {
                "type": "hello",
                "device_id": device,
                "name": device,
                "model": "bench",
                "app": "bench/1",
                "features": ["ack"],
            }
        ).encode()
    )


async def connect(
    port: int,
    *,
    org: str,
    secret: str,
    device: str,
    number: str,
    on_push: OnPush,
    acks: bool = False,
    timeout_s: float = 60,
    context: ssl.SSLContext | None = None,
) -> PhoneWire:
    """Connects a phone with one SIM. Returns once the server said `connected`.

    Raises:
        Refused: It did not.
        TimeoutError: It said nothing.
        OSError: No server listens.
    """
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_connection(
        lambda: PhoneWire(number, on_push, acks=acks), HOST, port, ssl=context
    )
    try:
        phone.shake(f"/websocket?org_id={org}&secret_key={secret}&device_id={device}")
        await asyncio.wait_for(phone.ready, timeout_s)
    except BaseException:
        with contextlib.suppress(Exception):
            phone.abort()
        raise
    phone.write((hello(device) if acks else b"") + sims(number))
    return phone
