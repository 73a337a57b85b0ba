"""The disk of simulated phones: the records of each app, in one append-only file."""

import fcntl
import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, get_args

import attrs
import cattrs

from phonegate.phone.errors import JournalUnusable
from phonegate.phone.smsgate.memory import Memory, Record

FILE_MODE: Final = 0o600
"""The file holds message texts, numbers and the phone's token."""

_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Record)}

_CONVERTER: Final = cattrs.Converter()


class Journal:
    """Stores the steps of one app, then applies them. `memory` is for reading."""

    def __init__(
        self, memory: Memory | None = None, write: Callable[[Sequence[Record]], None] | None = None
    ) -> None:
        self.memory = Memory() if memory is None else memory
        self._write = write

    def record(self, *records: Record) -> None:
        """Stores records as one step. Once this returns, a kill does not undo it.

        Raises:
            JournalUnusable: They could not be written.
        """
        if not records:
            return
        if self._write is not None:
            self._write(records)
        self.memory.apply_all(records)


def encode(phone: str, records: Sequence[Record]) -> bytes:
    """Returns one line of a journal file: the records of one step of a phone."""
    step = [{"record": type(record).__name__, **attrs.asdict(record)} for record in records]
    return json.dumps({"phone": phone, "step": step}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> tuple[str, list[Record]]:
    """Returns the phone and the records of one line.

    Raises:
        ValueError: It is not a line of a journal.
    """
    try:
        fields = json.loads(line)
        records = [_CONVERTER.structure(one, _KINDS[one.pop("record")]) for one in fields["step"]]
        return fields["phone"], records
    except (AttributeError, KeyError, TypeError, cattrs.BaseValidationError) as error:
        raise ValueError("not a step of an app") from error


class JournalFile:
    """A file with the steps of any number of phones, used by one program at a time.

    Each step is one JSON line, written with a single `write`. A kill leaves at worst one incomplete
    line at the end, whose step was never taken. The next opening cuts it off.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and reads its steps.

        Raises:
            JournalUnusable: It can't be opened, another program uses it, or it is damaged.
        """
        self.path = path
        self._memories: dict[str, Memory] = {}
        self._torn = False
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise JournalUnusable(path, error.strerror or "not readable") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError as error:
            os.close(self._fd)
            raise JournalUnusable(path, "another program holds it") from error
        except OSError as error:
            os.close(self._fd)
            raise JournalUnusable(path, error.strerror or "not readable") from error
        except JournalUnusable:
            os.close(self._fd)
            raise

    def _read(self) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise JournalUnusable(self.path, "not a regular file")
        whole = 0
        with os.fdopen(os.dup(self._fd), "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    phone, records = decode(line)
                    self._memories.setdefault(phone, Memory()).apply_all(records)
                except (KeyError, ValueError) as error:
                    raise JournalUnusable(
                        self.path, f"line {number} is not a step of an app"
                    ) from error
                whole += len(line)
        os.ftruncate(self._fd, whole)

    def journal(self, phone: str) -> Journal:
        """Returns the journal of one phone, with all its steps in the file."""

        def write(records: Sequence[Record]) -> None:
            self._append(encode(phone, records))

        return Journal(self._memories.setdefault(phone, Memory()), write)

    def _append(self, line: bytes) -> None:
        # Written to the kernel on the event loop: that takes microseconds, and the step that
        # follows must not be taken before it.
        if self._torn:
            raise JournalUnusable(self.path, "its last line is torn")
        try:
            self._torn = os.write(self._fd, line) != len(line)
        except OSError as error:
            raise JournalUnusable(self.path, error.strerror or "not writable") from error
        if self._torn:
            raise JournalUnusable(self.path, "no room left")

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
