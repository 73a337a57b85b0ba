"""The database's file: whether it is ours to use, and who uses it.

Everything here only looks, except `lock`. A file that is refused stays as it was, byte for
byte, and nothing appears beside it.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

import attrs

from phonegate import file_owner
from phonegate.model.storage_errors import DatabaseBusy, DatabaseUnusable
from phonegate.store import migrations

OLDEST_SQLITE: Final = (3, 37, 0)
"""STRICT tables came with 3.37 (2021-11), RETURNING with 3.35."""

MIN_FREE_BYTES: Final = 4 * 1024 * 1024
"""Space that must be free to start: the write-ahead log's usual size, and its index."""


@attrs.frozen(kw_only=True)
class Space:
    """How large a database is, and how much room its disk has. All in bytes."""

    database: int
    log: int
    """Of the write-ahead log beside it."""
    free: int
    """What the user of this process may still take of the disk."""
    disk: int
    in_place: bool = True
    """Whether the file that is open is the one at its path: not deleted, and not replaced."""


MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_LONGEST_PID: Final = 20


def check_sqlite(path: Path) -> None:
    """Raises `DatabaseUnusable` if this Python's SQLite can't do what the store needs."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseUnusable(
            path,
            f"this Python's SQLite is {sqlite3.sqlite_version}, too old to use it",
            "Run phonegate with a Python whose SQLite is 3.37 or newer",
        )
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5(tokens)")
            connection.execute("SELECT value FROM json_each('[]')")
        except sqlite3.OperationalError:
            raise DatabaseUnusable(
                path,
                "this Python's SQLite lacks FTS5, the full-text search, or its JSON functions",
                "Run phonegate with the Python of your distribution, which has them",
            ) from None


def inspect(path: Path) -> bool:
    """Checks that a database can be served from *path*. Returns whether there is one already.

    Raises:
        DatabaseUnusable: It can't, and why.
    """
    folder = path.parent
    if not folder.is_dir():
        raise DatabaseUnusable(
            path, "its folder does not exist", f"Create {folder}, or name another place"
        )
    if path.is_dir():
        raise DatabaseUnusable(path, "this is a folder", "Name a file in it")
    try:
        header, size = _head(path)
    except OSError as error:
        raise refused(path, error) from None
    present = size > 0
    if present:
        _check_header(path, header)
        _check_log(path)
    elif _log_of(path).exists():
        raise DatabaseUnusable(
            path,
            f"it is missing or empty, but its write-ahead log {_log_of(path).name} is there",
            "Put the database back beside its log, or move the log away to start anew",
        )
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise DatabaseUnusable(
            path, "its folder can't be written", f"Let this user write to {folder}"
        )
    # What only the superuser may fill is of no use to anybody else.
    space = os.statvfs(folder)
    free = (space.f_bfree if os.geteuid() == 0 else space.f_bavail) * space.f_frsize
    if free < MIN_FREE_BYTES:
        raise DatabaseUnusable(
            path,
            f"its disk is full ({free // 1024} KiB free)",
            f"Free at least {MIN_FREE_BYTES // 1024} KiB and start again",
        )
    return present


def lock(path: Path) -> int:
    """Makes this process the only owner of the database until the descriptor is closed.

    Raises:
        DatabaseBusy: Another process owns it.
        DatabaseUnusable: The lock file can't be made.
    """
    beside = lock_path(path)
    while True:
        try:
            descriptor = _open_lock(beside)
        except OSError as error:
            raise refused(path, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _owner(descriptor)
            os.close(descriptor)
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                raise DatabaseBusy(path, owner) from None
            raise refused(path, error) from None
        # A refused start removes the lock file that it made. If that came between our two
        # calls, we hold the lock of a file that no other process will find.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == beside.stat().st_ino:
                _sign(descriptor)
                return descriptor
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    """Opens the lock file, and makes it where it is missing."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags, 0o600)
    file_owner.like_folder(descriptor, path)
    return descriptor


def _sign(descriptor: int) -> None:
    """Writes this process into its lock file. A full disk keeps it from no lock."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _owner(descriptor: int) -> int | None:
    """Returns the process that a lock file names, where it names one."""
    try:
        return int(os.pread(descriptor, _LONGEST_PID, 0))
    except (OSError, ValueError):
        return None


def lock_path(path: Path) -> Path:
    """Returns the lock file of a database. It stays when the program ends. Only its lock counts."""
    return path.with_name(path.name + ".lock")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _head(path: Path) -> tuple[bytes, int]:
    """Returns the first bytes of the file and its size, through a descriptor that could write."""
    try:
        with path.open("r+b", buffering=0) as file:
            return file.read(_HEADER_BYTES), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return b"", 0


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(MAGIC) or len(header) < _HEADER_BYTES:
        raise DatabaseUnusable(
            path, "this is not a database", "Name another file; phonegate makes its own"
        )
    _check_identity(
        path,
        application=int.from_bytes(header[68:72], "big"),
        version=int.from_bytes(header[60:64], "big"),
    )


def _check_identity(path: Path, *, application: int, version: int) -> None:
    if application != migrations.APPLICATION_ID:
        raise DatabaseUnusable(
            path,
            "this is a database of another program",
            "Name another file; phonegate makes its own",
        )
    if version > migrations.VERSION:
        raise DatabaseUnusable(
            path,
            f"a newer phonegate has used it (schema {version}, this one knows"
            f" {migrations.VERSION})",
            "Run that version or a newer one, or go back to a backup from before the update",
        )


def _check_log(path: Path) -> None:
    """Looks at the version again with what the write-ahead log holds.

    A newer program that was killed just after its migration has the new version there only.
    """
    beside = _log_of(path)
    try:
        if beside.stat().st_size == 0:
            return
    except FileNotFoundError:
        return
    index = path.with_name(path.name + "-shm")
    left = index.exists()
    # Read-only: such a connection neither checkpoints nor removes the log when it closes.
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
            version = migrations.version(reader)
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    finally:
        # Nor its index of the log, which every opening makes anew.
        if not left:
            index.unlink(missing_ok=True)
    _check_identity(path, application=migrations.APPLICATION_ID, version=version)


def damaged(path: Path, error: Exception) -> DatabaseUnusable:
    """Returns what to say of a file that SQLite itself refuses."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        return DatabaseUnusable(path, "its disk is full", "Free some space and start again")
    if kind in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return DatabaseUnusable(
            path, f"it is damaged ({error})", "Go back to a backup; keep this file for rescue"
        )
    if kind in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return DatabaseUnusable(
            path, f"it can't be written ({error})", "Let this user write to it and its folder"
        )
    if kind == sqlite3.SQLITE_BUSY:
        return DatabaseUnusable(
            path, "another program is writing to it", "End that program and start again"
        )
    return DatabaseUnusable(path, f"it can't be opened ({error})", "See to its disk")


def refused(path: Path, error: OSError) -> DatabaseUnusable:
    """Returns what to say of a file that the system refuses."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if error.errno == errno.ENOSPC:
        return DatabaseUnusable(path, "its disk is full", "Free some space and start again")
    return DatabaseUnusable(
        path, f"it can't be written ({reason})", "Let this user write to it and its folder"
    )


def hold(path: Path) -> int:
    """Returns a descriptor of the file that is open as the database, for `is_there`.

    Not to be closed before all connections are: to close it drops SQLite's locks on the file (a
    rule of POSIX). It could write, so that it is the same file on a file system of layers.
    """
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def is_there(path: Path, held: int) -> bool:
    """Tells whether the file that is held is still the one at its path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(held))
    except OSError:
        return False


def space(path: Path, held: int) -> Space:
    """Looks how large a database is, how much room its disk has, and whether it is there."""
    disk = os.statvfs(path.parent)
    return Space(
        database=_size(path),
        log=_size(path.with_name(path.name + "-wal")),
        free=disk.f_bavail * disk.f_frsize,
        disk=disk.f_blocks * disk.f_frsize,
        in_place=is_there(path, held),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
