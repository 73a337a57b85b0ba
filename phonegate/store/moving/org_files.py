"""The file of an org on the disk: written beside its name, and there once it is whole. Blocking."""

import contextlib
import errno
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import attrs

from phonegate.model.storage_errors import MoveFailed
from phonegate.store import backup, migrations
from phonegate.store.moving.contents import MESSAGES
from phonegate.store.moving.org_file import (
    Chunk,
    FileProblem,
    Head,
    Lines,
    Reached,
    Reader,
    chunk_of,
    head_of,
    members,
    parsed,
)
from phonegate.store.moving.org_reading import CantRead, NoLongerSuspended, OrgReader

SUFFIX: Final = ".part"
"""What a file is called that is not whole yet, after its name."""

Report = Callable[[int, int], None]
"""Is called with what is done and of how much. What it raises ends the work."""


@attrs.frozen(kw_only=True)
class Exported:
    """A file that is whole."""

    head: Head
    size: int
    """In bytes."""
    resumed: bool
    """Whether an earlier try was gone on with."""


def export(
    database: Path,
    name: str,
    target: Path,
    *,
    program: str,
    now: int,
    report: Report,
    credentials: bool = True,
) -> Exported:
    """Writes an org to a new file, of mode 0600.

    What an earlier try has left beside it is gone on with, where the org is suspended since then
    and so has not changed. Else it is begun anew.

    Args:
        database: The database file.
        name: The org.
        target: The file to make.
        program: The version of phonegate.
        now: The time, in ms.
        report: Is called with messages done and in all.
        credentials: Whether it has what gives a right. Without that it is for reading alone.

    Raises:
        MoveFailed: There is no file. What is written so far of a suspended org stays beside its
            name, to go on with, unless it was served again or removed meanwhile.
    """
    _demand_free(target)
    part = _part(target)
    useless = False
    try:
        with contextlib.closing(_connect(database)) as connection:
            reader = OrgReader(connection=connection, name=name, credentials=credentials)
            head = reader.head(secrets.token_hex(8), program, now)
            with _open_part(part) as file:
                useless = head.suspended_at is None
                lines = Lines(file)
                before = _resume(file, lines, head)
                if before is None:
                    file.seek(0)
                    file.truncate()
                    lines = Lines(file)
                    lines.head(head)
                    reached = None
                else:
                    head, reached = before
                done = 0
                for chunk in reader.chunks(head, lines.chunks, reached):
                    lines.chunk(chunk)
                    if chunk.table == MESSAGES:
                        done += len(chunk.rows)
                    report(min(done, head.messages), head.messages)
                lines.foot()
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
        backup.install(part, target)
        part.unlink(missing_ok=True)
        backup.flush(target.parent)
    except CantRead as found:
        if isinstance(found, NoLongerSuspended):
            part.unlink(missing_ok=True)
        raise MoveFailed(target, found.problem, found.remedy) from None
    except sqlite3.Error as error:
        raise MoveFailed(target, f"the database can't be read ({error})", backup.REMEDY) from error
    except OSError as error:
        raise MoveFailed(target, *backup.unwritable(target, error)) from error
    finally:
        if useless:
            # Where no file can be made none can be removed, and the first error says more.
            with contextlib.suppress(OSError):
                part.unlink()
    return Exported(head=head, size=size, resumed=before is not None)


def look_at_place(target: Path) -> None:
    """Finds out whether a file can be made. What an earlier try has left beside it stays.

    Raises:
        MoveFailed: It can't.
    """
    _demand_free(target)
    part = _part(target)
    left = os.path.lexists(part)
    try:
        _open_part(part).close()
        if not left:
            part.unlink()
    except OSError as error:
        raise MoveFailed(target, *backup.unwritable(target, error)) from error


def _demand_free(target: Path) -> None:
    if os.path.lexists(target):
        raise MoveFailed(target, "there is something of this name already", "Name another file")


def _part(target: Path) -> Path:
    return target.with_name(target.name + SUFFIX)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[Reader, int]]:
    """Opens the file of an org to read it. Gives the reader and the size in bytes.

    Raises:
        MoveFailed: It can't be read, or is none, within the block too.
    """
    try:
        with _open_to_read(path) as file:
            yield Reader(file, migrations.VERSION), os.fstat(file.fileno()).st_size
    except FileProblem as problem:
        raise MoveFailed(path, str(problem), "Export the org again") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise MoveFailed(
            path, f"it can't be read ({reason})", "Let the gateway's user read it"
        ) from error


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{database.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open_part(path: Path) -> IO[bytes]:
    """Opens what an earlier try has left, or a new file. It is this user's alone.

    Raises:
        OSError: Something else has this name: another user, who has made it, could read it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    found = os.fstat(descriptor)
    own = found.st_uid == os.geteuid() and found.st_nlink == 1
    if not stat.S_ISREG(found.st_mode) or not own:
        os.close(descriptor)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "r+b")


def _open_to_read(path: Path) -> IO[bytes]:
    """Opens a file. Of a pipe it waits for nothing.

    Raises:
        FileProblem: It is something else.
        OSError: It can't be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileProblem("it is no file")
    return os.fdopen(descriptor, "rb")


def _resume(file: IO[bytes], lines: Lines, head: Head) -> tuple[Head, Reached | None] | None:
    """Goes on with what an earlier try has left. Leaves the file at the end of what counts.

    Returns:
        The head that it has, and up to where it has come. None where it is of no use.
    """
    if head.suspended_at is None:
        return None
    there = members(file)
    try:
        line, end = next(there, (b"", 0))
        known = _head_of(line)
    except FileProblem:
        return None
    if known is None or not _is_same(known, head):
        return None
    lines.resume(line, None)
    reached = None
    for page, place in _pages(there):
        for line, chunk in page:
            lines.resume(line, chunk)
            reached = chunk.reached
        end = place
    file.seek(end)
    file.truncate()
    return known, reached


def _pages(
    there: Iterator[tuple[bytes, int]],
) -> Iterator[tuple[Sequence[tuple[bytes, Chunk]], int]]:
    """Yields the chunks of pages that are complete, each with the place where it ends."""
    page: list[tuple[bytes, Chunk]] = []
    try:
        for line, place in there:
            page.append((line, chunk_of(line)))
            if page[-1][1].reached is not None:
                yield page, place
                page = []
    except (FileProblem, KeyError, TypeError):
        # It was cut off within a line, or is whole but for its name: its foot is no chunk.
        return


def _head_of(line: bytes) -> Head | None:
    fields = parsed(line) if line else {}
    fields.pop("phonegate_org", None)
    return head_of(fields)


def _is_same(known: Head, head: Head) -> bool:
    """Tells whether two heads are of the same org, which has not changed between them."""
    same = ("note", "schema", "version", "suspended_at", "org", "tables")
    # An order of before would leave tables out.
    return list(known.tables) == list(head.tables) and all(
        getattr(known, name) == getattr(head, name) for name in same
    )
