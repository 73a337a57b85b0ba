"""Prepares standard input, output and error of the process.

A program may be started with any of them closed or full, or in a character set that lacks most
letters. None of that is a reason not to serve.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Literal, TextIO


def prepare() -> None:
    """Opens closed streams, and makes output escape letters that its character set lacks.

    A closed descriptor would be given to the next file that is opened, such as the database, and
    the output of a library would be written into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, which is this one.
            os.open(os.devnull, os.O_RDWR)
    # Python has no stream for those that it found closed.
    sys.stdin = sys.stdin or _opened(0, "r")
    sys.stdout = _shown(sys.stdout or _opened(1, "w"))
    sys.stderr = _shown(sys.stderr or _opened(2, "w"))


def let_go() -> None:
    """Gives up standard output where it can't be written any more.

    Its buffer would fail once more, with a traceback, when Python flushes it at exit.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        sys.stdout = _opened(os.open(os.devnull, os.O_WRONLY), "w")


def _opened(number: int, mode: Literal["r", "w"]) -> TextIO:
    return open(number, mode, encoding="utf-8")


def _shown(stream: TextIO) -> TextIO:
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        with suppress(OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    return stream
