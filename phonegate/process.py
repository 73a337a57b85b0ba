"""What the gateway asks of its own process: open files, turns of threads, garbage and memory."""

import gc
import os
import resource
import sys
from contextlib import suppress
from typing import Final

from phonegate import log

SPARE_DESCRIPTORS: Final = 64
"""File descriptors for all that is no connection: the database, the log, the control socket."""

ENOUGH_DESCRIPTORS: Final = 4_096
"""With so many a gateway serves thousands of phones. What is below [http] max_connections by less
is not worth a line at each start: `connections_full` and `accept_failed` tell when it is met."""

GARBAGE: Final = (20_000, 20, 20)
"""When Python looks for garbage in cycles, see `gc.set_threshold`. Its own 700 objects are a few
messages' worth, and make every hundredth look one through all that ten thousand phones are made of;
nearly everything here goes without it."""

TURN_S: Final = 0.000_5
"""How long a thread computes on when another waits, see `sys.setswitchinterval`. With Python's own
5 ms, a request that comes while a thread writes a long page waits three times as long."""

LARGE_BYTES: Final = 1_048_576
"""From this size on, memory goes back to the system as soon as it is free. Each check of a secret
takes 32 MB (scrypt), which glibc would keep for the next one, for each of the threads that check.
To get it anew costs less than can be measured beside the 100 ms of such a check."""

_M_MMAP_THRESHOLD: Final = -3
"""Its number in glibc's malloc.h."""

_log = log.get("gateway")


def prepare(descriptors: int) -> None:
    """Prepares the process for serving. It may need so many files open at once, or more."""
    _allow_descriptors(descriptors)
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(TURN_S)
    _return_memory()


def _allow_descriptors(wanted: int) -> None:
    """Raises the limit of open files as far as it must and may be.

    Systems begin with 1,024, so that old programs which use select(2) don't fail; a gateway of
    a thousand phones would then accept no more clients, not even its operator.
    """
    wanted += SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < allowed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        except (OSError, ValueError):
            allowed = soft
    if allowed < min(wanted, ENOUGH_DESCRIPTORS):
        _log.warning("few_descriptors", limit=allowed, wanted=wanted, remedy="raise ulimit -n")


def _return_memory() -> None:
    """Has glibc return large memory. Other C libraries do, or have no such setting."""
    # ImportError: some Pythons have no ctypes.
    with suppress(ValueError, OSError, AttributeError, ImportError):
        import ctypes  # noqa: PLC0415 - as above

        if os.confstr("CS_GNU_LIBC_VERSION"):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
