"""(a), (b), (h): sends end to end, from the request to `sent` in the store."""

import itertools
import time

import attrs

from bench.figures import Figure, Figures
from bench.plan import Plan
from bench.servers import BATCHED, Server
from kit.load.deliveries import Quantiles
from kit.load.loops import Loops
from kit.load.org import Org

SINGLES = (1, 64, 256)
"""Clients that send one message a request."""
SLOW_SINGLES = (1, 64)
BATCHES = ((8, 100), (4, 500))
"""Clients and the size of their batches: some 1,000 to 2,000 messages under way."""
HELLO_CLIENTS = 64

RATE = "messages/s"
P50 = "API to phone p50"
P99 = "API to phone p99"
CPU = "server CPU per message"


@attrs.frozen(kw_only=True)
class Sent:
    """What one load did."""

    messages: int
    seconds: float
    """From the first request to the last message stored as sent."""
    push: Quantiles
    answer: Quantiles
    cpu_us: float
    """Of the server, for each message."""
    load_share: float
    """Of the load's own core."""


def senders(org: Org, clients: int, *, batch: int = 1) -> Loops:
    """Clients that send to the org's phones in turns."""
    sims = itertools.cycle([phone.number for phone in org.phones])

    def make() -> bytes:
        return org.send_request([(org.deliveries.take(), next(sims)) for _ in range(batch)])

    def accepted() -> None:
        org.deliveries.accepted += batch

    return Loops(org.server.port, clients, make, accepted)


async def load(org: Org, plan: Plan, clients: int, *, batch: int = 1) -> Sent:
    """Warms up, then measures."""
    loops = senders(org, clients, batch=batch)
    try:
        await loops.run(plan.warm_s)
        await org.all_sent()
        org.deliveries.begin()
        cpu, own = org.server.cpu_s(), time.process_time()
        begun = time.perf_counter()
        await loops.run(plan.seconds)
        await org.all_sent()
        seconds = time.perf_counter() - begun
        cpu = org.server.cpu_s() - cpu
        own = time.process_time() - own
    finally:
        loops.close()
    count = org.deliveries.begun
    return Sent(
        messages=count,
        seconds=seconds,
        push=Quantiles.of(org.deliveries.latencies),
        answer=Quantiles.of(loops.answers),
        cpu_us=cpu / count * 1e6,
        load_share=own / seconds,
    )


def record(figures: Figures, side: str, letter: str, case: str, sent: Sent) -> None:
    def add(name: str, unit: str, value: float) -> None:
        figures.add(side, Figure(letter, case, name, unit), value)

    add(RATE, "/s", sent.messages / sent.seconds)
    add(P50, "ms", sent.push.p50)
    add(P99, "ms", sent.push.p99)
    add("answer p50", "ms", sent.answer.p50)
    add("answer p99", "ms", sent.answer.p99)
    add(CPU, "µs", sent.cpu_us)
    add("load's share of its core", "%", sent.load_share * 100)


def clients_case(clients: int) -> str:
    return "1 client" if clients == 1 else f"{clients} clients"


def batch_case(size: int) -> str:
    return f"batches of {size}"


def batched_case(size: int) -> str:
    """Beside the baseline that gives a batch one commit."""
    return f"batches of {size}, one commit"


HELLO_CASE = f"{clients_case(HELLO_CLIENTS)}, phones that ack"


async def singles(server: Server, plan: Plan, figures: Figures) -> None:
    """(a)."""
    side = server.side.name
    async with Org(server) as org:
        await org.connect(plan.phones)
        for clients in SINGLES:
            sent = await load(org, plan, clients)
            record(figures, side, "a", clients_case(clients), sent)
        await org.check()
    if side != "phonegate":
        return
    async with Org(server, "hello") as org:
        await org.connect(plan.phones, acks=True)
        sent = await load(org, plan, HELLO_CLIENTS)
        record(figures, side, "a", HELLO_CASE, sent)
        await org.check()


async def batches(server: Server, plan: Plan, figures: Figures) -> None:
    """(b)."""
    async with Org(server) as org:
        await org.connect(plan.phones)
        for clients, size in BATCHES:
            sent = await load(org, plan, clients, batch=size)
            side = server.side.name
            if side == BATCHED:
                record(figures, "baseline", "b", batched_case(size), sent)
                continue
            record(figures, side, "b", batch_case(size), sent)
            if side == "phonegate":
                # It has one commit in either comparison.
                record(figures, side, "b", batched_case(size), sent)
        await org.check()


async def slow_disk(server: Server, plan: Plan, figures: Figures) -> None:
    """(h): the server's flushes take 5 ms."""
    async with Org(server) as org:
        await org.connect(plan.phones)
        for clients in SLOW_SINGLES:
            sent = await load(org, plan, clients)
            record(figures, server.side.name, "h", clients_case(clients), sent)
        await org.check()
