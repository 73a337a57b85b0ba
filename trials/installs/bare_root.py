"""A bare Debian 12: made once by mmdebstrap, kept as a tar, and unpacked anew for each way."""

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from trials.installs import machine_access
from trials.installs.way import NotInstalled

SUITE: Final = "bookworm"
VARIABLES: Final = {
    "PATH": "/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
NOT_COUNTED: Final = ("var/lib/apt/lists", "var/cache/apt", "proc", "dev", "sys")
"""Folders whose files no way of installing leaves behind."""

# Its own mounts: they end with the last process in it, and are seen by no other.
ENTER: Final = """
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit
exec chroot "$1" /bin/sh -c 'cd /root && eval "$1"' sh "set -eu
$2"
"""


@attrs.frozen
class Run:
    """What a program in the root printed, how long it ran, and how much memory it took."""

    output: str
    seconds: float
    peak_mb: float
    """Of its largest process."""


@attrs.frozen
class BareRoot:
    """A root in a folder."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, lines: str, *, deadline_s: float, proxy: str = "") -> Run:
        """Runs lines of a shell in the root.

        Raises:
            NotInstalled: One of them failed, or they did not end within the deadline.
        """
        proxies = dict.fromkeys(("http_proxy", "https_proxy"), proxy) if proxy else {}
        with Path(self.folder.parent, "output").open("wb+") as output:
            began = time.monotonic()
            process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private"),
                    *("sh", "-c", ENTER, "sh", self.folder, lines),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.variables, **proxies},
                start_new_session=True,
            )
            problem, peak_kb = _end_of(process, deadline_s)
            seconds = time.monotonic() - began
            output.seek(0)
            text = output.read().decode(errors="replace")
        if problem:
            last = "\n    ".join(text.splitlines()[-15:])
            raise NotInstalled(f"{lines.strip()}\n  {problem}:\n    {last}")
        return Run(text, seconds, peak_kb / 1000)

    def take(self, path: Path) -> int:
        """Copies a file into `/root`. Returns its bytes."""
        shutil.copy(path, self.folder / "root")
        return path.stat().st_size

    def used_mb(self) -> float:
        """What its files take on the disk."""
        blocks = 0
        for name, folders, files in os.walk(self.folder):
            inside = Path(name).relative_to(self.folder)
            folders[:] = [f for f in folders if (inside / f).as_posix() not in NOT_COUNTED]
            blocks += sum(os.lstat(Path(name, each)).st_blocks for each in (*files, *folders))
        return blocks * 512 / 1e6


def packed(cache: Path, *, deadline_s: float) -> Path:
    """The bare root as a tar, made now unless it is in the folder already.

    Raises:
        NotInstalled: It could not be made, or not within the deadline.
    """
    path = cache / f"{SUITE}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".part.tar")
        _run("mmdebstrap", "--quiet", "--variant=minbase", SUITE, str(made), deadline_s=deadline_s)
        made.rename(path)
    return path


@contextlib.contextmanager
def unpacked(tar: Path, *, deadline_s: float) -> Iterator[BareRoot]:
    """A new root from the tar, with this machine's way to the registries; removed at the end.

    Raises:
        NotInstalled: It could not be unpacked, or not within the deadline.
    """
    with TemporaryDirectory(prefix="phonegate-install-", dir=tar.parent) as name:
        folder = Path(name, "root")
        folder.mkdir()
        # Devices are this machine's own.
        _run(
            *("tar", "-xf", str(tar), "-C", str(folder), "--exclude=./dev/*"),
            deadline_s=deadline_s,
        )
        yield BareRoot(folder, {**VARIABLES, **machine_access.give(folder)})


def _run(*command: str, deadline_s: float) -> None:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    problem, _ = _end_of(process, deadline_s)
    if problem:
        raise NotInstalled(f"`{shlex.join(command)}` {problem}")


def _end_of(process: "subprocess.Popen[bytes]", deadline_s: float) -> tuple[str, int]:
    """Waits for the leader of a session, up to the deadline, and kills what is left of it then.

    Returns:
        What went wrong, empty for nothing, and the memory of its largest process in KiB.
    """
    ends = select.poll()
    handle = os.pidfd_open(process.pid)
    try:
        ends.register(handle, select.POLLIN)
        ended = bool(ends.poll(deadline_s * 1000))
    finally:
        os.close(handle)
        # The number is this process's own until it is waited for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not ended:
        return f"did not end within {deadline_s:g} s, and was killed", usage.ru_maxrss
    return f"ended with {process.returncode}" if process.returncode else "", usage.ru_maxrss
