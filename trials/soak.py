"""Lets a gateway live through a busy day in short, and checks that nothing of it grows.

    python -m trials.soak --minutes 30

Sends, received SMS, readers, phones that come and go, and guesses of secrets, all at a steady
pace. Every ten seconds the gateway's memory, tasks, threads, descriptors and write-ahead log are
noted. Exits 1 when one of them has grown from the first half of the time to the second by more
than it may, when the gateway wrote an error to its log, or when a message was lost.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import attrs
import uvloop

from kit.gateway import UNLIMITED, GatewayProcess
from kit.load import http, phones
from kit.load.loops import Wrong
from kit.load.org import Org
from kit.program import cores, on_core

SAMPLE_S = 10.0
SAMPLES = 30
"""At least so many, where the soak is too short for them at that pace."""

STEADY_PHONES = 20
FLAPPING_PHONES = 20
SENDS_A_SECOND = 40
INBOUND_A_SECOND = 20
READS_A_SECOND = 10
GUESSES_A_SECOND = 1
FLAP_S = 3.0
"""Longest stay of a phone that comes and goes, and its longest absence."""

HISTORY_A_SECOND = 100
HISTORY = 60_000
"""Messages that are there before, for each second of the soak and at most: a file larger than all
caches of pages, which would else fill for an hour and look like a leak."""
PAGES_AT_ONCE = 4

WARM_SHARE = 0.2
"""Of the time, at the beginning: caches fill, threads start."""

SETTLE_S = 60.0


@attrs.frozen
class Snapshot:
    """The gateway at one moment."""

    at_s: float
    rss_mb: float
    tasks: int
    threads: int
    descriptors: int
    wal_mb: float
    messages: int


@attrs.frozen
class Bound:
    """How much a figure's median may grow from the first half to the second."""

    share: float
    slack: float


BOUNDS = {
    # A growing file has a growing index of its own; a leak of a kilobyte a message is 100 MB.
    "rss_mb": Bound(0.05, 3),
    "tasks": Bound(0.05, 10),
    "threads": Bound(0.05, 4),
    "descriptors": Bound(0.05, 10),
    "wal_mb": Bound(0.05, 8),
}


class Day:
    """The mix of what happens to one gateway."""

    def __init__(self, org: Org, coming: Org, seconds: float, chance: random.Random) -> None:
        self.failures: list[str] = []
        self._org = org
        self._coming = coming
        self._chance = chance
        self._end = time.monotonic() + seconds
        self._turns = itertools.count()
        self.messages = 0
        """Sent and received."""

    async def live(self) -> None:
        """Does all of it until the time is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._steadily(SENDS_A_SECOND, self._send))
            group.create_task(self._steadily(INBOUND_A_SECOND, self._receive))
            group.create_task(self._steadily(READS_A_SECOND, self._read))
            group.create_task(self._steadily(GUESSES_A_SECOND, self._guess))
            for phone in range(FLAPPING_PHONES):
                group.create_task(self._flap(phone))

    async def _steadily(self, a_second: float, act: Callable[[], Awaitable[None]]) -> None:
        """Acts so often, later where the gateway is slow, and never twice at the same time."""
        due = time.monotonic()
        while (now := time.monotonic()) < self._end:
            try:
                await act()
            except (Wrong, http.AnswerLost, TimeoutError) as error:
                self.failures.append(f"{act.__name__}: {error!r}")
            due = max(due + 1 / a_second, now)
            await asyncio.sleep(due - time.monotonic())

    async def _send(self) -> None:
        org = self._org
        phone = self._chance.choice(org.phones)
        status, body = await http.ask(
            org.server.port, org.send_request([(org.deliveries.take(), phone.number)])
        )
        if status != 200:
            raise Wrong(f"a send was answered {status}: {body[:200]!r}")
        org.deliveries.accepted += 1
        self.messages += 1

    async def _receive(self) -> None:
        number = next(self._turns)
        message = {"address": "+15557654321", "body": f"soak {number}", "date": number}
        if number % 2:
            await self._org.webhook([message])
        else:
            frame = {"type": "inbound", "message": message}
            phone = self._chance.choice(self._org.phones)
            phone.write(phones.frame(json.dumps(frame).encode()))
        self.messages += 1

    async def _read(self) -> None:
        await self._org.page(self._chance.choice(["limit=100", "since_id=1", "direction=in"]))

    async def _guess(self) -> None:
        """A wrong secret, from an address that is slowed down for it."""
        headers = {"X-Secret-Key": f"wrong-secret-{next(self._turns)}"}
        target = f"/messages/{self._org.name}"
        status, _ = await http.ask(
            self._org.server.port, http.encode("GET", target, headers=headers)
        )
        if status not in {401, 429}:
            raise Wrong(f"a wrong secret was answered {status}")

    async def _flap(self, phone: int) -> None:
        """A phone that comes, gets a message or not, and is gone, politely or not."""
        org = self._coming
        while time.monotonic() < self._end:
            try:
                wire = await phones.connect(
                    org.server.port,
                    org=org.name,
                    secret=org.secret,
                    device=org.device(phone),
                    number=org.number(phone),
                    on_push=lambda *_: None,
                    acks=bool(phone % 2),
                )
            except (phones.Refused, TimeoutError, OSError) as error:
                self.failures.append(f"a phone could not connect: {error!r}")
                await asyncio.sleep(1)
                continue
            await asyncio.sleep(self._chance.uniform(0, FLAP_S))
            if phone % 3:
                wire.drop()
            else:
                wire.abort()
            await asyncio.sleep(self._chance.uniform(0, FLAP_S))


async def history(org: Org, messages: int) -> None:
    """Stores what came on earlier days, and reads all of it, as often as there are readers."""
    for first in range(0, messages, 500):
        days = range(first, min(first + 500, messages))
        await org.webhook(
            [{"address": "+15551239876", "body": f"earlier {n} " * 8, "date": n} for n in days]
        )

    async def read() -> None:
        since = 0
        while page := await org.page(f"limit=1000&since_id={since}"):
            since = page[-1]["id"]

    async with asyncio.TaskGroup() as readers:
        for _ in range(PAGES_AT_ONCE):
            readers.create_task(read())


async def observe(
    gateway: GatewayProcess, day: Day, every_s: float, samples: list[Snapshot]
) -> None:
    """Notes the gateway's state until it is cancelled."""
    begun = time.monotonic()
    while True:
        samples.append(await asyncio.to_thread(_sample, gateway, day, time.monotonic() - begun))
        _show(samples[-1])
        await asyncio.sleep(every_s)


def _sample(gateway: GatewayProcess, day: Day, at_s: float) -> Snapshot:
    wal = gateway.database.with_name(gateway.database.name + "-wal")
    status = gateway.status()
    return Snapshot(
        at_s=at_s,
        rss_mb=gateway.rss_bytes() / 1e6,
        tasks=status["tasks"],
        threads=gateway.threads(),
        descriptors=gateway.descriptors(),
        wal_mb=wal.stat().st_size / 1e6 if wal.exists() else 0.0,
        messages=day.messages,
    )


def _show(sample: Snapshot) -> None:
    print(
        f"{sample.at_s:8.0f} s {sample.rss_mb:8.1f} MB {sample.tasks:6} tasks"
        f" {sample.threads:4} threads {sample.descriptors:6} descriptors"
        f" {sample.wal_mb:7.2f} MB WAL {sample.messages:9} messages",
        flush=True,
    )


def grown(samples: Sequence[Snapshot]) -> list[str]:
    """Returns what grew more than it may, between the two halves after the warming up."""
    steady = samples[int(len(samples) * WARM_SHARE) :]
    if len(steady) < 4:
        return ["too few samples to tell"]
    first, second = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    faults = []
    for name, bound in BOUNDS.items():
        before = statistics.median(getattr(sample, name) for sample in first)
        after = statistics.median(getattr(sample, name) for sample in second)
        if after > before * (1 + bound.share) + bound.slack:
            faults.append(f"{name} grew from {before:.1f} to {after:.1f}")
    return faults


async def soak(folder: Path, seconds: float, seed: int) -> tuple[list[str], list[Snapshot]]:
    """Runs the day. Returns what went wrong, and what was noted."""
    every_s = min(SAMPLE_S, seconds / SAMPLES)
    samples: list[Snapshot] = []
    settings = {**UNLIMITED, "LOG_REQUESTS": "errors"}
    with GatewayProcess(folder / "soak.db", settings=settings, core=cores()[0]) as gateway:
        async with Org(gateway, "steady") as org, Org(gateway, "coming") as coming:
            await org.connect(STEADY_PHONES)
            await history(org, min(HISTORY, int(seconds * HISTORY_A_SECOND)))
            day = Day(org, coming, seconds, random.Random(seed))
            observing = asyncio.create_task(observe(gateway, day, every_s, samples))
            try:
                await day.live()
            finally:
                observing.cancel()
            faults = day.failures[:10]
            try:
                async with asyncio.timeout(SETTLE_S):
                    await org.all_sent()
                await org.check()
            except (Wrong, TimeoutError) as error:
                faults.append(f"messages: {error!r}")
    faults += [line for line in gateway.log if '"error"' in line][:10]
    return faults, samples


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m trials.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=30, help="how long (30)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (1)")
    chosen = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="phonegate-soak-") as folder,
        on_core(cores()[1]),
    ):
        faults, samples = uvloop.run(soak(Path(folder), chosen.minutes * 60, chosen.seed))
    faults += grown(samples)
    for fault in faults:
        print("FAULT:", fault)
    print("flat" if not faults else "not flat")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
