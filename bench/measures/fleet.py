"""(e): many phones at once: connecting, memory, idling, and a send among them."""

import asyncio
import itertools
import time

from bench.figures import Figure, Figures
from bench.plan import Plan
from bench.servers import Server
from kit.load.deliveries import Quantiles
from kit.load.http import Client
from kit.load.loops import Wrong
from kit.load.org import Org

AT_ONCE = 20
"""Handshakes under way in each org."""

CONNECT = "time to connect all"
MEMORY = "memory per phone"
IDLE = "idle CPU"


def case(phones: int) -> str:
    return f"{phones:,} phones"


async def connected(
    server: Server, plan: Plan, figures: Figures, phones: int, *, idle: bool
) -> None:
    """Connects that many phones to a fresh server and measures it."""
    side = server.side.name

    def add(name: str, unit: str, value: float) -> None:
        figures.add(side, Figure("e", case(phones), name, unit), value)

    orgs = [Org(server, f"fleet-{n}") for n in range(plan.fleet_orgs)]
    try:
        for org in orgs:
            await org.__aenter__()
        await asyncio.sleep(plan.settle_s)
        before = server.rss_bytes()
        cpu, own = server.cpu_s(), time.process_time()
        begun = time.perf_counter()
        share = phones // plan.fleet_orgs
        await asyncio.gather(*(org.connect(share, at_once=AT_ONCE, settled=False) for org in orgs))
        # One org after the other, once all are in: a list of a thousand SIMs costs the server.
        for org in orgs:
            await org.online(share)
        seconds = time.perf_counter() - begun
        add(CONNECT, "s", seconds)
        add("server CPU per connect", "µs", (server.cpu_s() - cpu) / phones * 1e6)
        add("load's share of its core", "%", (time.process_time() - own) / seconds * 100)
        await asyncio.sleep(plan.settle_s)
        add(MEMORY, "KB", (server.rss_bytes() - before) / phones / 1000)
        if idle:
            cpu = server.cpu_s()
            await asyncio.sleep(plan.idle_s)
            add(IDLE, "% of a core", (server.cpu_s() - cpu) / plan.idle_s * 100)
        push = await send_among(orgs, plan.fleet_sends)
        add("API to phone p50", "ms", push.p50)
        add("API to phone p99", "ms", push.p99)
        lost = sum(phone.lost for org in orgs for phone in org.phones)
        if lost:
            raise Wrong(f"{lost} of {phones} phones lost their link")
        for org in orgs:
            await org.all_sent()
            await org.check()
    finally:
        for org in orgs:
            await org.__aexit__()


async def send_among(orgs: list[Org], count: int) -> Quantiles:
    """One client that sends to a phone after the other, in all orgs."""
    answers: asyncio.Queue[int] = asyncio.Queue()
    client = Client(orgs[0].server.port, lambda _, status, __: answers.put_nowait(status))
    turns = itertools.cycle(orgs)
    try:
        for turn in range(count):
            org = next(turns)
            phone = org.phones[turn * 7919 % len(org.phones)]
            client.ask(org.send_request([(org.deliveries.take(), phone.number)]))
            if await answers.get() != 200:
                raise Wrong("a send among many phones was refused")
            org.deliveries.accepted += 1
            await org.deliveries.all_arrived()
    finally:
        client.close()
    return Quantiles.of([value for org in orgs for value in org.deliveries.latencies])
