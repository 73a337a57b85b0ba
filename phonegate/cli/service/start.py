"""Waits until a service that was started works, or says why it does not."""

import json
import time
from collections.abc import Sequence
from typing import Any, Final

import attrs

from phonegate.cli import health, probe
from phonegate.cli.failure import Failure
from phonegate.cli.progress import LiveLine
from phonegate.cli.service.manager import Manager
from phonegate.cli.service.survey import Configured
from phonegate.operations.control_client import ControlError, OwnerRequest, ask

START_S: Final = 180.0
"""Seconds until a start has failed. A zipapp unpacks itself first, for a minute on a small Pi."""

AGAIN_S: Final = 0.3
"""Seconds between two looks."""

GIVEN_UP: Final = 2
"""Restarts by systemd after which it is clear that the next one fails, too."""

SHOWN_LINES: Final = 10
"""The last lines of the journal that are shown after a failed start."""

TROUBLE: Final = frozenset({"warning", "error", "critical"})
"""Levels of the log's lines that report a fault."""


@attrs.frozen
class Running:
    """A gateway that works: the process, and its version."""

    pid: int
    version: str


def wait(manager: Manager, now: Configured) -> Running:
    """Waits until the service's own process answers.

    Another gateway at the same address does not count: its process is another one.

    Raises:
        Failure: It has ended, or does not answer in time. The error has the end of its log.
    """
    until = time.monotonic() + START_S
    with LiveLine() as line:
        while True:
            line.show("Waiting until the gateway answers ...")
            seen = manager.properties()
            if (running := answering(seen, now)) is not None:
                return running
            if _hopeless(seen):
                raise Failure(_why("The gateway does not start.", manager))
            if time.monotonic() > until:
                raise Failure(_why(f"The gateway does not answer after {START_S:g} s.", manager))
            time.sleep(AGAIN_S)


def answering(seen: dict[str, str], now: Configured) -> Running | None:
    """Returns the process of the service, if it answers at its address. Otherwise None."""
    if seen.get("ActiveState") != "active":
        return None
    try:
        status = ask(now.database, OwnerRequest("GET", "/status"), timeout_s=health.DEADLINE_S)
    except ControlError:
        return None
    if str(status["pid"]) != seen.get("MainPID"):
        return None
    try:
        asked = probe.own(now.settings, ready=False)
    except Failure:
        # It listens on any free port: that it is asked by its socket must do.
        return Running(status["pid"], status["version"])
    return Running(status["pid"], status["version"]) if health.look(asked).well else None


def _hopeless(seen: dict[str, str]) -> bool:
    restarts = seen.get("NRestarts", "0")
    return seen.get("ActiveState") == "failed" or (restarts.isdigit() and int(restarts) >= GIVEN_UP)


def _why(sentence: str, manager: Manager) -> str:
    said = manager.journal(SHOWN_LINES)
    if not said:
        return f"{sentence} Its log says more."
    return "\n".join([f"{sentence} The end of its log:", *(f"  {line}" for line in said)])


def last_fault(lines: Sequence[str]) -> str | None:
    """Returns the last line of the log that reports a fault, in words. Pure."""
    for line in reversed(lines):
        if line.startswith("phonegate: "):
            return line
        fields = _fields(line)
        if fields.get("level") in TROUBLE:
            named = ("timestamp", "event", "problem", "reason", "note", "error")
            return " ".join(str(fields[name]) for name in named if fields.get(name))
    return None


def _fields(line: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
