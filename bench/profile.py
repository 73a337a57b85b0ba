"""What a server spends its time on, seen by py-spy while a load runs."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

RATE = 200
"""Samples a second."""
TOP = 60
LONGEST_S = 600


@asynccontextmanager
async def watched(pid: int, output: Path) -> AsyncIterator[None]:
    """Samples a process meanwhile. `.svg` becomes a flame graph, else rankings, with threads."""
    raw = output if output.suffix == ".svg" else output.with_suffix(".raw")
    spy = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("py-spy")),
        "record",
        "--rate",
        str(RATE),
        "--duration",
        str(LONGEST_S),
        "--nonblocking",
        "--threads",
        "--format",
        "flamegraph" if raw == output else "raw",
        "--output",
        str(raw),
        "--pid",
        str(pid),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)  # at which it writes what it has
        await spy.wait()
    if raw != output:
        await asyncio.to_thread(_rank, raw, output)


def _rank(raw: Path, output: Path) -> None:
    output.write_text(ranked(raw.read_text()))
    raw.unlink()


def ranked(raw: str) -> str:
    """Functions by their own time and by the time under them, from `stack;of;frames count`."""
    own: Counter[str] = Counter()
    under: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            under[frame] += int(count)
    total = max(1, own.total())
    lines = [f"{total} samples"]
    for title, counted in (("own time", own), ("with what it calls", under)):
        lines += ["", title]
        lines += [
            f"{count / total * 100:6.1f} %  {name}" for name, count in counted.most_common(TOP)
        ]
    return "\n".join(lines) + "\n"
