"""The programs that are measured, each as a process of its own."""

import asyncio
import contextlib
import io
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import attrs

from bench.figures import BARE, BEFORE, FULLER, FULLER_BATCHED, OURS
from kit.gateway import UNLIMITED, environment
from kit.load import http
from kit.load.loops import Wrong
from kit.load.phones import Refused
from kit.program import PATIENCE_S, ROOT, DidNotStart, DidNotStop, Program, cores

FAULTS = (Wrong, DidNotStart, DidNotStop, http.AnswerLost, Refused, TimeoutError, OSError)
"""What costs a side its figures of one measure in one round, and not the run."""

POLL_S = 0.002


@attrs.frozen
class Side:
    """One of those that are compared."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(factory=dict)
    folder: Path = ROOT
    """Where its program lies."""

    @property
    def is_phonegate(self) -> bool:
        return self.name in {OURS, BEFORE}

    def arguments(self, port: int, database: Path) -> list[str]:
        if self.is_phonegate:
            bind = ("--bind", f"127.0.0.1:{port}", "--database", str(database))
        else:
            bind = ("--port", str(port), "--database", str(database))
        return [*self.command, *bind]


def phonegate(*, log: bool = False, settings: Mapping[str, object] = UNLIMITED) -> Side:
    chosen = {
        "LOG_FORMAT": "json",
        **({"LOG_REQUESTS": "all"} if log else {}),
        **settings,
    }
    command = (sys.executable, "-m", "phonegate", "serve")
    return Side(OURS, command, environment(chosen))


def before(revision: str, folder: Path, *, log: bool = False) -> Side:
    """Makes phonegate as it was at a revision, whose whole tree is put into `folder`.

    Raises:
        subprocess.CalledProcessError: Git knows no such revision.
    """
    packed = subprocess.run(
        ["git", "archive", revision], check=True, capture_output=True, cwd=ROOT
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        tree.extractall(folder, filter="data")
    return attrs.evolve(phonegate(log=log), name=BEFORE, folder=folder)


def bare() -> Side:
    return Side(BARE, (sys.executable, "-m", "bench.bare"))


def fuller(*, log: bool = False, batched: bool = False) -> Side:
    """Makes the fuller baseline. If `batched`, it gives a whole call one commit."""
    options = (*(() if log else ("--no-log",)), *(("--batched",) if batched else ()))
    name = FULLER_BATCHED if batched else FULLER
    return Side(name, (sys.executable, "-m", "bench.fuller", *options))


class Server(Program):
    """A side that runs: on the server's core if `pinned`, else wherever the bench runs.

    Its log goes to a file beside the database. By phonegate's default settings it has no line of
    a request that was answered, and the baselines write none either.
    """

    def __init__(
        self, side: Side, database: Path, *, preload: Path | None = None, pinned: bool = True
    ) -> None:
        self.side = side
        self.database = database
        port = _free_port()
        super().__init__(
            side.arguments(port, database),
            folder=side.folder,
            environment={
                **side.environment,
                # Starts are measured with compiled modules, as they are installed.
                "PYTHONDONTWRITEBYTECODE": "",
                **({} if preload is None else {"LD_PRELOAD": str(preload)}),
            },
            log=database.with_suffix(".log"),
            core=cores()[0] if pinned else None,
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
        while time.monotonic() < self.begun + PATIENCE_S:
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
