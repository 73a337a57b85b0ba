"""Times a webhook that works, and sends of its org, beside webhooks that hang or refuse.

    python -m bench.webhooks --seconds 5

One org has a phone and a client that sends now and then. Measured are the time from the API's
acceptance to the phone, and from an event to its receiver: without webhooks, with one that works,
and with 100 more whose receivers hang, or refuse each connection. All get all events of the org.
The server runs on one core, everything else on another.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import attrs
import uvloop

from bench.measures.fairness import PAUSE_S
from bench.servers import Server, phonegate
from kit.gateway import UNLIMITED
from kit.load import http
from kit.load.deliveries import Quantiles
from kit.load.http import Client
from kit.load.loops import Wrong
from kit.load.org import Org
from kit.program import cores, on_core

DEAD = 100
"""Webhooks that hang or refuse."""

ORG_WEBHOOKS = DEAD + 1
SETTLE_S = 2.0
"""After webhooks are made, and for events that are still on their way."""


@attrs.define
class Receiver:
    """Answers each call at once, and notes how old its event is."""

    delays: list[float] = attrs.field(factory=list)
    """In seconds."""
    port: int = 0
    hanging: int = 0
    """Calls that are kept waiting."""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                (length,) = [
                    int(line.partition(":")[2])
                    for line in head.split("\r\n")
                    if line.startswith("content-length:")
                ]
                event = json.loads(await reader.readexactly(length))
                if head.startswith("post /hang"):
                    self.hanging += 1
                    try:
                        await reader.read()
                    finally:
                        self.hanging -= 1
                    return
                created = datetime.fromisoformat(event["created_at"]).timestamp()
                self.delays.append(time.time() - created)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


async def add_webhooks(org: Org, url: str, count: int) -> None:
    body = json.dumps({"url": url, "events": ["*"]}).encode()
    request = http.encode("POST", f"/webhooks/{org.name}", body, headers=org.headers)
    for _ in range(count):
        status, answer = await http.ask(org.server.port, request)
        if status != 201:
            raise Wrong(f"/webhooks: {status} {answer!r}")


async def sends(org: Org, seconds: float) -> tuple[Quantiles, int]:
    """One client that sends now and then. Returns the times until the phone had it."""
    org.deliveries.begin()
    answers: asyncio.Queue[int] = asyncio.Queue()
    client = Client(org.server.port, lambda _, status, __: answers.put_nowait(status))
    end, count = time.perf_counter() + seconds, 0
    try:
        while time.perf_counter() < end:
            client.ask(org.send_request([(org.deliveries.take(), org.phones[0].number)]))
            if (status := await answers.get()) != 200:
                raise Wrong(f"a send was answered {status}")
            count += 1
            org.deliveries.accepted += 1
            await org.deliveries.all_arrived()
            await asyncio.sleep(PAUSE_S)
    finally:
        client.close()
    await org.all_sent()
    return Quantiles.of(org.deliveries.latencies), count


CASES = ("none", "one", "hanging", "refusing")


async def measure(
    folder: Path, seconds: float, cases: Sequence[str] = CASES, settle_s: float = SETTLE_S
) -> list[str]:
    """Returns the lines of a table."""
    lines = ["| case | API to phone p50 / p99, ms | event to receiver p50 / p99, ms | events |"]
    lines.append("| --- | --- | --- | --- |")
    settings = {**UNLIMITED, "WEBHOOKS_ALLOW": "127.0.0.0/8", "LIMITS_ORG_WEBHOOKS": ORG_WEBHOOKS}
    for case in cases:
        receiver = Receiver()
        side = phonegate(settings=settings)
        async with (
            receiver.serving(),
            Server(side, folder / f"{case}.db") as server,
            Org(server, "bench") as org,
        ):
            await org.connect(1)
            base = f"http://127.0.0.1:{receiver.port}"
            if case != "none":
                await add_webhooks(org, f"{base}/hook", 1)
            if case == "hanging":
                await add_webhooks(org, f"{base}/hang", DEAD)
            if case == "refusing":
                await add_webhooks(org, "http://127.0.0.1:1/", DEAD)
            await sends(org, settle_s)
            receiver.delays.clear()
            push, count = await sends(org, seconds)
            await asyncio.sleep(settle_s)
            hook = Quantiles.of(receiver.delays) if receiver.delays else None
            shown = "-" if hook is None else f"{hook.p50:.1f} / {hook.p99:.1f}"
            lines.append(
                f"| {case} | {push.p50:.1f} / {push.p99:.1f} | {shown} |"
                f" {len(receiver.delays)} of {count} sends |"
            )
            print(lines[-1], file=sys.stderr)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.webhooks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each case (5)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-bench-") as folder, on_core(cores()[1]):
        for line in uvloop.run(measure(Path(folder), chosen.seconds)):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
