"""What a trial holds the gateway to, and how it ends when a promise was broken."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

RANK = {
    "queued": 0,
    "sending": 1,
    "uncertain": 2,
    "cancelled": 3,
    "sent": 4,
    "failed": 5,
    "expired": 5,
    "delivered": 6,
    "received": 0,
}
"""How far a message has come by its state: it never goes back. What proves that it left lifts a
cancellation or a failure."""


class BrokenPromise(AssertionError):
    """The gateway lost, doubled, regressed or misreported something."""


def hold(run: Callable[[], Awaitable[object]], folder: Path) -> int:
    """Runs a trial to its exit code; its folder stays, as evidence, if a promise was broken."""
    try:
        trio.run(run)
    except* BrokenPromise as promises:
        print("BROKEN:", *promises.exceptions, f"(the evidence is in {folder})", sep="\n  ")
    else:
        shutil.rmtree(folder)
    return 1 if folder.exists() else 0
