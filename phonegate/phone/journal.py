"""The phone's journal: the ledger of each phone, kept in memory or in an append-only file."""

import fcntl
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from phonegate.phone.errors import JournalUnusable
from phonegate.phone.ledger import (
    KINDS,
    Ledger,
    OutOfTurn,
    Record,
)

_NAMES = {kind: name for name, kind in KINDS.items()}

FILE_MODE = 0o600
"""The file holds message texts: a phone that died must still be able to send what it accepted."""


def encode(phone: str, record: Record) -> bytes:
    """Returns one line of a journal file."""
    fields = {"phone": phone, "record": _NAMES[type(record)], **attrs.asdict(record)}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> tuple[str, Record]:
    """Returns the phone and the record of one line.

    Raises:
        ValueError: It is not a line of a journal.
    """
    fields = json.loads(line)
    try:
        phone, kind = fields.pop("phone"), KINDS[fields.pop("record")]
        return phone, kind(**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a record of a journal") from error


class Journal:
    """Stores each record of one phone, then applies it. `ledger` is for reading."""

    def __init__(
        self, ledger: Ledger | None = None, write: Callable[[Record], None] | None = None
    ) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._write = write

    def record(self, record: Record) -> None:
        """Stores a record. Once this returns, a kill of the program does not undo it.

        Raises:
            OutOfTurn: It can't follow the earlier records.
            JournalUnusable: It could not be written.
        """
        self.ledger.apply(record)
        if self._write is not None:
            self._write(record)


class JournalFile:
    """A file of records of any number of phones, used by one program at a time.

    Each record is one JSON line, written with a single `write`. A kill leaves at worst one
    incomplete line at the end, whose step was never taken. The next opening cuts it off.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and reads its records.

        Raises:
            JournalUnusable: It can't be opened, another program uses it, or it is damaged.
        """
        self.path = path
        self._ledgers: dict[str, Ledger] = {}
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
                    phone, record = decode(line)
                    self._ledgers.setdefault(phone, Ledger()).apply(record)
                except OutOfTurn as error:
                    raise JournalUnusable(self.path, f"line {number}: {error}") from error
                except ValueError as error:
                    raise JournalUnusable(
                        self.path, f"line {number} is not a record of a phone's journal"
                    ) from error
                whole += len(line)
        os.ftruncate(self._fd, whole)

    def journal(self, phone: str) -> Journal:
        """Returns the journal of one phone, with all its records in the file."""

        def write(record: Record) -> None:
            self._append(encode(phone, record))

        return Journal(self._ledgers.setdefault(phone, Ledger()), write)

    def _append(self, line: bytes) -> None:
        # Written to the kernel on the event loop: that takes microseconds, and the ack that
        # follows must not be sent before it.
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
