"""(l): an org whose events are recorded beside one that does not listen, on the same server.

Both send in turns, many slices of each, so that what else the machine does falls on both alike.
Each slice of one is compared with that of the other right beside it.
"""

import statistics

from bench.figures import Figure, Figures
from bench.measures.sends import HUNDREDS, MANY, alone
from bench.plan import Plan
from bench.servers import Server
from kit.load import http
from kit.load.loops import Wrong
from kit.load.org import Org

LOADS = (MANY, HUNDREDS)

CPU, RATIO = "server CPU per message", "CPU by that of an org that does not listen"


async def beside(server: Server, plan: Plan, figures: Figures) -> None:
    side = server.side.name
    async with Org(server, "deaf") as deaf, Org(server, "listens") as listens:
        await listen(listens)
        for org in (deaf, listens):
            await org.connect(plan.phones)
        for load in LOADS:
            ratios = []
            for turn in range(plan.slices):
                cpu = {}
                for org in (deaf, listens) if turn % 2 == 0 else (listens, deaf):
                    tally = await alone(org, load, plan.warm_s, plan.seconds)
                    cpu[org.name] = tally.cpu_us
                for name, value in cpu.items():
                    figures.add(side, Figure("l", f"{load}, {name}", CPU, "µs"), value)
                ratios.append(cpu[listens.name] / cpu[deaf.name])
            figures.add(side, Figure("l", str(load), RATIO, "times"), statistics.median(ratios))
        for org in (deaf, listens):
            await org.check()


async def listen(org: Org) -> None:
    """Has the events of an org recorded from now on."""
    request = http.encode("GET", f"/events/{org.name}", headers=org.headers)
    status, body = await http.ask(org.server.port, request)
    if status != 200:
        raise Wrong(f"/events: {status} {body!r}")
