"""A bare Debian 12: made once by mmdebstrap, kept as a tar, and unpacked anew for each way."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    def run(self, lines: str, *, proxy: str = "") -> Run:
        """Runs lines of a shell in the root.

        Raises:
            NotInstalled: One of them failed.
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
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if process.returncode:
            last = "\n    ".join(text.splitlines()[-15:])
            raise NotInstalled(f"{lines.strip()}\n  ended with {process.returncode}:\n    {last}")
        return Run(text, seconds, usage.ru_maxrss / 1000)

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


def packed(cache: Path) -> Path:
    """The bare root as a tar, made now unless it is in the folder already."""
    path = cache / f"{SUITE}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".part.tar")
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", SUITE, made], check=True)
        made.rename(path)
    return path


@contextmanager
def unpacked(tar: Path) -> Iterator[BareRoot]:
    """A new root from the tar, with this machine's way to the registries; removed at the end."""
    with TemporaryDirectory(prefix="phonegate-install-", dir=tar.parent) as name:
        folder = Path(name, "root")
        folder.mkdir()
        # Devices are this machine's own.
        subprocess.run(["tar", "-xf", tar, "-C", folder, "--exclude=./dev/*"], check=True)
        yield BareRoot(folder, {**VARIABLES, **machine_access.give(folder)})
