"""An append-only file of lines, which a kill at any moment leaves usable."""

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from phonegate.phone.errors import JournalUnusable

FILE_MODE: Final = 0o600
"""The file holds message texts: a phone that died must still be able to send what it accepted."""


class StepFile:
    """Lines that are each one step, used by one program at a time.

    A line is written with a single `write`. A kill leaves at worst one incomplete line at the end,
    whose step was never taken. The next opening cuts it off.
    """

    def __init__(self, path: Path, take: Callable[[bytes], None]) -> None:
        """Opens or creates the file, and gives each of its lines to `take`.

        `take` raises ValueError for a line that it can't use, with words that follow its number.

        Raises:
            JournalUnusable: It can't be opened, another program uses it, or it is damaged.
        """
        self.path = path
        self._broken = False
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise JournalUnusable(path, error.strerror or "not readable") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read(take)
        except BlockingIOError as error:
            os.close(self._fd)
            raise JournalUnusable(path, "another program holds it") from error
        except OSError as error:
            os.close(self._fd)
            raise JournalUnusable(path, error.strerror or "not readable") from error
        except JournalUnusable:
            os.close(self._fd)
            raise

    def _read(self, take: Callable[[bytes], None]) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise JournalUnusable(self.path, "not a regular file")
        whole = 0
        with os.fdopen(os.dup(self._fd), "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    take(line)
                except ValueError as error:
                    raise JournalUnusable(self.path, f"line {number} {error}") from error
                whole += len(line)
        os.ftruncate(self._fd, whole)

    def append(self, line: bytes) -> None:
        """Writes a line. Once this returns, a kill of the program does not undo it.

        Raises:
            JournalUnusable: It could not be written.
        """
        # Written to the kernel on the event loop: that takes microseconds, and the step that
        # follows must not be taken before it.
        if self._broken:
            raise JournalUnusable(self.path, "a line before could not be written")
        # What follows a line that is not there whole could not be read again.
        self._broken = True
        try:
            whole = os.write(self._fd, line) == len(line)
        except OSError as error:
            raise JournalUnusable(self.path, error.strerror or "not writable") from error
        if not whole:
            raise JournalUnusable(self.path, "no room left")
        self._broken = False

    def close(self) -> None:
        """Closes the file, so that another program may use it."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
