"""A trial that kills the gateway again and again in the midst of its load."""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from kit.gateway import GatewayProcess
from kit.ledger import BrokenPromise, Ledger
from kit.load import http

PAUSE_S = 0.05
"""Of a client that was refused, or had no answer."""
ANSWER_S = 15
ASK_AGAIN = {0, 409, 429, 503}
"""Statuses that say nothing for good; 0 is no answer at all."""


@attrs.define(kw_only=True)
class KillTrial(ABC):
    """One run: the file, the gateway, and the ledger of what was promised."""

    program: tuple[str, ...] = ("-m", "phonegate")
    """The arguments with which Python is run."""

    folder: Path
    seed: int
    rounds: int
    seconds: float
    """The longest round."""
    ledger: Ledger
    gateway: GatewayProcess = attrs.field(init=False)
    port: int = 0
    stopping: bool = False
    """Whether the killing is over, and clients are to end."""

    @property
    def database(self) -> Path:
        return self.folder / "phonegate.db"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    async def run(self) -> None:
        """Runs the whole trial.

        Raises:
            BrokenPromise: The gateway did not keep one.
        """

    async def start(self, settings: Mapping[str, object]) -> None:
        self.gateway = await asyncio.to_thread(
            lambda: GatewayProcess(
                self.database, port=self.port, settings=settings, program=self.program
            )
        )
        await asyncio.to_thread(self.gateway.wait_until_ready)
        self.port = self.gateway.port

    async def kill(self) -> str:
        """Kills the gateway, checks the file as it lies there, and returns a line about it."""
        await asyncio.to_thread(self.gateway.kill)
        self.ledger.kills += 1
        return await asyncio.to_thread(self.ledger.examine, self.database)

    async def stop(self) -> str:
        """Stops the gateway in order, checks its file, and returns a line about it."""
        code = await asyncio.to_thread(self.gateway.stop)
        if code != 0:
            raise BrokenPromise(f"SIGTERM gave exit code {code}")
        return await asyncio.to_thread(self.ledger.examine, self.database)

    def client(self) -> http.Caller:
        return http.Caller(lambda: self.port, timeout_s=ANSWER_S)

    async def persist(
        self,
        client: http.Caller,
        path: str,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
        gives_up: Callable[[], bool] = lambda: False,
    ) -> tuple[int, Any] | None:
        """Posts until there is an answer that stays, whatever happens to the gateway meanwhile.

        Returns:
            Status and content, or `None` where the request is still in work (409) when the client
            gives up.
        """
        request = http.encode("POST", path, json.dumps(content).encode(), headers=headers)
        while True:
            status, body = await client.ask(request)
            if status == 409 and gives_up():
                return None
            if status not in ASK_AGAIN:
                return status, json.loads(body)
            await asyncio.sleep(PAUSE_S)

    async def settle(
        self, left: Callable[[], Awaitable[list[str]]], standstill_s: float, pause_s: float = 0.2
    ) -> None:
        """Waits until nothing is left to be done, as long as it becomes less."""
        fewest, since = sys.maxsize, time.monotonic()
        while found := await left():
            if len(found) < fewest:
                fewest, since = len(found), time.monotonic()
            elif time.monotonic() > since + standstill_s:
                raise BrokenPromise(
                    f"no progress for {standstill_s} s:\n    " + "\n    ".join(found)
                )
            await asyncio.sleep(pause_s)

    def pauses(self) -> random.Random:
        """Returns the chance of the rounds, which is the same for a seed."""
        return random.Random(self.seed)


def parser(name: str, description: str | None, *, seconds: float) -> argparse.ArgumentParser:
    """Returns a parser of the options that all these trials have."""
    made = argparse.ArgumentParser(
        prog=f"python -m trials.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--rounds", type=int, default=20, help="how often to kill (20)")
    made.add_argument("--seconds", type=float, default=seconds, help=f"longest round ({seconds})")
    made.add_argument("--seed", type=int, default=1, help="seed of all chance (1)")
    return made


def hold(make: Callable[..., KillTrial], chosen: argparse.Namespace) -> int:
    """Runs a trial to its exit code. Its folder stays, as evidence, if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="phonegate-trial-"))
    try:
        asyncio.run(make(folder=folder, **vars(chosen)).run())
    except* BrokenPromise as promises:
        broken: Sequence[Exception] = promises.exceptions
        print("BROKEN:", *broken, f"(the evidence is in {folder})", sep="\n  ")
    else:
        shutil.rmtree(folder)
    return 1 if folder.exists() else 0
