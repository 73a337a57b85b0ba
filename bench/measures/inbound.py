"""(c): received SMS, by `/webhook` and over the phone link, until they are committed."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from bench.figures import Figure, Figures
from bench.measures.turns import in_turns
from bench.plan import Plan
from bench.servers import FAULTS, Server
from kit.load.deliveries import Quantiles, text
from kit.load.loops import Loops, Wrong
from kit.load.org import PAGE, SETTLE_S, Org
from kit.load.phones import PhoneWire, frame
from kit.program import Program

CLIENTS = 64
BURST = 50
"""Frames that a phone writes before it looks whether the server still reads."""

POLL_S = 0.01
"""Between looks whether all are stored: short beside a turn, and cheap beside its frames."""

RATE = "messages/s"
CPU = "server CPU per message"
WEBHOOK_CASE = f"/webhook, {CLIENTS} clients"
LINK_CASE = "phone link"
HELLO_CASE = "phone link, acknowledged"


@attrs.define
class Tally:
    """What all turns of one kind did."""

    messages: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    answers: list[float] = attrs.field(factory=list)
    """In seconds, of `/webhook`."""

    @contextlib.contextmanager
    def timed(self, server: Program) -> Iterator[None]:
        """Adds the time of the body, and the server's processor time meanwhile."""
        cpu, begun = server.cpu_s(), time.perf_counter()
        yield
        self.seconds += time.perf_counter() - begun
        self.cpu_s += server.cpu_s() - cpu


@attrs.frozen
class Sender:
    """One org, as one that receives by its phones and by `/webhook`."""

    org: Org
    plan: Plan
    numbers: Iterator[int] = attrs.field(factory=itertools.count)
    """Of its messages."""

    @property
    def _share(self) -> int:
        """How many frames are written in a turn."""
        return max(1, self.plan.inbound // self.plan.turns)

    async def by_webhook(self, tally: Tally, *, warm: bool) -> None:
        before = await _newest(self.org)
        port = self.org.server.port
        with contextlib.closing(Loops(port, CLIENTS, self._request, lambda: None)) as loops:
            with tally.timed(self.org.server):
                await loops.run(self.plan.warm_s if warm else self.plan.seconds)
            tally.answers += loops.answers
        tally.messages += len(loops.answers)
        await _check(self.org, before, len(loops.answers))

    def _request(self) -> bytes:
        return self.org.webhook_request([_message(next(self.numbers))])

    async def by_link(self, tally: Tally, *, warm: bool) -> None:
        """Writes as fast as the server reads, until all are in its list of messages."""
        count = self._share // 4 if warm else self._share
        before = await _newest(self.org)
        shares = _shares(count, len(self.org.phones))
        async with asyncio.timeout(SETTLE_S):
            with tally.timed(self.org.server):
                pairs = zip(self.org.phones, shares, strict=True)
                await asyncio.gather(*(self._write(*pair) for pair in pairs))
                # Ids ascend by one: nothing else is stored meanwhile.
                while await _newest(self.org) < before + count:  # noqa: ASYNC110 - only the server knows
                    await asyncio.sleep(POLL_S)
        tally.messages += count
        await _check(self.org, before, count)

    async def _write(self, phone: PhoneWire, share: int) -> None:
        while share > 0:
            size = min(BURST, share)
            phone.write(b"".join(_frame(_message(next(self.numbers))) for _ in range(size)))
            share -= size
            await phone.drained()

    async def acknowledged(self, tally: Tally, *, warm: bool) -> None:
        """As `by_link`, over when each frame has its `inbound_ack`."""
        count = self._share // 4 if warm else self._share
        acked: set[str] = set()
        all_acked = asyncio.Event()

        def heard(value: dict[str, Any]) -> None:
            if value["type"] == "inbound_ack":
                acked.update(value["ids"])
                if len(acked) == count:
                    all_acked.set()

        for phone in self.org.phones:
            phone.on_other = heard
        before = await _newest(self.org)
        async with asyncio.timeout(SETTLE_S):
            with tally.timed(self.org.server):
                shares = _shares(count, len(self.org.phones))
                for phone, share in zip(self.org.phones, shares, strict=True):
                    for number in itertools.islice(self.numbers, share):
                        phone.write(_frame({**_message(number), "id": str(number)}))
                await all_acked.wait()
        tally.messages += count
        await _check(self.org, before, count)


Receive = Callable[..., Awaitable[None]]


async def received(servers: Sequence[Server], plan: Plan, figures: Figures) -> None:
    """Lets all servers take turns: first by `/webhook`, then over the phone link."""
    async with contextlib.AsyncExitStack() as stack:
        for acks in (False, True):
            able = [server for server in servers if server.side.is_phonegate or not acks]
            senders: dict[str, Sender] = {}
            for server in able:
                side = server.side.name
                with figures.faults_of(side, "c", FAULTS):
                    named = Org(server, "hello" if acks else "bench")
                    org = await stack.enter_async_context(named)
                    await org.connect(plan.phones, acks=acks)
                    senders[side] = Sender(org, plan)
            if acks:
                await _compare(HELLO_CASE, Sender.acknowledged, senders, figures)
            else:
                await _compare(WEBHOOK_CASE, Sender.by_webhook, senders, figures)
                await _compare(LINK_CASE, Sender.by_link, senders, figures)


async def _compare(
    case: str, receive: Receive, senders: Mapping[str, Sender], figures: Figures
) -> None:
    if not senders:
        return
    tallies = {side: Tally() for side in senders}

    async def turn(side: str, *, warm: bool) -> None:
        await receive(senders[side], Tally() if warm else tallies[side], warm=warm)

    turns = next(iter(senders.values())).plan.turns
    for side in await in_turns(
        "c", {side: partial(turn, side) for side in senders}, turns, figures
    ):
        tally = tallies[side]
        figures.add(side, Figure("c", case, RATE, "/s"), tally.messages / tally.seconds)
        figures.add(side, Figure("c", case, CPU, "µs"), tally.cpu_s / tally.messages * 1e6)
        if tally.answers:
            quantiles = Quantiles.of(tally.answers)
            figures.add(side, Figure("c", case, "answer p50", "ms"), quantiles.p50)
            figures.add(side, Figure("c", case, "answer p99", "ms"), quantiles.p99)


def _message(number: int) -> dict[str, Any]:
    return {
        "address": f"+1555{number % 997:07d}",
        "body": text(number),
        "date": 1_700_000_000_000 + number,
        "sim_slot": 0,
    }


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
