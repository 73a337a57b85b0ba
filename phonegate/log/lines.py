"""Writes the lines of the log: all of a turn of the event loop at once, waiting for no reader.

A process that is killed (SIGKILL) loses the lines of the turn that it was in.
"""

import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, TextIO

from phonegate.turn_end import at_turn_end

MOST_GATHERED: Final = 1_000
"""Lines that are gathered in a turn before they are written: more than it has requests."""

MOST_CHARACTERS: Final = 262_144
"""As many characters are gathered, which is that many usual lines."""

MOST_ASIDE: Final = 10_000
"""Lines that may wait for a reader of the log, some 3 MB. Any more are only counted."""

EXIT_S: Final = 2.0
"""Seconds for which the program waits at its end until such lines are written."""


class Lines:
    """Writes whole lines. A log that can't be written, or isn't read, must not stop the gateway.

    Lines of the event loop are gathered until its turn ends; a thread, or a program that runs no
    loop, writes its own at once, after what was gathered before. Lines that a full pipe does not
    take at once are set aside, and a thread that lives until all of them are written does the
    waiting.
    """

    def __init__(self, stream: TextIO, report_lost: Callable[[int], None]) -> None:
        """`report_lost` gets the number of lines that were lost, once the reader has caught up."""
        self.stream = stream
        self._report_lost = report_lost
        self._lock = threading.Lock()
        self._gathered: list[str] = []
        self._characters = 0
        self._flushed_by: int | None = None
        """The thread that flushes what is gathered once the turn of its loop ends."""
        self._room = _room_of(stream)
        self._aside: deque[str] = deque()
        self._lost = 0
        self._writer: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Has a line written by the end of the event loop's turn."""
        this = threading.get_ident()
        with self._lock:
            self._gathered.append(line)
            self._characters += len(line)
            full = len(self._gathered) >= MOST_GATHERED or self._characters >= MOST_CHARACTERS
            asked = self._flushed_by == this
            self._flushed_by = this
        if full:
            self.flush()
        elif not asked:
            at_turn_end(self.flush)

    def flush(self) -> None:
        """Writes what was gathered, or sets it aside."""
        with self._lock:
            self._flushed_by = None
            if not self._gathered:
                return
            lines, self._gathered, self._characters = self._gathered, [], 0
            written = 0
            if self._writer is None and not self._aside:
                while written < len(lines) and (count := self._fitting(lines, written)):
                    self._put(lines[written : written + count])
                    written += count
            kept = lines[written : written + MOST_ASIDE - len(self._aside)]
            self._aside += kept
            self._lost += len(lines) - written - len(kept)
            if self._writer is None and self._aside:
                self._start()

    def finish(self) -> None:
        """Writes what was gathered, and waits a while for a reader of what was set aside."""
        self.flush()
        writer = self._writer
        if writer is not None:
            writer.join(EXIT_S)

    def _fitting(self, lines: Sequence[str], start: int) -> int:
        """Returns how many lines, of those from `start` on, can be written without waiting."""
        if self._room is None:
            return len(lines) - start
        # A pipe that has any room has that much of it (pipe(7)).
        left, count = select.PIPE_BUF, 0
        for line in islice(lines, start, None):
            left -= 1 + (len(line) if line.isascii() else len(line.encode(errors="replace")))
            if left < 0:
                break
            count += 1
        return count if count and self._room.poll(0) else 0

    def _start(self) -> None:
        writer = threading.Thread(target=self._write_aside, daemon=True)
        # No thread can be started just now: the next line tries again.
        with suppress(RuntimeError):
            writer.start()
            self._writer = writer

    def _put(self, lines: Sequence[str]) -> None:
        # OSError: the disk is full or the reader is gone; ValueError: the stream was closed.
        with suppress(OSError, ValueError):
            self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()

    def _write_aside(self) -> None:
        while True:
            with self._lock:
                if not self._aside:
                    self._writer = None
                    lost, self._lost = self._lost, 0
                    break
                line = self._aside.popleft()
            self._put([line])
        if lost:
            self._report_lost(lost)


def _room_of(stream: TextIO) -> "select.poll | None":
    """Returns a poll for room in a stream. Returns None for a file, which always has room."""
    try:
        number = stream.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):
            return None
        room = select.poll()
        room.register(number, select.POLLOUT)
    except (OSError, ValueError, AttributeError):  # not a file of the system, as in a test
        return None
    return room
