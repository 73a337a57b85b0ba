"""Who speaks too slowly: heads, bodies and TLS handshakes byte by byte."""

import time
from collections.abc import Awaitable, Callable

import trio

from trials.abuse.case import case
from trials.abuse.victim import SETTINGS, Victim, Wire, statuses
from trials.attackers import handshake

CLIENTS = 60
DRIP_S = 0.05
"""Pause between two bytes."""
GRACE_S = 8.0
"""Past the gateway's own deadline, on a machine that is busy with the attack."""
HEAD_S = float(str(SETTINGS["HTTP_HEAD_TIMEOUT_S"]))
REQUEST_S = float(str(SETTINGS["HTTP_REQUEST_TIMEOUT_S"]))

LONG = b"X-Slow: " + b"a" * 4_000 + b"\r\n\r\n"
HEADS = [
    b"GET /health HTTP/1.1\r\nHost: x\r\n" + LONG,
    b"POST /assistants HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + LONG,
    handshake(device="slow")[:-2] + LONG,
]
_POST = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{}\r\n\r\n"
BODIES = [
    (_POST.format("/webhook", "Content-Length: 4000").encode(), b"{" + b" " * 3_999),
    (_POST.format("/send/abuse", "Content-Length: 4000").encode(), b"{" + b" " * 3_999),
    (_POST.format("/assistants", "Content-Length: 4000").encode(), b"{" + b" " * 3_999),
    (_POST.format("/webhook", "Transfer-Encoding: chunked").encode(), b"1\r\n \r\n" * 700),
]


async def _drip(victim: Victim, wire: Wire, data: bytes, limit_s: float) -> None:
    """Sends slowly. The gateway must answer 408 when its time is over."""
    begun = time.monotonic()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.drip, data, DRIP_S)
        answer = await wire.some(b"\r\n\r\n", limit_s + GRACE_S)
        nursery.cancel_scope.cancel()
    took = time.monotonic() - begun
    victim.expect(statuses(answer) == [408], f"a slow client was answered {answer[:60]!r}")
    victim.expect(took < limit_s + GRACE_S, f"a slow client kept its connection for {took:.1f} s")


@case("slow heads", "408 when the head's time is over, whichever path the head is for")
async def slow_heads(victim: Victim) -> None:
    async def client(number: int) -> None:
        async with await victim.connect() as wire:
            await _drip(victim, wire, HEADS[number % len(HEADS)], HEAD_S)

    await _many(victim, client, HEAD_S)


@case("slow bodies", "408 when the request's time is over, on both paths and in both framings")
async def slow_bodies(victim: Victim) -> None:
    async def client(number: int) -> None:
        head, body = BODIES[number % len(BODIES)]
        async with await victim.connect() as wire:
            await wire.send(head)
            await _drip(victim, wire, body, REQUEST_S)

    await _many(victim, client, REQUEST_S)


@case(
    "slow TLS",
    "the handshake has the head's time; then the connection is closed without a word",
    environment="tls",
)
async def slow_tls(victim: Victim) -> None:
    # The beginning of a ClientHello that announces 512 bytes more than will come in time.
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(501)

    async def client(number: int) -> None:
        begun = time.monotonic()
        async with await victim.connect() as wire, trio.open_nursery() as nursery:
            if number % 2:
                nursery.start_soon(wire.drip, hello, DRIP_S)
            answer = await wire.answer(HEAD_S + GRACE_S)
            nursery.cancel_scope.cancel()
        victim.expect(answer is not None, "a slow handshake kept its connection")
        victim.expect(time.monotonic() - begun > HEAD_S / 2, "a handshake had hardly any time")

    await _many(victim, client, HEAD_S)


async def _many(victim: Victim, client: Callable[[int], Awaitable[None]], limit_s: float) -> None:
    """Runs rounds of slow clients at once while the attack lasts, and one at least."""
    done = 0
    until = trio.current_time() + victim.seconds
    while not done or trio.current_time() + limit_s < until:
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, number)
        done += CLIENTS
    victim.seen(f"{done} slow clients, all ended in time")
