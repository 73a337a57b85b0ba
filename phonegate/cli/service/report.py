"""What `phonegate service status` shows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

import phonegate
from phonegate.cli.failure import Failure
from phonegate.cli.service import start, survey
from phonegate.cli.service.manager import Manager
from phonegate.cli.service.places import Places
from phonegate.config.reader import ConfigError
from phonegate.quantities import size

READ_LINES: Final = 400
"""Of the journal, in which the last fault is looked for."""


@attrs.frozen(kw_only=True)
class Report:
    """The state of the service.

    Args:
        unit: The unit's file. None: there is none.
        enabled: Whether it starts with the machine, in systemd's word.
        active: Whether it runs, in systemd's word.
        since: When it began to.
        restarts: How often systemd has restarted it.
        pid: The process. None: there is none.
        memory_bytes: What it holds.
        running: The version that answers. None: none does.
        listens: The addresses that it is set to listen on.
        trouble: Why the configuration can't be read, without which the service can't be asked.
        fault: The last fault in the log.
    """

    unit: str | None
    enabled: str
    active: str
    since: str
    restarts: int
    pid: int | None
    memory_bytes: int | None
    running: str | None
    listens: tuple[str, ...]
    trouble: str | None
    fault: str | None

    @property
    def answers(self) -> bool:
        """Whether the service's own process answers."""
        return self.running is not None

    def as_json(self) -> dict[str, Any]:
        """Returns all of it for programs."""
        return {**attrs.asdict(self), "answers": self.answers, "version": phonegate.__version__}

    def lines(self) -> Iterator[str]:
        """Yields it for a person."""
        if self.unit is None:
            yield "service    not installed (phonegate service install)"
            return
        yield f"service    {self.unit}, {self.enabled}"
        since = f" since {self.since}" if self.since else ""
        again = f", restarted {self.restarts} times" if self.restarts else ""
        yield f"state      {self.active}{since}{again}"
        yield f"version    {self._versions()}"
        if self.pid is not None:
            held = "" if self.memory_bytes is None else f", {size(self.memory_bytes)} of memory"
            yield f"process    {self.pid}{held}"
        if self.trouble is not None:
            yield f"settings   {self.trouble}"
        elif self.listens:
            yield f"listens    {', '.join(self.listens)}"
        yield f"fault      {self.fault or 'none in the last lines of the log'}"

    def _versions(self) -> str:
        own = phonegate.__version__
        if self.trouble is not None:
            return f"unknown; this program is {own}"
        if self.running is None:
            return f"nothing answers; this program is {own}"
        if self.running == own:
            return self.running
        return f"{self.running} runs, this program is {own}: phonegate service install"


def look(places: Places, manager: Manager) -> Report:
    """Looks at the service.

    Raises:
        ManagerFailure: systemd can't be asked.
    """
    seen = manager.properties()
    there = seen.get("LoadState") == "loaded"
    trouble, listens, running = None, tuple[str, ...](), None
    try:
        now = survey.configured(places)
    except (ConfigError, Failure) as error:
        trouble = f"{places.config} can't be used: {error}"
        if places.config.exists() and not os.access(places.config, os.R_OK):
            trouble = (
                f"this user can't read {places.config}; root can: sudo phonegate service status"
            )
    else:
        listens = (*now.settings.http.bind, *now.settings.http.plain_bind)
        running = start.answering(seen, now) if there else None
    pid = int(seen.get("MainPID") or 0) or None
    return Report(
        unit=(seen.get("FragmentPath") or str(places.unit)) if there else None,
        enabled=seen.get("UnitFileState") or "not enabled",
        active=seen.get("ActiveState", "unknown"),
        since=seen.get("ActiveEnterTimestamp", ""),
        restarts=int(seen.get("NRestarts") or 0),
        pid=pid,
        memory_bytes=_memory(seen, pid),
        running=None if running is None else running.version,
        listens=listens,
        trouble=trouble,
        fault=start.last_fault(manager.journal(READ_LINES)) if there else None,
    )


def _memory(seen: dict[str, str], pid: int | None) -> int | None:
    """Returns what the service holds, or else what its process does where nothing is counted."""
    counted = seen.get("MemoryCurrent", "")
    if counted.isdigit() and int(counted) < 1 << 60:
        return int(counted)
    if pid is None:
        return None
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    held = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(held[0]) * 1024 if held else None
