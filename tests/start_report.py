"""A program that reports what its start gave it, as JSON."""

import json
import os
import signal
import sys
import time
from pathlib import Path

STREAMS = (sys.stdin, sys.stdout, sys.stderr)


def main() -> None:
    """Writes the report, and ends with the exit code in the first word."""
    said = {
        "is_forked": b"tests.fork_server" in Path("/proc/self/cmdline").read_bytes(),
        "words": sys.argv[1:],
        "started": sys.orig_argv,
        "main": __name__,
        "folder": os.getcwd(),  # noqa: PTH109 - as the system says it
        "imports": sys.path[0],
        "variables": dict(os.environ),
        "zone": time.tzname,
        "parent": os.getppid(),
        "own_group": os.getpgid(0) == os.getpid(),
        "own_session": os.getsid(0) == os.getpid(),
        "cores": sorted(os.sched_getaffinity(0)),
        "umask": os.umask(0),
        "open": [number for number in range(100) if _is_open(number)],
        "streams": [
            (stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering)
            for stream in STREAMS
        ],
        "signals": [signal.getsignal(number).__repr__() for number in signal.valid_signals()],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "read": sys.stdin.read(),
    }
    sys.stdout.write(json.dumps(said))
    sys.stderr.write("Done.")
    sys.exit(int(sys.argv[1]))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
