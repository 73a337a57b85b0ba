"""The two programs that are measured, each as a process on the server's core."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import attrs

from kit.gateway import UNLIMITED, environment
from kit.load import http
from kit.program import ROOT, START_DEADLINE_S, DidNotStart, Program, cores

BATCHED = "baseline, one commit"
"""The side that is no side of the comparison: an extra."""

POLL_S = 0.002


@attrs.frozen
class Side:
    """One of those that are compared."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(factory=dict)

    def arguments(self, port: int, database: Path) -> list[str]:
        if self.name == "phonegate":
            bind = ("--bind", f"127.0.0.1:{port}", "--database", str(database))
        else:
            bind = ("--port", str(port), "--database", str(database))
        return [*self.command, *bind]


def phonegate(*, log: bool = True, settings: Mapping[str, object] = UNLIMITED) -> Side:
    chosen = {
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "info" if log else "warning",
        "LOG_REQUESTS": "all",
        **settings,
    }
    command = (sys.executable, "-m", "phonegate", "serve")
    return Side("phonegate", command, environment(chosen))


def baseline(*, log: bool = True, batched: bool = False) -> Side:
    """Makes the baseline. If `batched`, it gives a whole call one commit."""
    options = (*(() if log else ("--no-log",)), *(("--batched",) if batched else ()))
    name = BATCHED if batched else "baseline"
    return Side(name, (sys.executable, "-m", "bench.baseline", *options))


class Server(Program):
    """A side that runs, on the server's core unless another is given.

    Its log goes to a file beside the database. Both sides write a line for each request, as
    servers of this kind usually do, so that neither has an advantage.
    """

    def __init__(
        self, side: Side, database: Path, *, preload: Path | None = None, core: int | None = None
    ) -> None:
        self.side = side
        self.database = database
        port = _free_port()
        super().__init__(
            side.arguments(port, database),
            folder=ROOT,
            environment={
                **side.environment,
                **({} if preload is None else {"LD_PRELOAD": str(preload)}),
            },
            log=database.with_suffix(".log"),
            core=cores()[0] if core is None else core,
        )
        self.port = port

    async def __aenter__(self) -> Self:
        try:
            await self._answering()
        except BaseException:
            self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    async def _answering(self) -> None:
        request = http.encode("GET", "/health")
        while time.monotonic() < self.begun + START_DEADLINE_S:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(http.AnswerLost, TimeoutError):
                status, _ = await http.ask(self.port, request, timeout_s=5)
                if status == 200:
                    self.started_s = time.monotonic() - self.begun
                    return
            await asyncio.sleep(POLL_S)
        raise DidNotStart(f"{self.side.name}:\n" + "\n".join(self.log[-40:]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((http.HOST, 0))
        port: int = probe.getsockname()[1]
        return port
