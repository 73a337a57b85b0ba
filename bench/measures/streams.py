"""(k): an org with many streams of events open, and another org beside it."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable

from bench.figures import Figure, Figures
from bench.plan import Plan
from bench.servers import Server
from kit.load import http, streams
from kit.load.deliveries import Quantiles
from kit.load.loops import Wrong
from kit.load.org import Org

AT_ONCE = 20
"""Streams that are being opened at a time."""

PER_KEY = 200
"""Streams that one credential may have."""

PAUSE_S = 0.02
"""Between the other org's requests."""

MEMORY = "memory per stream"
QUIET, BUSY = "another org alone", "another org beside the streams"
Add = Callable[[str, str, str, float], None]

P50, P99 = "event to stream p50", "event to stream p99"


def case(count: int) -> str:
    return f"{count:,} streams" if count != 1 else "one stream"


async def crowd(server: Server, plan: Plan, figures: Figures) -> None:
    """Measures streams that are open at once, and what others notice of them."""

    def add(at: str, name: str, unit: str, value: float) -> None:
        figures.add(server.side.name, Figure("k", at, name, unit), value)

    count = plan.streams
    async with Org(server, "crowd") as crowded, Org(server, "other") as other:
        keys = [await _key(crowded) for _ in range(-(-count // PER_KEY))]
        arrivals = _Arrivals()
        _answers(add, QUIET, await _requests(other, plan.fair_s))
        wires = [await streams.follow(server.port, crowded.name, keys[0], arrivals.note)]
        try:
            _events(add, case(1), await arrivals.pushes(crowded, 1, plan.stream_events))
            wires.pop().drop()
            await asyncio.sleep(plan.settle_s)
            rss, cpu = server.rss_bytes(), server.cpu_s()
            slots = asyncio.Semaphore(AT_ONCE)

            async def follow(number: int) -> streams.StreamWire:
                async with slots:
                    key = keys[number // PER_KEY]
                    return await streams.follow(server.port, crowded.name, key, arrivals.note)

            begun = time.perf_counter()
            wires += await asyncio.gather(*map(follow, range(count)))
            add(case(count), "time to open all", "s", time.perf_counter() - begun)
            add(case(count), "server CPU per opening", "µs", (server.cpu_s() - cpu) / count * 1e6)
            await asyncio.sleep(plan.settle_s)
            add(case(count), MEMORY, "KB", (server.rss_bytes() - rss) / count / 1000)
            cpu = server.cpu_s()
            _events(add, case(count), await arrivals.pushes(crowded, count, plan.stream_events))
            used = (server.cpu_s() - cpu) / plan.stream_events / count
            add(case(count), "server CPU per event and stream", "µs", used * 1e6)
            pushing = asyncio.ensure_future(arrivals.pushes(crowded, count, 1_000_000))
            _answers(add, BUSY, await _requests(other, plan.fair_s))
            pushing.cancel()
            if lost := sum(wire.lost for wire in wires):
                raise Wrong(f"{lost} of {count} streams were lost")
        finally:
            for wire in wires:
                wire.drop()


class _Arrivals:
    """Times events from the request that causes one to each stream that brings it."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._asked = 0.0
        self._expected = 0
        self._all = asyncio.Event()
        self._dates = itertools.count(1_700_000_000_000)

    def note(self, now: float) -> None:
        """Takes note that a stream has brought an event."""
        self._seconds.append(now - self._asked)
        if len(self._seconds) == self._expected:
            self._all.set()

    async def pushes(self, org: Org, streams_: int, count: int) -> Quantiles:
        """Has an org receive messages, each once all streams have the one before."""
        answers: asyncio.Queue[int] = asyncio.Queue()
        client = http.Client(org.server.port, lambda _, status, __: answers.put_nowait(status))
        self._seconds, self._expected = [], 0
        try:
            for _ in range(count):
                self._all.clear()
                self._expected += streams_
                sms = {"address": "+15553334444", "body": "hello", "date": next(self._dates)}
                self._asked = time.perf_counter()
                client.ask(org.webhook_request([sms]))
                if (status := await answers.get()) != 200:
                    raise Wrong(f"a push was answered {status}")
                await self._all.wait()
        finally:
            client.close()
        return Quantiles.of(self._seconds)


async def _key(org: Org) -> dict[str, str]:
    """Makes an API key that reads. Returns the headers that show it."""
    content = json.dumps({"name": "streams", "scopes": ["read"]}).encode()
    request = http.encode("POST", f"/keys/{org.name}", content, headers=org.headers)
    status, body = await http.ask(org.server.port, request)
    if status != 201:
        raise Wrong(f"/keys: {status} {body!r}")
    return {"Authorization": f"Bearer {json.loads(body)['key']}"}


async def _requests(org: Org, seconds: float) -> Quantiles:
    """One client that reads a page now and then, until the time is over."""
    request = http.encode("GET", f"/messages/{org.name}?limit=1", headers=org.headers)
    caller = http.Caller(lambda: org.server.port)
    took: list[float] = []
    end = time.perf_counter() + seconds
    try:
        while (begun := time.perf_counter()) < end:
            if (await caller.ask(request))[0] != 200:
                raise Wrong("a page was refused")
            took.append(time.perf_counter() - begun)
            await asyncio.sleep(PAUSE_S)
    finally:
        caller.close()
    return Quantiles.of(took)


def _answers(add: Add, at: str, took: Quantiles) -> None:
    add(at, "GET /messages p50", "ms", took.p50)
    add(at, "GET /messages p99", "ms", took.p99)


def _events(add: Add, at: str, took: Quantiles) -> None:
    add(at, P50, "ms", took.p50)
    add(at, P99, "ms", took.p99)
