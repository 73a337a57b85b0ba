"""Runs at each start of the zipapp: removes what older builds of it have unpacked.

shiv unpacks each build once, to its own folder under SHIV_ROOT (or ~/.shiv), and never removes
one. Each running process holds a shared lock in its folder, so that no build is removed that
something still runs from. Nothing here may keep the program from starting, and it must be
readable by any Python that shiv's own bootstrap runs on.
"""

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

MARK = ".in_use"
"""The file that running processes lock; its time is that of the last start."""

KEEP_S = 24 * 3600
"""A build that was started in the last day stays: its user may be going back and forth."""

BUILD_ID_LENGTH = 64
"""shiv names a folder `<file>_<build id>`, the id being a SHA-256 in hexadecimal."""


def hold(build: Path) -> bool:
    """Marks the build as in use, for as long as this process lives; False where it can't be."""
    try:
        descriptor = os.open(str(build / MARK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.utime(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        # Read-only, or being removed by a newer build just now.
        return False
    # The descriptor stays open: the lock ends with the process.
    return True


def prune(build: Path) -> None:
    """Removes the other builds of the same file that nothing runs from."""
    name = build.name[: -BUILD_ID_LENGTH - 1]
    for other in build.parent.glob(name + "_*"):
        identity = other.name[len(name) + 1 :]
        if other == build or len(identity) != BUILD_ID_LENGTH or not other.is_dir():
            continue
        with contextlib.suppress(OSError):
            remove(other)


def remove(build: Path) -> None:
    """Removes a build, unless it was started lately or something runs from it."""
    mark = build / MARK
    last_start = (mark if mark.exists() else build).stat().st_mtime
    if time.time() - last_start < KEEP_S:
        return
    descriptor = os.open(str(mark), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(str(build), ignore_errors=True)
        lock = build.parent / (".%s_lock" % build.name)  # noqa: UP031 - as far back as can be
        with contextlib.suppress(OSError):
            lock.unlink()
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    # shiv gives this name to a preamble: the folder that holds the unpacked packages.
    HERE = Path(str(globals()["site_packages"])).parent
    if hold(HERE):
        prune(HERE)
