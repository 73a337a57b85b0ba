"""The two programs that are measured, each as a process on the server's core."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import attrs

from bench import machine
from bench.load import http

BATCHED = "baseline, one commit"
"""The side that is no side of the comparison: an extra."""

START_S = 60.0
STOP_S = 30.0
POLL_S = 0.002
ROOT = Path(machine.__file__).parent.parent
"""Where both programs are run: the checkout."""

UNLIMITED: Mapping[str, object] = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "LIMITS_ADDRESS_CONNECTIONS": 0,
    "LIMITS_ADDRESS_HANDSHAKES_PER_S": 0,
    "LIMITS_ORG_REQUESTS_PER_S": 0,
    "LIMITS_PHONE_FRAMES_PER_S": 0,
    "LIMITS_ORG_FRAMES_PER_S": 0,
    "LIMITS_ORG_PHONES": 0,
    "LIMITS_ORG_SIMS": 0,
    "LIMITS_ORG_BYTES_PER_DAY": 0,
    "LIMITS_SELF_MADE_ORG_BYTES_PER_DAY": 0,
}
"""What phonegate is told for the bench: no pacing, since no radio is there to pace, and no limits
for one address and one org, since all load comes from one of each."""


class DidNotStart(Exception):
    """The program ended, or never answered."""


class DidNotStop(Exception):
    """The program had to be killed."""


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
    return Side(
        "phonegate",
        (sys.executable, "-m", "phonegate", "serve"),
        {f"PHONEGATE_{name}": str(value) for name, value in chosen.items()},
    )


def baseline(*, log: bool = True, batched: bool = False) -> Side:
    """The baseline; `batched`, it gives a whole call one commit."""
    options = (*(() if log else ("--no-log",)), *(("--batched",) if batched else ()))
    name = BATCHED if batched else "baseline"
    return Side(name, (sys.executable, "-m", "bench.baseline", *options))


class Server:
    """A side that runs.

    Its log goes to a file beside the database. Both sides write a line for each request, as
    servers of this kind usually do, so that neither has an advantage.
    """

    def __init__(
        self, side: Side, database: Path, *, preload: Path | None = None, core: int | None = None
    ) -> None:
        self.side = side
        self.database = database
        self.port = _free_port()
        self.log = database.with_suffix(".log")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PHONEGATE_")
        }
        environment.update(side.environment)
        if preload is not None:
            environment["LD_PRELOAD"] = str(preload)
        self.begun = time.monotonic()
        with (
            self.log.open("wb") as log,
            machine.on_core(machine.cores()[0] if core is None else core),
        ):
            self.process = subprocess.Popen(
                side.arguments(self.port, database),
                stdout=log,
                stderr=log,
                env=environment,
                cwd=ROOT,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    async def __aenter__(self) -> Self:
        try:
            await self._answering()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    async def _answering(self) -> None:
        request = http.encode("GET", "/health")
        while time.monotonic() < self.begun + START_S:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(http.AnswerLost, TimeoutError):
                status, _ = await http.ask(self.port, request, timeout_s=5)
                if status == 200:
                    self.started_s = time.monotonic() - self.begun
                    return
            await asyncio.sleep(POLL_S)
        raise DidNotStart(f"{self.side.name}:\n{self.log.read_text()[-4_000:]}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise DidNotStop(f"{self.side.name} went on for {STOP_S:.0f} s") from None

    def cpu_s(self) -> float:
        return machine.cpu_s(self.pid)

    def rss_bytes(self) -> int:
        return machine.rss_bytes(self.pid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((http.HOST, 0))
        port: int = probe.getsockname()[1]
        return port
