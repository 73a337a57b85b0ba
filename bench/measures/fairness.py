"""(i): a quiet org beside one that floods the same server."""

import asyncio
import time

from bench.figures import Figure, Figures
from bench.measures.sends import Load, senders
from bench.plan import Plan
from bench.servers import Server
from kit.load.deliveries import Quantiles
from kit.load.http import Client
from kit.load.loops import Wrong
from kit.load.org import Org

FLOOD = (Load(64), Load(2, 100))
"""Clients that send singly, and clients that send batches."""

PAUSE_S = 0.02
"""Between the quiet org's sends."""

ALONE, BESIDE = "quiet org alone", "quiet org beside a flood"
P99 = "API to phone p99"


async def quiet(server: Server, plan: Plan, figures: Figures) -> None:
    side = server.side.name
    async with Org(server, "quiet") as calm, Org(server, "flood") as flood:
        await calm.connect(1)
        await flood.connect(plan.phones)
        _add(figures, side, ALONE, await _sends(calm, plan.fair_s))
        loops = [senders(flood, load) for load in FLOOD]
        begun = time.perf_counter()
        running = [asyncio.ensure_future(loop.run(float("inf"))) for loop in loops]
        try:
            await asyncio.sleep(plan.warm_s)
            _add(figures, side, BESIDE, await _sends(calm, plan.fair_s))
            for loop in loops:
                loop.stop()
            await asyncio.gather(*running)
            await flood.deliveries.all_arrived()
            rate = flood.deliveries.accepted / (time.perf_counter() - begun)
            figures.add(side, Figure("i", "the flood", "messages/s", "/s"), rate)
        finally:
            for task in running:
                task.cancel()
            for loop in loops:
                loop.close()
        await flood.all_sent()
        await calm.check()
        await flood.check()


def _add(figures: Figures, side: str, case: str, push: Quantiles) -> None:
    figures.add(side, Figure("i", case, "API to phone p50", "ms"), push.p50)
    figures.add(side, Figure("i", case, P99, "ms"), push.p99)


async def _sends(org: Org, seconds: float) -> Quantiles:
    """One client that sends now and then, until the time is over."""
    org.deliveries.begin()
    answers: asyncio.Queue[int] = asyncio.Queue()
    client = Client(org.server.port, lambda _, status, __: answers.put_nowait(status))
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            client.ask(org.send_request([(org.deliveries.take(), org.phones[0].number)]))
            if (status := await answers.get()) != 200:
                raise Wrong(f"the quiet org was answered {status}")
            org.deliveries.accepted += 1
            await org.deliveries.all_arrived()
            await asyncio.sleep(PAUSE_S)
    finally:
        client.close()
    await org.all_sent()
    return Quantiles.of(org.deliveries.latencies)
