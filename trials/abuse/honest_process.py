"""The process of the honest clients, and what they noted."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs

from trials.abuse.honest_clients import ROLES, SETTLE_S

ROOT = Path(__file__).parents[2]
START_S = 30.0
NEVER_MS = 1_000_000.0


class DidNotBegin(Exception):
    """The honest clients could not so much as begin."""


@attrs.frozen
class Snapshot:
    """One request."""

    begun: float
    role: str
    ms: float
    status: int


@attrs.frozen
class Latency:
    """The milliseconds of one role in one phase."""

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, samples: Sequence[Snapshot]) -> Self:
        ordered = sorted(sample.ms for sample in samples)
        if not ordered:
            return cls(0, NEVER_MS, NEVER_MS)
        last = len(ordered) - 1
        return cls(len(ordered), ordered[last // 2], ordered[int(last * 0.99)])


class HonestProcess:
    """The process of the honest clients, from their first message to their verdict."""

    pace_s: ClassVar[float] = 0.02
    """Pause of each user between two requests; longer where nothing is measured."""

    def __init__(self, folder: Path, url: str, authority: Path | None = None) -> None:
        self._notes = folder / "honest.txt"
        self._notes.touch()
        self._place = 0
        self._half = ""
        self._samples: list[Snapshot] = []
        self.verdict: dict[str, Any] | None = None
        words = [str(self._notes), url, str(self.pace_s)]
        if authority is not None:
            words.append(str(authority))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trials.abuse.honest_clients", *words],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )

    def wait_until_ready(self) -> None:
        """Raises DidNotBegin."""
        until = time.monotonic() + START_S
        while not self.samples():
            if self._process.poll() is not None or time.monotonic() > until:
                self._process.kill()
                _, said = self._process.communicate()
                raise DidNotBegin(said.decode()[-2_000:])
            time.sleep(0.02)

    def samples(self) -> list[Snapshot]:
        """Returns all requests so far."""
        with self._notes.open() as notes:
            notes.seek(self._place)
            text = notes.read()
            self._place = notes.tell()
        *lines, self._half = (self._half + text).split("\n")
        for line in lines:
            if line.startswith("{"):
                self.verdict = json.loads(line)
            else:
                begun, role, ms, status = line.split()
                self._samples.append(Snapshot(float(begun), role, float(ms), int(status)))
        return self._samples

    def between(self, begun: float, ended: float) -> dict[str, list[Snapshot]]:
        """Returns the requests that began within a phase, by role."""
        found: dict[str, list[Snapshot]] = {role: [] for role in ROLES}
        for sample in self.samples():
            if begun <= sample.begun < ended and sample.role in found:
                found[sample.role].append(sample)
        return found

    def finish(self) -> dict[str, Any]:
        """Waits until they have finished. Returns what became of all that they were promised."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None
        try:
            _, said = self._process.communicate(timeout=2 * SETTLE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, said = self._process.communicate()
        self.samples()
        if self.verdict is None:
            return {"failed": said.decode()[-2_000:]}
        return self.verdict

    def end(self) -> None:
        """Ends the process, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
