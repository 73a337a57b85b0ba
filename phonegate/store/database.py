"""The database: one file, one connection that writes, a few that read."""

import contextlib
import os
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import trio

from phonegate import file_owner
from phonegate.model.facts import Publish, unheard
from phonegate.model.storage_errors import StoreClosed
from phonegate.model.times import now_ms
from phonegate.store import backup, data_file, migrations
from phonegate.store.commit_place import Commits
from phonegate.store.data_file import Space
from phonegate.store.group_commit import BUSY_MS, GroupCommit
from phonegate.store.look import Done, Look, LookThreads
from phonegate.store.moving import given_ids
from phonegate.store.sqlite_errors import code, translated
from phonegate.store.tables import Tables
from phonegate.store.writer import WRITER_TIMINGS, Writer, WriterStatistics, WriterTimings

T = TypeVar("T")

Checkpoint = Literal["gateway", "litestream"]
"""Who copies the log into the file."""

CHECKPOINT_PAGES: Final = 4_000
"""The log is copied into the file when it has so many pages (16 MiB): a page that changes with
every message is then written once for hundreds of commits."""

LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The log shrinks to this after a long reader (a backup) has kept it growing."""

WRITER_CACHE_KIB: Final = 16 * 1024
READER_CACHE_KIB: Final = 4 * 1024
STATEMENTS: Final = 256
"""Prepared statements that each connection keeps: more than there are SQL texts in use."""

PROGRESS_STEPS: Final = 10_000
"""SQLite's steps between two looks whether a read was cancelled: about 0.1 ms."""


def _is_cancelled() -> bool:
    # What it raises makes SQLite stop with "interrupted".
    trio.from_thread.check_cancelled()
    return False


class Database:
    """The store of one gateway.

    Exactly one connection writes and checkpoints: SQLite before 3.51.3 can lose commits when
    two do so at once. With `checkpoint="litestream"` nothing here ever checkpoints, and a
    Litestream that replicates the file does so alone. Reads see the state of the last commit,
    each of them one state throughout, and never wait.

    Use from one trio run: `open`, start `run_writer`, then `write` and `read`; at the end
    `stop_writing`, await the writer's task, `close`.
    """

    def __init__(
        self,
        path: Path,
        lock: int,
        writing: sqlite3.Connection,
        reading: list[sqlite3.Connection],
        *,
        held: int,
        checkpoint: Checkpoint = "gateway",
        commits: Commits = "thread",
        publish: Publish = unheard,
        timings: WriterTimings = WRITER_TIMINGS,
    ) -> None:
        self.path = path
        self._checkpoint = checkpoint
        self._lock = lock
        self._writing = writing
        self._held = held
        self._writer = Writer(
            GroupCommit(
                writing,
                is_there=partial(data_file.is_there, path, held),
                batch_s=timings.batch_s,
                now_ms=now_ms,
                checkpoint_pages=CHECKPOINT_PAGES if checkpoint == "gateway" else 0,
            ),
            commits=commits,
            publish=publish,
            timings=timings,
        )
        self._reading = reading
        self._idle = deque((connection, Tables(connection)) for connection in reading)
        self._readers = trio.CapacityLimiter(len(reading))
        self._looks = LookThreads(self._read, self._readers)
        self._backups = trio.CapacityLimiter(1)
        self._sizes = trio.CapacityLimiter(1)
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        readers: int = 4,
        checkpoint: Checkpoint = "gateway",
        commits: Commits = "thread",
        publish: Publish = unheard,
        timings: WriterTimings = WRITER_TIMINGS,
        first_id: int = 1,
    ) -> Self:
        """Opens the database, made or brought up to date if need be, and locks it.

        Args:
            path: The file. Its log and lock lie beside it, all of mode 0600.
            readers: Reads that may run at the same time.
            checkpoint: Who copies the log into the file.
            commits: Where commits run, if what they hold is little.
            publish: Called on the event loop with what has changed, right after each commit. It
                must be quick, never wait and never raise.
            timings: How long the writer waits for what.
            first_id: Ids begin there, where they are not beyond it.

        Raises:
            DatabaseBusy: Another process has it open.
            DatabaseUnusable: It can't be used; it and its folder are as they were.
        """
        path = Path(os.path.realpath(path))
        data_file.check_sqlite(path)
        # Without a lock file no process has the database open, and what is no database of ours
        # shall not get one. With one, the lock comes before the look: closing a file that this
        # process has open elsewhere would drop SQLite's locks on it (a rule of POSIX).
        new = not data_file.lock_path(path).exists()
        if new:
            data_file.inspect(path)
        lock = data_file.lock(path)
        connections: list[sqlite3.Connection] = []
        held: list[int] = []
        try:
            if not data_file.inspect(path):
                _create(path)
            with _sqlite_errors(path):
                writing = _connect(path, connections)
                _prepare_writer(writing)
                migrations.migrate(writing)
                given_ids.begin_at(writing, first_id)
                _narrow(path)
                held.append(data_file.hold(path))
                for _ in range(readers):
                    _prepare_reader(_connect(path, connections))
        except BaseException:
            for connection in reversed(connections):
                connection.close()
            for descriptor in held:
                os.close(descriptor)
            if new:
                data_file.lock_path(path).unlink(missing_ok=True)
            os.close(lock)
            raise
        return cls(
            path,
            lock,
            writing,
            connections[1:],
            held=held[0],
            checkpoint=checkpoint,
            commits=commits,
            publish=publish,
            timings=timings,
        )

    async def run_writer(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Commits writes. Ends when `stop_writing` was called and nothing waits."""
        await self._writer.run(task_status=task_status)

    async def write(
        self, op: Callable[[Tables], T], *, patient: bool = False, size: int | None = None
    ) -> T:
        """Has the writer run *op* and returns its result once it is durable.

        *op* shares its transaction with others; what it raises undoes it alone and is raised
        here. Cancelling the wait doesn't undo what was queued: it is committed all the same.

        Args:
            op: Runs in the writer's thread, or on the event loop. It has nothing to do with trio,
                and with nothing that others change meanwhile.
            patient: It may wait up to 20 ms for others to share a commit with.
            size: About how many rows it reads or writes. None where they may be many.

        Raises:
            StorageUnavailable: It could not be made durable; nothing of it was kept.
            ConstraintBroken: *op* broke a rule of the schema.
            StoreClosed: The store is going down; *op* was not run.
        """
        return await self._writer.write(op, patient=patient, size=size)

    def submit(
        self,
        op: Callable[[Tables], T],
        done: Callable[[T | None, Exception | None], None],
        *,
        patient: bool = False,
        size: int | None = None,
    ) -> None:
        """Has the writer run *op*, as `write` does, without a task that waits for it.

        Args:
            op: As for `write`.
            done: Called on the event loop with the result or the error that `write` would have
                returned or raised, once that is durable: in the order in which operations came,
                and before what they changed is published. It must be quick and never raise.
            patient: As for `write`.
            size: As for `write`.

        Raises:
            WouldBlock: Too many wait already. `write` stands in line.
            StoreClosed: The store is going down; *op* is not run.
        """
        self._writer.submit(op, done, patient=patient, size=size)

    async def read(self, op: Callable[[Tables], T]) -> T:
        """Runs *op* on one state of the database, in a thread. Cancelling stops the query.

        Raises:
            StorageUnavailable: The file could not be read.
            StoreClosed: The store was closed.
        """
        if self._closed:
            raise StoreClosed
        return await trio.to_thread.run_sync(self._read, op, limiter=self._readers)

    def look(self, op: Callable[[Tables], Any], done: Done) -> Look | None:
        """Runs *op* as `read` does, without a task that waits for it.

        Args:
            op: As for `read`.
            done: Called on the event loop with the result or the error that `read` would have
                returned or raised. It must be quick and never raise.

        Returns:
            What has begun, and can be given up. None if no more reads may run now: `read` stands
            in line.
        """
        return None if self._closed else self._looks.begin(op, done)

    def stop_writing(self) -> None:
        """Takes no more writes. `run_writer` ends when those that wait are committed."""
        self._writer.stop()

    def close(self) -> None:
        """Copies the log into the file, closes it and gives up the lock. Takes a disk's time.

        What the copying can't do (a full disk) stays in the log, and nothing is lost; all of it
        does where it is Litestream's to copy. Writes that still wait are refused: await the
        writer's task first.
        """
        if self._closed:
            return
        self._closed = True
        self._looks.end()
        self._writer.end()
        # The connection that closes last checkpoints, if it may write: that is to be the writer,
        # or no connection.
        if self._checkpoint == "litestream":
            self._writing.close()
        for connection in self._reading:
            connection.close()
        if self._checkpoint == "gateway":
            with contextlib.suppress(sqlite3.Error):
                self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writing.close()
        os.close(self._held)
        os.close(self._lock)

    def statistics(self) -> WriterStatistics:
        """Returns what the writer has done, and what waits for it."""
        return self._writer.statistics()

    async def space(self) -> Space:
        """Returns how large the files are and how much room their disk has. Asks the file system.

        A disk may hang: then the wait can be given up, and the next ones wait for the first.
        """
        return await trio.to_thread.run_sync(
            data_file.space,
            self.path,
            self._held,
            abandon_on_cancel=True,
            limiter=self._sizes,
        )

    async def backup(
        self, target: Path, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Copies the database as it is now into a new file, while it is being used.

        Args:
            target: The file to make, of mode 0600. It appears when it is complete and durable.
            progress: Called on the event loop with the pages copied and the pages in all.

        Raises:
            BackupFailed: There is something at *target* already, or it can't be written.
        """
        if self._closed:
            raise StoreClosed
        await trio.to_thread.run_sync(
            backup.copy, self.path, target, progress, limiter=self._backups
        )

    async def backup_dated(
        self,
        folder: Path,
        now_ms: int,
        *,
        keep: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Path, list[Path]]:
        """Makes a copy whose name has the time, in a folder of such copies.

        With *keep*, all but the newest *keep* copies of this database are removed from there once
        the new one is durable.

        Returns:
            The copy, and what was removed.

        Raises:
            BackupFailed: It can't be written, or an old one can't be removed.
        """
        target = backup.dated(self.path, folder, now_ms)
        await self.backup(target, progress)
        if keep is None:
            return target, []
        removed = await trio.to_thread.run_sync(backup.prune, self.path, folder, keep)
        return target, removed

    # -- in a reader's thread

    def _read(self, op: Callable[[Tables], T], is_over: Callable[[], bool] = _is_cancelled) -> T:
        connection, tables = self._idle.pop()
        try:
            connection.execute("BEGIN")
            connection.set_progress_handler(is_over, PROGRESS_STEPS)
            try:
                return op(tables)
            finally:
                connection.set_progress_handler(None, 0)
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if code(error) == sqlite3.SQLITE_INTERRUPT:
                is_over()
            meant = translated(error)
            if meant is error:
                raise
            raise meant from error
        finally:
            self._idle.append((connection, tables))


def _connect(path: Path, opened: list[sqlite3.Connection]) -> sqlite3.Connection:
    # The first may write; the others can't even checkpoint.
    mode = "ro" if opened else "rw"
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        # trio runs each call in whichever thread is free; one at a time has the connection.
        check_same_thread=False,
        cached_statements=STATEMENTS,
        timeout=BUSY_MS / 1000,
    )
    opened.append(connection)
    return connection


def _prepare_writer(connection: sqlite3.Connection) -> None:
    # Its first transaction says when it copies the log (see `GroupCommit`).
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"the file system allows no write-ahead log, only {mode}")
    for pragma in (
        "synchronous = FULL",
        # macOS: a flush that reaches the disk and not only its cache. No effect elsewhere.
        "fullfsync = ON",
        "checkpoint_fullfsync = ON",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "trusted_schema = OFF",
        f"journal_size_limit = {LOG_LIMIT_BYTES}",
        f"cache_size = -{WRITER_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    for pragma in (
        "query_only = ON",
        "temp_store = MEMORY",
        "trusted_schema = OFF",
        "wal_autocheckpoint = 0",
        f"cache_size = -{READER_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _create(path: Path) -> None:
    """Makes an empty database of today's schema. It appears complete or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with _sqlite_errors(path):
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            file_owner.like_folder(descriptor, temporary)
            os.close(descriptor)
            with contextlib.closing(_connect(temporary, [])) as connection:
                migrations.migrate(connection)
            backup.flush(temporary)
            temporary.replace(path)
            backup.flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        temporary.with_name(temporary.name + "-journal").unlink(missing_ok=True)


def _narrow(path: Path) -> None:
    """Removes the rights of others on the file. SQLite gives its log the same."""
    # Not ours to change when another user owns it and lets us write: their choice.
    with contextlib.suppress(PermissionError):
        path.chmod(0o600)


@contextlib.contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise data_file.damaged(path, error) from error
    except OSError as error:
        raise data_file.refused(path, error) from error
