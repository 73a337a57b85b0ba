"""Signals that were ignored where the tests were started: by nohup, or as a shell's background job.

A program inherits that its parent ignores a signal, and so could not be stopped by it. What its
parent handles, it does not inherit.
"""

import signal
from types import FrameType


def keep_from_programs() -> None:
    """Goes on ignoring them here, and has programs that are started from now on heed them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _pass_over)


def _pass_over(number: int, frame: FrameType | None) -> None:
    pass
