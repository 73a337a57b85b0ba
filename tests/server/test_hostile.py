"""Every input known to have stopped a server of this stack, and many that nobody has tried."""

import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio

from phonegate.config.settings import TlsSettings
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import HANDSHAKE, Site, read_all, reset

ELSEWHERE = HANDSHAKE.replace(b"/websocket", b"/who")
OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAMES = bytes.fromhex("00000004000000000000000801040000000182868483417f850000")
"""Settings and a request of HTTP/2, which nothing here speaks."""

WHO = b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n"


def with_header(line: bytes, data: bytes = HANDSHAKE) -> bytes:
    return data.replace(b"Host: h\r\n", b"Host: h\r\n" + line + b"\r\n")


PLAIN = {
    "protocol": with_header(b"Sec-WebSocket-Protocol: \xff"),
    "protocol elsewhere": with_header(b"Sec-WebSocket-Protocol: \xff", ELSEWHERE),
    "extensions": with_header(b"Sec-WebSocket-Extensions: \xff"),
    "odd extensions": with_header(b'Sec-WebSocket-Extensions: ;;=,permessage-deflate;x="\\'),
    "extensions elsewhere": with_header(b"Sec-WebSocket-Extensions: \xff", ELSEWHERE),
    "connection": HANDSHAKE.replace(b"Connection: Upgrade", b"Connection: Upgrade, \xff"),
    "connection elsewhere": ELSEWHERE.replace(b": Upgrade\r\n", b": Upgrade, \xff\r\n"),
    "h2c": b"GET /who HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
    "h2 without tls": OPENING + FRAMES,
    "bytes after a handshake": HANDSHAKE + b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff" * 3,
    "bytes after a handshake elsewhere": ELSEWHERE + b"\x81\x7f" * 50,
    "bad key": HANDSHAKE.replace(b"AAAA==", b"A"),
    "bad version": HANDSHAKE.replace(b"Version: 13", b"Version: 1"),
    "bad chunk": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "huge chunk": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"f" * 20
    + b"\r\n",
    "bad utf-8 in the path": b"GET /%ff%fe%00 HTTP/1.1\r\nHost: h\r\n\r\n",
    "garbage": bytes(range(256)),
}

ENCRYPTED = {
    **PLAIN,
    "h2 garbage": OPENING + b"\xff" * 200,
    "h2 opening alone": OPENING,
}


async def in_one_packet(stream: trio.abc.Stream, data: bytes) -> None:
    await stream.send_all(data)
    with trio.move_on_after(0.05):  # a phone link may wait for more, and that is right
        await read_all(stream)


async def dripped(stream: trio.abc.Stream, data: bytes) -> None:
    for byte in data:
        await stream.send_all(bytes([byte]))
    with trio.move_on_after(0.05):
        await read_all(stream)


async def then_reset(stream: trio.abc.Stream, data: bytes) -> None:
    await stream.send_all(data)
    while not isinstance(stream, trio.SocketStream):
        assert isinstance(stream, trio.SSLStream)
        stream = stream.transport_stream
    reset(stream)


Timing = Callable[[trio.abc.Stream, bytes], Awaitable[None]]
TIMINGS = [in_one_packet, dripped, then_reset]


async def knock(site: Site, timing: Timing, data: bytes) -> None:
    stream: trio.abc.Stream = await site.connect()
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if site.trust is not None:
            stream = trio.SSLStream(stream, site.trust, server_hostname="127.0.0.1")
            await stream.do_handshake()
        await timing(stream, data)
    await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("timing", TIMINGS, ids=lambda timing: timing.__name__)
async def test_no_crash_input_is_more_than_one_connection(
    start_server: StartServer, timing: Timing
) -> None:
    site = await start_server()
    await site.get("/who")
    level = await site.level()
    with trio.fail_after(PATIENCE_S), capture_logs():
        async with trio.open_nursery() as nursery:
            for data in PLAIN.values():
                nursery.start_soon(knock, site, timing, data)
        await level.regained()
    assert (await site.get("/who")).status == 200
    assert await site.level() == level


@pytest.mark.parametrize("timing", TIMINGS, ids=lambda timing: timing.__name__)
async def test_nor_is_one_over_tls(
    start_server: StartServer, tls: TlsSettings, trust: ssl.SSLContext, timing: Timing
) -> None:
    site = await start_server(tls=tls, trust=trust)
    await knock(site, in_one_packet, WHO)
    level = await site.level()
    with trio.fail_after(PATIENCE_S), capture_logs():
        async with trio.open_nursery() as nursery:
            for data in ENCRYPTED.values():
                nursery.start_soon(knock, site, timing, data)
        await level.regained()
        count = len(site.app.calls)
        stream = trio.SSLStream(await site.connect(), trust, server_hostname="127.0.0.1")
        await stream.send_all(WHO)
        assert (await read_all(stream)).startswith(b"HTTP/1.1 200 ")
        await trio.aclose_forcefully(stream)
    assert len(site.app.calls) == count + 1


SEEDS = [
    HANDSHAKE,
    ELSEWHERE,
    PLAIN["h2c"],
    b"GET /who?a=b HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
]
MUTANTS = 400


def mutated(rng: random.Random) -> bytes:
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(5):
            case 0:
                data[at] = rng.choice([0, 9, 10, 13, 32, 44, 58, 0x80, 0xFF, rng.randrange(256)])
            case 1:
                data.insert(at, rng.choice([0, 9, 10, 13, 32, 0xFF]))
            case 2:
                del data[at : at + rng.randint(1, 8)]
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 40)]
            case _:
                lines = bytes(data).split(b"\r\n")
                rng.shuffle(lines)
                data = bytearray(b"\r\n".join(lines))
        if not data:
            break
    return bytes(data)


async def test_hundreds_of_mutated_heads_leave_nothing_behind(start_server: StartServer) -> None:
    site = await start_server(request_timeout_s=3.0, head_timeout_s=3.0)
    await site.get("/who")
    level = await site.level()
    rng = random.Random(20_211)
    limit = trio.CapacityLimiter(40)
    answers: list[bytes] = []

    async def send(data: bytes, ending: int) -> None:
        async with limit:
            stream = await site.connect()
            with suppress(trio.BrokenResourceError):
                await stream.send_all(data)
                if ending == 0:
                    reset(stream)
                else:
                    await stream.send_eof()
                    answers.append(await read_all(stream))
            await trio.aclose_forcefully(stream)

    with capture_logs() as logs, trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(MUTANTS):
                nursery.start_soon(send, mutated(rng), number % 4)
        await level.regained()
    assert (await site.get("/who")).status == 200
    told = [answer for answer in answers if answer]
    assert len(told) > MUTANTS / 4
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in told)
    # What passes the head reader is sound: nothing behind the head reader raises on any of these.
    assert [line for line in logs if line["event"] == "request_failed"] == []
    assert not any(b" 500 " in answer[:16] for answer in told)


async def test_many_resets_in_the_handshake_harm_nobody(start_server: StartServer) -> None:
    site = await start_server()
    await site.get("/who")
    level = await site.level()

    async def strike(data: bytes) -> None:
        for _ in range(10):
            stream = await site.connect()
            with suppress(trio.BrokenResourceError):
                await stream.send_all(data)
            reset(stream)

    late = HANDSHAKE.replace(b"Key: AAAA", b"Key: A")
    inputs: list[Any] = [HANDSHAKE, late, HANDSHAKE[:-2], HANDSHAKE + b"\xff" * 20]
    with capture_logs(), trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for data in inputs * 2:
                nursery.start_soon(strike, data)
        await level.regained()
    assert (await site.get("/who")).status == 200
