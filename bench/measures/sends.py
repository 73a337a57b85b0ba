"""(a), (b), (h): sends end to end, from the request to `sent` in the store."""

import contextlib
import time
from array import array
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from bench.figures import BEFORE, OURS, Figure, Figures
from bench.measures.turns import Turn, in_turns
from bench.plan import Plan
from bench.servers import FAULTS, Server
from kit.load.deliveries import Quantiles
from kit.load.loops import Loops
from kit.load.org import Org
from kit.load.orgs import Orgs
from kit.program import Program

RATE = "messages/s"
P50, P99 = "API to phone p50", "API to phone p99"
ANSWER_P50, ANSWER_P99 = "answer p50", "answer p99"
CPU = "server CPU per message"
OTHER_CPU = "of it outside the event loop's thread"
PAIRED = "CPU by before's, turn by turn"
LOAD = "load's share of its core"


@attrs.frozen(kw_only=True)
class Shape:
    """Who sends, and where the server runs."""

    one_org: bool = False
    """Whether one org has all the phones, rather than one phone each of the plan's orgs."""
    acks: bool = False
    """Whether the phones acknowledge, which the baselines don't know."""
    pinned: bool = True

    def __str__(self) -> str:
        shown = ", one org" if self.one_org else ""
        shown += ", phones that ack" if self.acks else ""
        return shown + (", one core" if self.pinned else ", both cores")

    def of(self, server: Program, plan: Plan, name: str) -> Orgs:
        """Returns its orgs on a server. They have a name of their own for each shape."""
        count, phones = (1, plan.phones) if self.one_org else (plan.orgs, 1)
        name = f"{name}-{'one' if self.one_org else 'many'}-{'ack' if self.acks else 'plain'}"
        return Orgs(server, count, phones, name=name, acks=self.acks)


@attrs.frozen
class Load:
    """So many clients, each with a request of so many messages under way."""

    clients: int
    batch: int = 1

    def __str__(self) -> str:
        if self.batch > 1:
            return f"batches of {self.batch}"
        return "1 client" if self.clients == 1 else f"{self.clients} clients"


def case(load: Load, shape: Shape) -> str:
    return f"{load}{shape}"


PINNED, FREE = Shape(), Shape(pinned=False)
ONE, MANY, CROWD = Load(1), Load(64), Load(256)
HUNDREDS, LARGEST = Load(8, 100), Load(4, 500)
"""Some 1,000 to 2,000 messages under way."""
ALONE_LONGER = 3
"""How many times as long a turn of one client is. To read at its end that all is stored takes some
40 ms, a part of the few messages' time that counts."""


@attrs.define(kw_only=True)
class Tally:
    """What the loads of one kind did, all turns together."""

    messages: int = 0
    seconds: float = 0.0
    """From each first request to its last message stored as sent."""
    pushes: "array[float]" = attrs.field(factory=lambda: array("d"))
    answers: "array[float]" = attrs.field(factory=lambda: array("d"))
    cpu_s: float = 0.0
    loop_cpu_s: float = 0.0
    cpus_us: list[float] = attrs.field(factory=list)
    """Of the server, for each message, turn by turn."""
    load_s: float = 0.0
    """Of the load's own processor time."""

    @property
    def cpu_us(self) -> float:
        """Of the server, for each message."""
        return self.cpu_s / self.messages * 1e6


async def turn(source: Org | Orgs, loops: Loops, seconds: float, tally: Tally) -> None:
    """Sends for a while, and adds what came of it."""
    server = source.server
    source.deliveries.begin()
    cpu, loop_cpu, own = server.cpu_s(), server.loop_cpu_s(), time.process_time()
    begun = time.perf_counter()
    await loops.run(seconds)
    await source.all_sent()
    tally.seconds += time.perf_counter() - begun
    cpu = server.cpu_s() - cpu
    tally.cpu_s += cpu
    tally.cpus_us.append(cpu / source.deliveries.begun * 1e6)
    tally.loop_cpu_s += server.loop_cpu_s() - loop_cpu
    tally.load_s += time.process_time() - own
    tally.messages += source.deliveries.begun
    tally.pushes.extend(source.deliveries.latencies)
    tally.answers.extend(loops.answers)


def senders(source: Org | Orgs, load: Load) -> Loops:
    """Clients that send to the phones in turns."""

    def accepted() -> None:
        source.deliveries.accepted += load.batch

    return Loops(
        source.server.port, load.clients, lambda: source.next_request(load.batch), accepted
    )


async def alone(source: Org | Orgs, load: Load, warm_s: float, seconds: float) -> Tally:
    """Warms up, then measures."""
    with contextlib.closing(senders(source, load)) as loops:
        await turn(source, loops, warm_s, Tally())
        tally = Tally()
        await turn(source, loops, seconds, tally)
    return tally


def record(figures: Figures, side: str, letter: str, at: str, tally: Tally) -> None:
    def add(name: str, unit: str, value: float) -> None:
        figures.add(side, Figure(letter, at, name, unit), value)

    push, answer = Quantiles.of(tally.pushes), Quantiles.of(tally.answers)
    add(RATE, "/s", tally.messages / tally.seconds)
    add(P50, "ms", push.p50)
    add(P99, "ms", push.p99)
    add(ANSWER_P50, "ms", answer.p50)
    add(ANSWER_P99, "ms", answer.p99)
    add(CPU, "µs", tally.cpu_us)
    add(OTHER_CPU, "µs", (tally.cpu_s - tally.loop_cpu_s) / tally.messages * 1e6)
    add(LOAD, "%", tally.load_s / tally.seconds * 100)


async def compare(
    letter: str,
    servers: Sequence[Server],
    shape: Shape,
    loads: Sequence[Load],
    *,
    plan: Plan,
    figures: Figures,
) -> None:
    """Lets all servers take turns with each load."""
    async with contextlib.AsyncExitStack() as stack:
        crowds: dict[str, Orgs] = {}
        for server in servers:
            with figures.faults_of(server.side.name, letter, FAULTS):
                orgs = await stack.enter_async_context(shape.of(server, plan, letter))
                crowds[server.side.name] = orgs
        for load in loads:
            tallies = await _turns(letter, crowds, load, plan, figures)
            shown = case(load, shape)
            for side, tally in tallies.items():
                record(figures, side, letter, shown, tally)
            if {OURS, BEFORE} <= set(tallies):
                paired = Figure(letter, shown, PAIRED, "times")
                pairs = zip(tallies[OURS].cpus_us, tallies[BEFORE].cpus_us, strict=True)
                for ours, before in pairs:
                    figures.add(OURS, paired, ours / before)
            crowds = {side: crowds[side] for side in tallies}
        for side, orgs in crowds.items():
            with figures.faults_of(side, letter, FAULTS):
                await orgs.check()


async def _turns(
    letter: str, crowds: Mapping[str, Orgs], load: Load, plan: Plan, figures: Figures
) -> dict[str, Tally]:
    """Returns what those that did not fail have done."""
    with contextlib.ExitStack() as stack:
        tallies: dict[str, Tally] = {}
        work: dict[str, Turn] = {}
        for side, orgs in crowds.items():
            loops = stack.enter_context(contextlib.closing(senders(orgs, load)))
            tallies[side] = Tally()
            work[side] = partial(_send, orgs, loops, plan, tallies[side])
        able = await in_turns(letter, work, plan.turns, figures)
    return {side: tally for side, tally in tallies.items() if side in able}


async def _send(orgs: Orgs, loops: Loops, plan: Plan, tally: Tally, *, warm: bool) -> None:
    seconds = plan.seconds * (ALONE_LONGER if loops.clients == 1 else 1)
    await turn(orgs, loops, plan.warm_s if warm else seconds, Tally() if warm else tally)
