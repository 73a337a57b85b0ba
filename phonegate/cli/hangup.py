"""The signals that a program gets when its terminal closes."""

import signal
import sys
from typing import TextIO


def ending() -> tuple[signal.Signals, ...]:
    """Returns the signals that end a program which a person started.

    A closed terminal sends SIGHUP. A program that `nohup` makes ignore it goes on ignoring it.
    """
    asked = (signal.SIGTERM, signal.SIGINT)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return asked
    return (*asked, signal.SIGHUP)


def ends_with_terminal() -> bool:
    """Tells whether SIGHUP means that a terminal was closed. To a service it is a reload."""
    return signal.SIGHUP in ending() and (_is_terminal(sys.stdin) or _is_terminal(sys.stderr))


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False
