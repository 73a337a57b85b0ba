"""(g): what has queued while the phones were away, pushed when they are back."""

import asyncio
import itertools
import time

from bench.figures import Figure, Figures
from bench.plan import Plan
from bench.servers import Server
from kit.load.loops import Loops
from kit.load.org import Org

PHONES = 10
CLIENTS = 4
BATCH = 500

RATE = "messages/s"
ARRIVAL = "messages/s to the phones"


def case(plan: Plan) -> str:
    return f"{plan.drain:,} messages, {PHONES} phones"


async def queue(server: Server, plan: Plan) -> None:
    """Lets the org have its phones known, and then queue messages for them while away."""
    async with Org(server) as org:
        await org.connect(PHONES)
        for phone in org.phones:
            phone.drop()
        await org.online(0)
        sims = itertools.cycle([phone.number for phone in org.phones])
        size = min(BATCH, plan.drain // CLIENTS)
        left = plan.drain // size

        def make() -> bytes:
            nonlocal left
            left -= 1
            if not left:
                loops.stop()
            return org.send_request([(org.deliveries.take(), next(sims)) for _ in range(size)])

        loops = Loops(server.port, CLIENTS, make, lambda: None)
        try:
            await loops.run(float("inf"))
        finally:
            loops.close()


async def drain(server: Server, plan: Plan, figures: Figures) -> None:
    """Connects the phones again and times until all is stored as sent."""
    side = server.side.name
    async with Org(server) as org:
        for _ in range(plan.drain):
            org.deliveries.take()
        org.deliveries.accepted = plan.drain
        begun = time.perf_counter()
        cpu, own = server.cpu_s(), time.process_time()
        connecting = asyncio.ensure_future(org.connect(PHONES))
        await org.deliveries.all_arrived()
        arrived = time.perf_counter() - begun
        await connecting
        await org.all_sent()
        seconds = time.perf_counter() - begun
        cpu, own = server.cpu_s() - cpu, time.process_time() - own
        await org.check()

    def add(name: str, unit: str, value: float) -> None:
        figures.add(side, Figure("g", case(plan), name, unit), value)

    add(RATE, "/s", plan.drain / seconds)
    add(ARRIVAL, "/s", plan.drain / arrived)
    add("server CPU per message", "µs", cpu / plan.drain * 1e6)
    add("load's share of its core", "%", own / seconds * 100)
