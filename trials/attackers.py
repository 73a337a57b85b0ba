"""Hostile connections of every kind, and the bytes that they begin with."""

import base64
import contextlib
import os
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable

import trio

ORG = "fortress"
SECRET = "fortress-secret-1"
"""The attackers' own org, where they have a phone or a client of their own."""
PATIENCE_S = 5.0
"""How long an attacker waits for anything: longer than the gateway's own deadlines."""

CRASHERS = [
    b"GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: \xff\r\n\r\n",
    b"GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Extensions: \xff\r\n\r\n",
    b"GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, \xff\r\n"
    b"Upgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAAA\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"POST /send/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /send/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /send/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded: yes\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"\x00" * 64,
]


def handshake(*, device: str = "") -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    named = f"&device_id={device}" if device else ""
    return (
        f"GET /websocket?org_id={ORG}&secret_key={SECRET}{named} HTTP/1.1\r\nHost: x\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def frame(
    payload: bytes, *, opcode: int = 1, first: int = 0x80, length: int | None = None
) -> bytes:
    """Returns a masked WebSocket frame. `length` may be wrong about the payload."""
    size = len(payload) if length is None else length
    head = bytes([first | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + bytes(4) + payload


class Attackers:
    """All kinds of hostile connection, by the port they are made to, from the address `source`."""

    def __init__(self, port: int, chance: random.Random, *, source: str = "127.0.0.1") -> None:
        self.port = port
        self.chance = chance
        self.source = source
        self.kinds: list[Callable[[], Awaitable[None]]] = [
            self.crasher,
            self.crasher_dripped,
            self.mutated_handshake,
            self.dripped_head,
            self.early_reset,
            self.reset_after_handshake,
            self.oversized_head,
            self.oversized_body,
            self.oversized_frame,
            self.lying_frame,
            self.broken_frames,
            self.nonsense_frames,
            self.phone_that_never_reads,
            self.client_that_never_reads,
            self.bytes_behind_the_handshake,
            self.abandoned_body,
        ]

    async def connect(self, *, window: int | None = None) -> trio.SocketStream:
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await sock.bind((self.source, 0))
        await sock.connect(("127.0.0.1", self.port))
        return trio.SocketStream(sock)

    async def drain(self, stream: trio.SocketStream) -> None:
        while await stream.receive_some(65_536):
            pass

    async def say(self, *chunks: bytes, reset: bool = False, listen: bool = True) -> None:
        stream = await self.connect()
        async with stream:
            for chunk in chunks:
                await stream.send_all(chunk)
            if reset:
                stream.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            elif listen:
                await self.drain(stream)

    async def crasher(self) -> None:
        await self.say(self.chance.choice(CRASHERS), reset=self.chance.random() < 0.5)

    async def crasher_dripped(self) -> None:
        await self.say(*(bytes([byte]) for byte in self.chance.choice(CRASHERS)))

    async def mutated_handshake(self) -> None:
        raw = bytearray(handshake())
        for _ in range(self.chance.randint(1, 6)):
            place = self.chance.randrange(len(raw))
            raw[place : place + self.chance.randint(0, 2)] = self.chance.randbytes(
                self.chance.randint(0, 3)
            )
        await self.say(bytes(raw), reset=self.chance.random() < 0.3)

    async def dripped_head(self) -> None:
        stream = await self.connect()
        async with stream:
            for byte in handshake():
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.2)

    async def early_reset(self) -> None:
        raw = handshake()
        await self.say(raw[: self.chance.randrange(len(raw))], reset=True)

    async def reset_after_handshake(self) -> None:
        await self.say(handshake(), reset=True)

    async def oversized_head(self) -> None:
        await self.say(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")

    async def oversized_body(self) -> None:
        head = b"POST /send/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
        await self.say(head, *(b"x" * 100_000 for _ in range(90)))

    async def oversized_frame(self) -> None:
        await self.say(handshake(), frame(b"x" * 300_000))

    async def lying_frame(self) -> None:
        await self.say(handshake(), frame(b"x" * 5_000, length=400 * 1024 * 1024))

    async def broken_frames(self) -> None:
        broken = [
            frame(b"\xff\xfe"),
            frame(b"{}", opcode=5),
            frame(b"{}", first=0xF0),
            frame(b"x" * 200, opcode=9),
            b"\x81\x02{}",
            frame(b"x", opcode=0),
            frame(b"\x00", opcode=8),
            b"".join(frame(b"", opcode=1 if i == 0 else 0, first=0) for i in range(2_000)),
        ]
        await self.say(handshake(), self.chance.choice(broken))

    async def nonsense_frames(self) -> None:
        nonsense = [b"", b"null", b"[" * 30_000, b'{"type":1}', b'{"type":"sims","sims":7}', b"x"]
        await self.say(handshake(), *(frame(self.chance.choice(nonsense)) for _ in range(60)))

    async def phone_that_never_reads(self) -> None:
        stream = await self.connect(window=2_048)
        async with stream:
            await stream.send_all(handshake(device=f"deaf-{self.chance.randrange(20)}"))
            for _ in range(3_000):
                await stream.send_all(frame(b'{"type":"ping"}'))

    async def client_that_never_reads(self) -> None:
        stream = await self.connect(window=2_048)
        async with stream:
            request = f"GET /messages/{ORG}/{SECRET}?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n"
            await stream.send_all(request.encode())
            await trio.sleep(PATIENCE_S)

    async def bytes_behind_the_handshake(self) -> None:
        await self.say(handshake() + frame(b'{"type":"ping"}') + frame(b"\x03\xe8", opcode=8))

    async def abandoned_body(self) -> None:
        head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        await self.say(head, reset=self.chance.random() < 0.5, listen=False)

    async def one(self, done: Counter[str]) -> None:
        kind = self.chance.choice(self.kinds)
        with trio.move_on_after(PATIENCE_S), contextlib.suppress(OSError, trio.BrokenResourceError):
            await kind()
        done[kind.__name__] += 1
