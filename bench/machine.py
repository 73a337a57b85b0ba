"""The machine: its facts, its noise, and where processes run on it."""

import os
import platform
import sqlite3
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path

import attrs

from kit.program import PAGE_BYTES, cores, on_core

PACKAGES = (
    "phonegate",
    "trio",
    "hypercorn",
    "quart",
    "trio-websocket",
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "aiosqlite",
    "pydantic",
)

LOOP = 2_000_000
"""Turns of the calibrating loop: some 50 ms."""
FLUSHES = 50
BLOCK = bytes(4_096)


@attrs.frozen
class Noise:
    """How the machine is doing just now."""

    loop_ms: tuple[float, float]
    """The same fixed work on the server's core and on the load's."""
    flush_ms: tuple[float, float]
    """p50 and p99 of flushing 4 KiB."""


def noise(folder: Path) -> Noise:
    server, load = cores()
    return Noise((_loop_ms(server), _loop_ms(load)), flush_ms(folder))


def _loop_ms(core: int) -> float:
    with on_core(core):
        tries = []
        for _ in range(3):
            begun = time.perf_counter()
            for _ in range(LOOP):
                pass
            tries.append((time.perf_counter() - begun) * 1000)
        return statistics.median(tries)


def flush_ms(folder: Path) -> tuple[float, float]:
    """p50 and p99 of appending 4 KiB and flushing it, in milliseconds."""
    path = folder / "flush"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            file.write(BLOCK)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    path.unlink()
    taken.sort()
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


def facts(folder: Path) -> dict[str, str]:
    """Returns what a reader needs to know of the machine."""
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * PAGE_BYTES / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder),
        "Python": sys.version.split()[0],
        "SQLite": sqlite3.sqlite_version,
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    best = ("", "?")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]
