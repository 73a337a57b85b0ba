"""The slow disk: a preloaded library that makes flushes last 5 ms longer."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench import machine

SOURCE = Path(__file__).with_name("slow_flush.c")
LEAST_MS = 5.0


class NoSlowDisk(Exception):
    """The library can't be made here, or has no effect."""


def build(folder: Path) -> Path:
    """Compiles the library and proves it on a process.

    Raises:
        NoSlowDisk: There is no C compiler, or flushes are as fast as before.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoSlowDisk("a C compiler is needed for the slow disk (Debian: gcc)")
    library = folder / "slow_flush.so"
    words = ["-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([compiler, *words], check=True)
    code = (
        "from bench import machine; from pathlib import Path;"
        f"print(machine.flush_ms(Path({str(folder)!r}))[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=Path(machine.__file__).parent.parent,
    )
    if float(done.stdout) < LEAST_MS:
        raise NoSlowDisk(f"a flush takes {float(done.stdout):.2f} ms in spite of the library")
    return library
