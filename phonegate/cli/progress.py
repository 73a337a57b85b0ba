"""One line of a terminal that is updated while a command waits."""

import os
import shutil
import sys
from typing import Self

from phonegate.cli import columns


class LiveLine:
    """A line on standard error, if that is a terminal. It is a context manager."""

    def __init__(self) -> None:
        # A dumb terminal can't go back to the beginning of a line.
        self._works = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.show("")

    def show(self, text: str) -> None:
        """Replaces the text of the line, cut to the terminal's width."""
        if not self._works or text == self._shown:
            return
        self._shown = text
        room = max(1, shutil.get_terminal_size().columns - 1)
        sys.stderr.write("\r\x1b[K" + columns.cut(text, room))
        sys.stderr.flush()
