"""Handshakes as fast as they can be made, with right and wrong credentials, whole and torn."""

import ssl
from collections import Counter
from itertools import count

import trio

from trials.abuse.case import case
from trials.abuse.victim import Victim, statuses
from trials.attackers import SECRET, handshake

AT_ONCE = 30
TLS_AT_ONCE = 8
"""Each costs this side as much work as the gateway."""


@case(
    "websocket handshakes",
    "right ones 101, or 429 past the address's share; wrong ones 401, then 429; none 5xx",
)
async def websocket_flood(victim: Victim) -> None:
    counts: Counter[str] = Counter()
    numbers = count()

    async def knock() -> None:
        number = next(numbers)
        right = number % 2 == 0
        # Wrong ones come from other addresses too: the right ones shall not pay for them.
        source = "127.0.0.66" if right else f"127.0.1.{number % 200 + 1}"
        words = handshake(device=f"flood-{number % 40}")
        async with await victim.connect(source) as wire:
            secret = SECRET.encode()
            await wire.send(words if right else words.replace(secret, b"wrong-" + secret))
            answer = await wire.some(b"\r\n\r\n", 8)
        status = int(answer[9:12]) if answer[9:12].isdigit() else 0
        counts[f"{'right' if right else 'wrong'} {status}"] += 1
        allowed = {101, 429} if right else {401, 429}
        victim.expect(status in allowed, f"a {right=} handshake was answered {answer[:80]!r}")

    async with victim.at_once() as wave:
        wave.keep(AT_ONCE, knock)
    victim.expect(counts["right 101"] > 0, "no phone came in at all")
    victim.expect(counts["wrong 401"] > 0, "no answer said that the secret is wrong")
    victim.seen(", ".join(f"{what}: {times}" for what, times in sorted(counts.items())))


@case(
    "TLS handshakes",
    "whole ones answered or turned away past the address's share; torn ones cost no other client",
    environment="tls",
)
async def tls_flood(victim: Victim) -> None:
    context = ssl.create_default_context(cafile=str(victim.authority))
    counts: Counter[str] = Counter()
    numbers = count()

    async def knock() -> None:
        number = next(numbers)
        async with await victim.connect() as wire:
            secured = trio.SSLStream(wire.stream, context, server_hostname="127.0.0.1")
            with trio.move_on_after(8) as scope:
                try:
                    if number % 3 == 0:
                        await wire.send(b"\x16\x03\x01\x02\x00\x01\x00" + bytes(number % 400))
                        counts["torn"] += 1
                        return
                    await secured.do_handshake()
                    if number % 3 == 1:
                        counts["whole, then gone"] += 1
                        return
                    await secured.send_all(
                        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                    )
                    answer = bytes(await secured.receive_some(65_536))
                    counts[f"answered {statuses(answer)}"] += 1
                    victim.expect(statuses(answer) in ([200], [429]), f"/health: {answer[:80]!r}")
                except (trio.BrokenResourceError, ssl.SSLError):
                    counts["turned away"] += 1
            victim.expect(not scope.cancelled_caught, "a handshake was never answered")

    async with victim.at_once() as wave:
        wave.keep(TLS_AT_ONCE, knock)
    victim.expect(counts["answered [200]"] > 0, "no one was answered")
    victim.seen(", ".join(f"{what}: {times}" for what, times in sorted(counts.items())))
