"""A Debian that runs under its own systemd, in a container of systemd-nspawn."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

SUITE: Final = "bookworm"
BOOT_S: Final = 120
COMMAND_S: Final = 240
POWER_OFF: Final = signal.SIGRTMIN + 4
"""Has systemd end all services and itself (systemd(1), Signals)."""

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


class NotBooted(Exception):
    """The container did not come up."""


@attrs.frozen
class Done:
    """What a command in the container printed, with which exit code, in how many seconds."""

    code: int
    output: str
    seconds: float


@attrs.frozen
class BootedRoot:
    """A container that runs: its folder, and the process that is 1 in it."""

    folder: Path
    leader: int

    def run(self, lines: str, *, user: str = "") -> Done:
        """Runs lines of a shell as root or another user. They begin in the user's home."""
        words = ["runuser", "-l", user, "-c", lines] if user else ["sh", "-c", f"cd; {lines}"]
        began = time.monotonic()
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), "--all", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
            timeout=COMMAND_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, time.monotonic() - began)


def missing() -> list[str]:
    """What this machine lacks, as words for a person."""
    programs = ("mmdebstrap", "systemd-nspawn", "nsenter")
    lacks = [f"the program {name}" for name in programs if shutil.which(name) is None]
    return [*lacks, *(["the user root"] if os.geteuid() else [])]


def make(folder: Path, packages: Sequence[str]) -> None:
    """Makes the root in a folder that is not there yet."""
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase"),
            *(f"--include={','.join(('systemd', 'systemd-sysv', 'dbus', *packages))}", SUITE),
            str(folder),
        ],
        check=True,
    )


@contextmanager
def booted(folder: Path) -> Iterator[BootedRoot]:
    """Boots the root without a network but the loopback, and powers it off at the end.

    Raises:
        NotBooted: systemd does not come up. The error has the end of the console.
    """
    console = folder.with_name(f"{folder.name}.console")
    with console.open("wb") as written:
        container = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", "--directory", str(folder), "--boot"),
                *("--register=no", "--keep-unit", "--private-network", "--console=pipe"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    leader = 0
    try:
        until = time.monotonic() + BOOT_S
        while not (leader and _is_up(BootedRoot(folder, leader))):
            if container.poll() is not None or time.monotonic() > until:
                raise NotBooted(console.read_text(errors="replace")[-2000:])
            leader = leader or _child(container.pid)
            time.sleep(0.2)
        yield BootedRoot(folder, leader)
    finally:
        if leader:
            os.kill(leader, POWER_OFF)
        try:
            container.wait(30)
        except subprocess.TimeoutExpired:
            if leader:
                os.kill(leader, signal.SIGKILL)
            container.kill()
            container.wait()


def _child(pid: int) -> int:
    """The container's process 1, once its systemd runs, else 0."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
            return int(child)
    return 0


def _is_up(root: BootedRoot) -> bool:
    return root.run("systemctl is-system-running").output.strip() in {"running", "degraded"}
