"""(c): received SMS, by `/webhook` and over the phone link, until they are committed."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

from bench.figures import Figure, Figures
from bench.plan import Plan
from bench.servers import Server
from kit.load.deliveries import Quantiles, text
from kit.load.loops import Loops, Wrong
from kit.load.org import PAGE, POLL_S, SETTLE_S, Org
from kit.load.phones import PhoneWire, frame

CLIENTS = 64
BURST = 50
"""Frames that a phone writes before it looks whether the server still reads."""

RATE = "messages/s"
WEBHOOK_CASE = f"/webhook, {CLIENTS} clients"
LINK_CASE = "phone link"
HELLO_CASE = "phone link, acknowledged"


async def received(server: Server, plan: Plan, figures: Figures) -> None:
    side = server.side.name
    async with Org(server) as org:
        numbers = itertools.count()
        seconds, answers = await _webhook(org, plan, numbers)
        _add(figures, side, WEBHOOK_CASE, RATE, len(answers) / seconds)
        quantiles = Quantiles.of(answers)
        figures.add(side, Figure("c", WEBHOOK_CASE, "answer p50", "ms"), quantiles.p50)
        figures.add(side, Figure("c", WEBHOOK_CASE, "answer p99", "ms"), quantiles.p99)
        await org.connect(plan.phones)
        seconds = await _link(org, plan.inbound, numbers)
        _add(figures, side, LINK_CASE, RATE, plan.inbound / seconds)
    if not server.side.is_phonegate:
        return
    async with Org(server, "hello") as org:
        await org.connect(plan.phones, acks=True)
        seconds = await _acknowledged(org, plan.inbound)
        _add(figures, side, HELLO_CASE, RATE, plan.inbound / seconds)


def _add(figures: Figures, side: str, case: str, name: str, value: float) -> None:
    figures.add(side, Figure("c", case, name, "/s"), value)


def _message(number: int) -> dict[str, Any]:
    return {
        "address": f"+1555{number % 997:07d}",
        "body": text(number),
        "date": 1_700_000_000_000 + number,
        "sim_slot": 0,
    }


async def _webhook(org: Org, plan: Plan, numbers: Iterable[int]) -> tuple[float, list[float]]:
    turns = iter(numbers)
    loops = Loops(
        org.server.port,
        CLIENTS,
        lambda: org.webhook_request([_message(next(turns))]),
        lambda: None,
    )
    try:
        await loops.run(plan.warm_s)
        before = await _newest(org)
        begun = time.perf_counter()
        await loops.run(plan.seconds)
        seconds = time.perf_counter() - begun
    finally:
        loops.close()
    await _check(org, before, len(loops.answers))
    return seconds, loops.answers


async def _link(org: Org, count: int, numbers: Iterable[int]) -> float:
    """Writes as fast as the server reads, until all are in its list of messages."""
    turns = iter(numbers)
    before = await _newest(org)
    begun = time.perf_counter()

    async def write(phone: PhoneWire, share: int) -> None:
        while share > 0:
            burst = [_frame(_message(next(turns))) for _ in range(min(BURST, share))]
            phone.write(b"".join(burst))
            share -= len(burst)
            await phone.drained()

    shares = _shares(count, len(org.phones))
    async with asyncio.timeout(SETTLE_S):
        await asyncio.gather(*(write(*pair) for pair in zip(org.phones, shares, strict=True)))
        # Ids ascend by one: nothing else is stored meanwhile.
        while await _newest(org) < before + count:  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(POLL_S)
    seconds = time.perf_counter() - begun
    await _check(org, before, count)
    return seconds


async def _acknowledged(org: Org, count: int) -> float:
    """As `_link`, over when each frame has its `inbound_ack`."""
    acked: set[str] = set()
    all_acked = asyncio.Event()

    def heard(value: dict[str, Any]) -> None:
        if value["type"] == "inbound_ack":
            acked.update(value["ids"])
            if len(acked) == count:
                all_acked.set()

    for phone in org.phones:
        phone.on_other = heard
    before = await _newest(org)
    begun = time.perf_counter()
    shares, first = _shares(count, len(org.phones)), 0
    async with asyncio.timeout(SETTLE_S):
        for phone, share in zip(org.phones, shares, strict=True):
            for number in range(first, first + share):
                phone.write(_frame({**_message(number), "id": str(number)}))
            first += share
        await all_acked.wait()
    seconds = time.perf_counter() - begun
    await _check(org, before, count)
    return seconds


def _frame(message: dict[str, Any]) -> bytes:
    return frame(json.dumps({"type": "inbound", "message": message}).encode())


def _shares(count: int, phones: int) -> list[int]:
    return [count // phones + (at < count % phones) for at in range(phones)]


async def _newest(org: Org) -> int:
    newest: int = (await org.page("limit=1"))[-1]["id"]
    return newest


async def _check(org: Org, before: int, count: int) -> None:
    """Raises `Wrong` unless exactly so many different messages were stored since."""
    bodies: list[str] = []
    since = before
    while page := await org.page(f"direction=in&limit={PAGE}&since_id={since}"):
        since = page[-1]["id"]
        bodies += [message["body"] for message in page]
    if len(bodies) != count or len(set(bodies)) != count:
        raise Wrong(f"{count} received, {len(bodies)} stored, {len(set(bodies))} different")
