"""A program on a terminal of its own, as a person runs it."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.patience import PATIENCE_S

COLUMNS = 80

_ON_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Makes standard input the terminal that the program belongs to: its end is told by SIGHUP."""


class Terminal:
    """What a program shows; `keys` are typed into it."""

    def __init__(self, words: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PHONEGATE_")
            and name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_TERMINAL, "-m", "phonegate", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def until(self, pattern: str) -> str:
        """Waits until what is shown has the pattern."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.shown)):
            assert self._read(deadline), self.shown
        return found[0]

    def rest(self) -> tuple[int, str]:
        """The exit code, and all that was shown."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE_S), self.shown

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._master, 65_536) if ready else b""
        except OSError:  # how Linux says that nobody has the other end any more
            data = b""
        # A letter, or the end of a line, may be cut in two.
        self.shown = (self.shown + self._decoder.decode(data)).replace("\r\n", "\n")
        return bool(data)

    def type(self, keys: bytes) -> None:
        """What a person types: Ctrl-C is b"\\x03"."""
        os.write(self._master, keys)

    def hang_up(self) -> int:
        """Closes the terminal's window; returns how the program ended."""
        os.close(self._master)
        self._master = -1
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)


@contextmanager
def terminal(*words: str, **environ: str) -> Iterator[Terminal]:
    """Runs phonegate on a terminal of 80 columns."""
    opened = Terminal(words, environ)
    try:
        yield opened
    finally:
        opened.close()
