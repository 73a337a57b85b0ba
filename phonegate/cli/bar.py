"""A progress bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

FULL = 100


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how far a long command is. Gives what it calls with what is done and of how much."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with click.progressbar(length=FULL, label=label, file=sys.stderr) as shown:

        def progress(done: int, total: int) -> None:
            shown.update((round(FULL * done / total) if total else FULL) - shown.pos)

        yield progress
        shown.update(FULL - shown.pos)
