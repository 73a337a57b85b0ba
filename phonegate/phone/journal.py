"""The phone's journal: the ledger of each phone, kept in memory or in an append-only file."""

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import attrs
import trio

from phonegate.phone.errors import JournalUnusable
from phonegate.phone.ledger import Ledger, OutOfTurn
from phonegate.phone.records import KINDS, Record

_NAMES = {kind: name for name, kind in KINDS.items()}

FILE_MODE = 0o600
"""The file holds message texts: a phone that died must still be able to send what it accepted."""
COMPACT_BYTES: Final = 1_048_576
"""A smaller file is left as it is. Reading one takes some tenths of a second on a Raspberry Pi."""
COMPACT_GROWTH: Final = 4
"""A file is written anew when it is so many times as long as after the last time."""


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


async def _no_disk() -> None:
    await trio.lowlevel.checkpoint()


class Journal:
    """Stores each record of one phone, then applies it. `ledger` is for reading."""

    def __init__(
        self,
        ledger: Ledger | None = None,
        write: Callable[[Record], None] | None = None,
        sync: Callable[[], Awaitable[None]] = _no_disk,
    ) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._write = write
        self._sync = sync

    def record(self, record: Record) -> None:
        """Stores a record. Once this returns, a kill of the program does not undo it.

        Raises:
            OutOfTurn: It can't follow the earlier records.
            JournalUnusable: It could not be written.
        """
        self.ledger.apply(record)
        if self._write is not None:
            self._write(record)

    async def sync(self) -> None:
        """Waits until a loss of power does not undo what was recorded, if the file is `durable`.

        Raises:
            JournalUnusable: The disk refused.
        """
        await self._sync()


class JournalFile:
    """A file of records of any number of phones, used by one program at a time.

    Each record is one JSON line, written with a single `write`. A kill leaves at worst one
    incomplete line at the end, whose step was never taken. The next opening cuts it off. A file
    that has grown is replaced by the fewest records that give the same memories.
    """

    def __init__(
        self, path: Path, *, durable: bool = False, compact_bytes: int = COMPACT_BYTES
    ) -> None:
        """Opens or creates the file and reads its records.

        Args:
            path: The file.
            durable: Whether `Journal.sync` waits for the disk. Simulated phones lose no SMS when
                power fails.
            compact_bytes: The length up to which the file is left as it is.

        Raises:
            JournalUnusable: It can't be opened, another program uses it, or it is damaged.
        """
        self.path = path
        self._durable = durable
        self._compact_bytes = compact_bytes
        self._ledgers: dict[str, Ledger] = {}
        self._broken = False
        self._written = self._synced = 0
        self._syncing = trio.Lock()
        try:
            self._fd = _open(path, 0)
        except OSError as error:
            raise JournalUnusable(path, error.strerror or "not readable") from error
        try:
            self._size = self._read()
            if durable:
                _sync_folder(path.parent)
            self._compact_at = max(compact_bytes, self._size)
            self._compact_if_grown()
        except OSError as error:
            os.close(self._fd)
            raise JournalUnusable(path, error.strerror or "not readable") from error
        except JournalUnusable:
            os.close(self._fd)
            raise

    def _read(self) -> int:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise JournalUnusable(self.path, "not a regular file")
        _lock(self._fd, self.path)
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
                except (ValueError, TypeError, AttributeError, RecursionError) as error:
                    # The last three are of values that JSON may have and no record has.
                    raise JournalUnusable(
                        self.path, f"line {number} is not a record of a phone's journal"
                    ) from error
                whole += len(line)
        os.ftruncate(self._fd, whole)
        return whole

    def journal(self, phone: str) -> Journal:
        """Returns the journal of one phone, with all its records in the file."""

        def write(record: Record) -> None:
            self._append(encode(phone, record))

        ledger = self._ledgers.setdefault(phone, Ledger())
        return Journal(ledger, write, self._sync if self._durable else _no_disk)

    def _append(self, line: bytes) -> None:
        # Written to the kernel on the event loop: that takes microseconds, and the ack that
        # follows must not be sent before it.
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
        self._size += len(line)
        self._written += 1
        self._compact_if_grown()

    async def _sync(self) -> None:
        wanted = self._written
        async with self._syncing:
            # One who waited meanwhile may have been served by the one before.
            if self._synced >= wanted:
                return
            written = self._written
            try:
                await trio.to_thread.run_sync(os.fdatasync, self._fd)
            except OSError as error:
                # What the kernel could not write it may have dropped: nothing can follow.
                self._broken = True
                raise JournalUnusable(self.path, error.strerror or "not writable") from error
            self._synced = written

    def _compact_if_grown(self) -> None:
        # A thread that syncs holds the descriptor. The next record comes soon enough.
        if self._size < self._compact_at or self._syncing.locked():
            return
        lines = [
            encode(phone, record)
            for phone, ledger in self._ledgers.items()
            for record in ledger.snapshot()
        ]
        content = b"".join(lines)
        # Where there is little to gain, or no room for a second file, the file goes on growing.
        self._compact_at = max(self._compact_bytes, COMPACT_GROWTH * self._size)
        if len(content) * 2 <= self._size:
            with contextlib.suppress(OSError):
                self._replace(content)
                self._compact_at = max(self._compact_bytes, COMPACT_GROWTH * len(content))

    def _replace(self, content: bytes) -> None:
        """Puts another file in the place of this one, whole and on the disk, or not at all."""
        path = Path(os.path.realpath(self.path))
        beside = path.with_name(path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        new = _open(beside, os.O_EXCL)
        try:
            # Locked before it has the name, so that another program finds one in use.
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left = memoryview(content)
            while left:
                left = left[os.write(new, left) :]
            os.fsync(new)
            beside.rename(path)
        except OSError:
            os.close(new)
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        os.close(self._fd)
        self._fd, self._size, self._synced = new, len(content), self._written
        _sync_folder(path.parent)

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


def _open(path: Path, more: int) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | more, FILE_MODE)


def _lock(descriptor: int, path: Path) -> None:
    """Takes the file for this program alone.

    Raises:
        JournalUnusable: Another program has it, or has just put another file in its place.
    """
    held = JournalUnusable(path, "another program holds it")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise held from None
    if os.fstat(descriptor).st_ino != path.stat().st_ino:
        raise held


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
