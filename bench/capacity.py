"""Measures how far one machine goes: the same gateway with a small file and with large ones.

    python -m bench.capacity --messages 0 1000000 5000000

For each number of messages a file is filled as a busy gateway fills it in years. Then a gateway
serves it on one core, and 64 clients send from another. Measured are the file, the start, memory,
a page of the newest messages, a search for words, sends a second, a backup beside them, and what
an org of all those messages takes to be exported. The table of docs/scaling.md is this one.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import uvloop

from bench import machine
from bench.dialects import CLIENTS, TO, WARM_S
from bench.servers import Server, phonegate
from kit.inbox import fill
from kit.load import http
from kit.load.deliveries import text
from kit.load.loops import Loops, Wrong
from kit.load.org import Org
from kit.program import ROOT, child_environment, cores, on_core

FULL, SECRET = "full", "full-secret-key"
CONVERSATIONS = 10_000
PAGES = 100
"""Times that each page is read."""

COLUMNS = (
    "messages",
    "file, MB",
    "start, s",
    "memory, MB",
    "newest 100, ms",
    "search, ms",
    "sends/s",
    "answer p99, ms",
    "backup, s",
    "export, s",
)


async def page_ms(server: Server, query: str) -> float:
    """Returns the median time of a page of the full org, in ms."""
    headers = {"X-Secret-Key": SECRET}
    request = http.encode("GET", f"/messages/{FULL}?limit=100{query}", headers=headers)
    taken = []
    for _ in range(PAGES):
        begun = time.perf_counter()
        status, _ = await http.ask(server.port, request, timeout_s=60)
        taken.append(1000 * (time.perf_counter() - begun))
        if status != HTTPStatus.OK:
            raise Wrong(f"a page was answered {status}")
    return statistics.median(taken)


async def sends(server: Server, seconds: float, warm_s: float) -> tuple[float, float]:
    """Returns the sends a second of 64 clients, and the 99th percentile of the answers, in ms."""
    async with Org(server, "bench") as org:
        await org.connect(1)
        target = f"/send/{org.name}"

        def make() -> bytes:
            body = json.dumps({"to": TO, "body": text(org.deliveries.take())}).encode()
            return http.encode("POST", target, body, headers=org.headers)

        def accepted() -> None:
            org.deliveries.accepted += 1

        loops = Loops(server.port, CLIENTS, make, accepted)
        org.deliveries.begin()
        try:
            await loops.run(warm_s)
            loops.answers.clear()
            await loops.run(seconds)
        finally:
            loops.close()
        await org.all_sent()
        await org.check()
        ranked = sorted(loops.answers)
        return len(ranked) / seconds, 1000 * ranked[int(0.99 * len(ranked))]


def command_s(*words: str) -> float:
    """Returns the seconds of one of the owner's commands."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=child_environment(),
    )
    return time.perf_counter() - begun


async def measure(folder: Path, messages: int, seconds: float, warm_s: float = WARM_S) -> list[str]:
    """Returns the cells of a row."""
    database = folder / "capacity.db"
    fill(database, FULL, SECRET, messages=messages, conversations=CONVERSATIONS)
    size = database.stat().st_size
    async with Server(phonegate(), database) as server:
        newest = await page_ms(server, "")
        search = await page_ms(server, "&q=needle")
        rate, p99 = await sends(server, seconds, warm_s)
        memory = server.rss_bytes()
        at = ("--database", str(database))
        backup = command_s("backup", str(folder / "copy.db"), *at)
        export = command_s("org", "export", FULL, str(folder / "full.org"), *at)
    return [
        f"{messages:,}",
        f"{size / 1e6:,.0f}",
        f"{server.started_s:.2f}",
        f"{memory / 1e6:.0f}",
        f"{newest:.2f}",
        f"{search:.2f}",
        f"{rate:,.0f}",
        f"{p99:.0f}",
        f"{backup:.1f}",
        f"{export:.1f}",
    ]


def row(cells: Sequence[str]) -> str:
    """Returns a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.capacity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, nargs="+", default=[0, 1_000_000, 5_000_000])
    parser.add_argument("--seconds", type=float, default=5.0, help="of sending (5)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-bench-") as name, on_core(cores()[1]):
        before = machine.noise(Path(name))
        print(row(COLUMNS))
        print(row(["---"] * len(COLUMNS)))
        for messages in chosen.messages:
            with tempfile.TemporaryDirectory(dir=name) as folder:
                cells = uvloop.run(measure(Path(folder), messages, chosen.seconds))
            print(row(cells), flush=True)
        print(f"\nnoise before: {before}, after: {machine.noise(Path(name))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
