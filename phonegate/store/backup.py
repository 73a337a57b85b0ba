"""Online backup: a consistent copy of the database, taken while it is being used."""

import contextlib
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio

from phonegate.model.storage_errors import BackupFailed

PAGES_AT_ONCE: Final = 1024
"""Pages (4 MiB) between two reports of progress and looks whether to go on."""


_DATED: Final = "%Y%m%dT%H%M%SZ"
"""UTC in the basic form of ISO 8601: sorts by time, and no file system refuses it."""

_DATED_DIGITS: Final = "[0-9]{8}T[0-9]{6}Z"


def dated(database: Path, folder: Path, now_ms: int) -> Path:
    """Returns the file in a folder for a copy of a database that is made at this time."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return folder / f"{database.stem}-{moment.strftime(_DATED)}.db"


def outdated(names: Iterable[str], database: Path, keep: int) -> list[str]:
    """Returns which of a folder's names are copies of this database beyond the newest *keep*."""
    form = re.compile(re.escape(database.stem) + "-" + _DATED_DIGITS + r"\.db")
    return sorted(name for name in names if form.fullmatch(name))[:-keep]


def prune(database: Path, folder: Path, keep: int) -> list[Path]:
    """Removes the copies of a database beyond the newest *keep*. Returns what was removed.

    Other files of the folder stay, whatever they are.

    Raises:
        BackupFailed: One can't be removed.
    """
    removed = []
    for name in outdated([path.name for path in folder.iterdir()], database, keep):
        path = folder / name
        try:
            path.unlink()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise BackupFailed(path, f"it can't be removed ({reason})", REMEDY) from error
        removed.append(path)
    return removed


def copy(source: Path, target: Path, progress: Callable[[int, int], None] | None) -> None:
    """Copies *source* as it is now to the new file *target*. Runs in a thread of trio's.

    The copy has a connection of its own and reads one state throughout: commits that come
    meanwhile are not in it, and don't make it start again. Until it is done the source's
    log can't be emptied and grows.

    Raises:
        BackupFailed: Nothing was made.
    """
    if os.path.lexists(target):
        raise _exists(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _copy(source, temporary, progress)
        flush(temporary)
        install(temporary, target)
        flush(target.parent)
    except sqlite3.Error as error:
        raise BackupFailed(target, f"it can't be written ({error})", REMEDY) from error
    except OSError as error:
        raise BackupFailed(target, *unwritable(target, error)) from error
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            # Where no file can be made none can be removed, and the first error says more.
            with contextlib.suppress(OSError):
                temporary.with_name(temporary.name + ending).unlink()


REMEDY: Final = "See to the folder's rights and the space on its disk"


def unwritable(target: Path, error: OSError) -> tuple[str, str]:
    """Returns what is wrong with a file that can't be written, and what to do."""
    if isinstance(error, FileNotFoundError) and not target.parent.exists():
        return (
            f"its folder {target.parent} is not there",
            "Make it, or name one where the gateway's user may write",
        )
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return f"it can't be written ({reason})", REMEDY


def _copy(source: Path, temporary: Path, progress: Callable[[int, int], None] | None) -> None:
    def report(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            trio.from_thread.run_sync(progress, total - remaining, total)
        # Raises when the backup was cancelled, which ends it.
        trio.from_thread.check_cancelled()

    with (
        contextlib.closing(_connect(source, "ro")) as reader,
        contextlib.closing(_connect(temporary, "rw")) as writer,
    ):
        # A read transaction that is open already pins the state that is copied.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=PAGES_AT_ONCE, progress=report)
        reader.execute("ROLLBACK")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
    )


def install(temporary: Path, target: Path) -> None:
    """Gives a file its name, and never replaces another.

    Raises:
        BackupFailed: There is one of this name.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # No hard links on this file system (FAT): between the look and the renaming lies a
        # moment in which another program could put a file there.
        if os.path.lexists(target):
            raise _exists(target) from None
        temporary.rename(target)


def _exists(target: Path) -> BackupFailed:
    return BackupFailed(target, "there is something of this name already", "Name another file")


def flush(path: Path) -> None:
    """Has the disk keep what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
