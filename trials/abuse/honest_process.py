"""The process of the honest clients, and what they noted."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs

from kit.program import ROOT, Program
from trials.abuse.honest_clients import ROLES, SETTLE_S

NEVER_MS = 1_000_000.0


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


class HonestProcess(Program):
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
        command = [sys.executable, "-m", "trials.abuse.honest_clients", *words]
        super().__init__(command, folder=ROOT, stdin=subprocess.PIPE)

    def wait_until_ready(self) -> None:
        """See `Program.wait_until_ready`: the first request has been answered."""
        self.wait_until(lambda: bool(self.samples()))

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
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2 * SETTLE_S)
        self.kill()
        self.samples()
        return self.verdict or {"failed": "\n".join(self.log)[-2_000:]}
