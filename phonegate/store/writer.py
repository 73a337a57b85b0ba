"""The one writer: everything that waits goes into one transaction, answered after its commit.

A commit costs a flush of the disk, which takes the time of hundreds of inserts; writers that
arrive while one is under way share the next. Each operation has its own savepoint, so that
one that fails is undone alone.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import attrs
import trio

from phonegate import log
from phonegate.histogram import Histogram
from phonegate.model.facts import Publish, unheard
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.model.times import now_ms
from phonegate.store.sqlite_errors import of_storage, translated
from phonegate.store.tables import Tables

T = TypeVar("T")

MAX_WAITING: Final = 1024
"""Operations that may wait for the writer; more wait in line to wait. Four full batches: deep
enough that the writer never idles under load, and a bound on memory."""

MAX_BATCH: Final = 256
"""Operations of one commit. Beyond it a flush is a small part of the cost already (47,000
inserts a second with 256 a commit, 25,000 with 32), and only the latency would grow."""

INDEX_AT: Final = 500
"""Messages missing in the index of words that are reason enough to add them under load.
Added in such groups they cost a third; a search looks through the missing ones itself."""

INDEX_AT_ONCE: Final = 1000
"""Messages added to the index in one go, and fewer of long ones (see `word_index.INDEXED_AT_ONCE`):
20 ms, which is what others may have to wait."""

COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From a flush that an SSD takes to one of a card that is wearing out."""

GROUP_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, MAX_BATCH)

GONE: Final = "the database file was deleted, moved or replaced"
"""Why nothing is written any more: SQLite goes on with the open file, which ends with the
process."""

_log = log.get("store")


@attrs.frozen(kw_only=True)
class WriterTimings:
    """The waits of the writer. Tests pass others."""

    batch_s: float = 0.05
    """A batch is committed once its operations have run this long: one operation may store 500
    messages, and no caller should wait for 256 of those."""
    patience_s: float = 0.02
    """How long a patient operation waits for others to share a commit with. Under load some come
    in less. A sender who waits for each answer brings the next: one flush with its report."""
    idle_s: float = 0.1
    """With chores to do, the writer waits this long for operations before it does them."""


WRITER_TIMINGS: Final = WriterTimings()


@attrs.frozen(kw_only=True)
class WriterStatistics:
    """What the writer has done since it was made, and what waits for it now."""

    waiting: int
    commit_seconds: Histogram
    """From the moment a group was taken up until it was durable or undone."""
    group_sizes: Histogram
    failures: int
    """Groups that could not be made durable."""
    failing: bool
    """Whether the last one could not."""


class _Order:
    """An operation that waits, and what came of it."""

    __slots__ = ("done", "error", "op", "result")

    def __init__(self, op: Callable[[Tables], Any]) -> None:
        self.op = op
        self.done = trio.Event()
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Owns the connection that writes. `run` is its task; `write` is for everybody else."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        is_there: Callable[[], bool] = lambda: True,
        publish: Publish = unheard,
        timings: WriterTimings = WRITER_TIMINGS,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        """Takes over a connection.

        Args:
            connection: The one that writes.
            is_there: Tells whether the file is at its path. What is written to another is lost.
            publish: Called with what a transaction has changed, once it is committed.
            timings: How long it waits for what.
            now_ms: The wall clock, by which changes are recorded.
        """
        self._is_there = is_there
        self._publish = publish
        self._timings = timings
        self._now_ms = now_ms
        self._connection = connection
        self._tables = Tables(connection)
        # Until looked: what the last run left undone.
        self._tables.word_index.missing = INDEX_AT
        self._send, self._receive = trio.open_memory_channel[_Order](MAX_WAITING)
        self._left: list[_Order] = []
        self._patient: list[_Order] = []
        self._patient_until = 0.0
        self._stopped = False
        self._rest = trio.CancelScope()
        # A thread of the writer's own: trio's default limit of 40 is shared with DNS look-ups.
        self._thread = trio.CapacityLimiter(1)
        self._using = threading.Lock()
        self._ended = self._failing = False
        self._commit_seconds = Histogram(COMMIT_BOUNDS_S)
        self._group_sizes = Histogram(GROUP_BOUNDS)
        self._failures = 0

    async def write(self, op: Callable[[Tables], T], *, patient: bool = False) -> T:
        """See `Database.write`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        order = _Order(op)
        if patient and not self._stopped and len(self._patient) < MAX_BATCH:
            self._wait_for_company(order)
        else:
            try:
                self._send.send_nowait(order)
            except trio.WouldBlock:
                await self._stand_in_line(order)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                raise StoreClosed from None
        await order.done.wait()
        if order.error is not None:
            try:
                raise order.error
            finally:
                del order  # Breaks the cycle of the error, its traceback and this frame.
        result: T = order.result
        return result

    def _wait_for_company(self, order: _Order) -> None:
        if not self._patient:
            self._patient_until = trio.current_time() + self._timings.patience_s
            self._rest.deadline = min(self._rest.deadline, self._patient_until)
        self._patient.append(order)

    async def _stand_in_line(self, order: _Order) -> None:
        try:
            await self._send.send(order)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise StoreClosed from None

    def statistics(self) -> WriterStatistics:
        """Returns what it has done since it was made, and what waits now."""
        channel = self._receive.statistics()
        return WriterStatistics(
            waiting=channel.current_buffer_used + channel.tasks_waiting_send + len(self._patient),
            commit_seconds=self._commit_seconds.copy(),
            group_sizes=self._group_sizes.copy(),
            failures=self._failures,
            failing=self._failing,
        )

    def stop(self) -> None:
        """Takes no more operations. `run` ends when those that wait are done."""
        self._stopped = True
        self._send.close()

    def end(self) -> None:
        """Leaves the connection to the caller, after a transaction under way. For good."""
        self.stop()
        with self._using:
            self._ended = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until `stop` was called and nothing waits.

        Cancelled, it answers everyone who waits with `StoreClosed`; what a commit under way
        still brings in is answered as ever.
        """
        batch: list[_Order] = []
        rounds = 0
        try:
            task_status.started()
            while True:
                batch = await self._next_batch()
                if batch:
                    begun = time.perf_counter()
                    ran = await self._in_thread(self._commit, batch)
                    self._commit_seconds.note(time.perf_counter() - begun)
                    self._group_sizes.note(ran)
                    for order in batch[:ran]:
                        order.done.set()
                    self._left.extend(batch[ran:])
                    self._note(batch[:ran])
                    self._publish_facts()
                rounds += 1
                # Under load chores get a turn now and then, else whenever nothing waits.
                if self._chores_due(idle=not batch, turn=rounds % 16 == 0):
                    await self._in_thread(self._do_chores)
                    self._publish_facts()
        except (trio.EndOfChannel, StoreClosed):
            pass
        finally:
            # In this order: who waits in line is sent away before the line is emptied.
            self.stop()
            with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
                while True:
                    self._left.append(self._receive.receive_nowait())
            self._receive.close()
            self._refuse([*batch, *self._left, *self._patient])

    async def _next_batch(self) -> list[_Order]:
        """Returns what waits, or nothing where only chores are due."""
        batch, self._left = self._left, []
        if not self._take_waiting(batch) and not batch:
            deadline = self._rest_until()
            with trio.CancelScope(deadline=deadline) as self._rest:
                try:
                    batch.append(await self._receive.receive())
                except trio.EndOfChannel:
                    if not self._patient:
                        raise
            self._take_waiting(batch)
        if batch or self._stopped or trio.current_time() >= self._patient_until:
            # Those that were patient came first.
            batch[:0], self._patient = self._patient, []
        return batch

    def _rest_until(self) -> float:
        """Returns when there is something to do, though no operation may come."""
        word_index, orgs = self._tables.word_index, self._tables.orgs
        until = self._patient_until if self._patient else float("inf")
        if self._failing or not (word_index.missing or orgs.removed):
            return until
        now = trio.current_time()
        return min(until, now if orgs.removed else now + self._timings.idle_s)

    def _take_waiting(self, batch: list[_Order]) -> bool:
        """Takes what waits, up to a whole batch. Returns whether there was anything."""
        took = len(batch)
        with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
            while len(batch) < MAX_BATCH:
                batch.append(self._receive.receive_nowait())
        return len(batch) > took

    def _chores_due(self, *, idle: bool, turn: bool) -> bool:
        if self._failing:
            return False
        if self._tables.word_index.missing >= INDEX_AT:
            return True
        return (idle and self._tables.word_index.missing > 0) or (
            (idle or turn) and self._tables.orgs.removed
        )

    def _note(self, ran: Sequence[_Order]) -> None:
        """Says once that the storage fails, and once that it is back."""
        failed = next((o.error for o in ran if isinstance(o.error, StorageUnavailable)), None)
        self._failures += failed is not None
        if failed is not None and not self._failing:
            _log.error("storage_unavailable", reason=failed.reason)
        if failed is None and self._failing:
            _log.info("storage_recovered")
        self._failing = failed is not None

    def _publish_facts(self) -> None:
        """Tells what was committed. Of what was undone there is nothing left to tell."""
        if facts := self._tables.facts:
            committed = tuple(facts)
            facts.clear()
            self._publish(committed)

    def _refuse(self, orders: Sequence[_Order]) -> None:
        for order in orders:
            if not order.done.is_set():
                order.error = StoreClosed()
                order.done.set()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await trio.to_thread.run_sync(self._use, work, *arguments, limiter=self._thread)

    # -- in the writer's thread

    def _use(self, work: Callable[..., T], *arguments: object) -> T:
        with self._using:
            if self._ended:
                raise StoreClosed
            return work(*arguments)

    def _commit(self, batch: Sequence[_Order]) -> int:
        """Runs operations in one transaction and commits it. Returns how many of *batch* ran."""
        ran = 0
        if not self._is_there():
            return self._undo(batch, sqlite3.OperationalError(GONE))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            until = time.perf_counter() + self._timings.batch_s
            for order in batch:
                ran += 1
                self._attempt(order)
                if time.perf_counter() > until:
                    break
            self._tables.complete(self._now_ms())
            self._connection.execute("COMMIT")
            self._tables.committed()
        except _TransactionFailed as failure:
            return self._undo(batch, failure.cause)
        except (sqlite3.Error, MemoryError) as error:
            return self._undo(batch, error)
        return ran

    def _attempt(self, order: _Order) -> None:
        mark = self._tables.mark()
        self._connection.execute("SAVEPOINT op")
        try:
            order.result = order.op(self._tables)
        except Exception as error:
            # A full disk can roll back the whole transaction, with what others did in it.
            if of_storage(error) or not self._connection.in_transaction:
                raise _TransactionFailed(error) from error
            self._connection.execute("ROLLBACK TO op")
            self._tables.undo(mark)
            order.error = translated(error)
        if not self._connection.in_transaction:
            raise _TransactionFailed(sqlite3.OperationalError("the transaction was lost"))
        self._connection.execute("RELEASE op")

    def _undo(self, batch: Sequence[_Order], error: BaseException) -> int:
        """Undoes the transaction and tells everyone in it."""
        self._roll_back()
        reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
        for order in batch:
            order.result = None
            order.error = StorageUnavailable(reason)
        return len(batch)

    def _roll_back(self) -> None:
        self._tables.undone()
        # A rollback that fails leaves the transaction to the next BEGIN, which then fails too
        # and comes here again.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _do_chores(self) -> None:
        """Brings the index of words up to date and clears removed orgs away, one slice of each.

        A failure undoes the slice and leaves it to a later turn, since no caller waits for it.
        """
        word_index, orgs = self._tables.word_index, self._tables.orgs
        try:
            if word_index.missing:
                known = word_index.missing
                self._connection.execute("BEGIN IMMEDIATE")
                added, complete = word_index.add_missing(INDEX_AT_ONCE)
                self._connection.execute("COMMIT")
                word_index.missing = 0 if complete else max(known - added, INDEX_AT)
            if orgs.removed:
                self._connection.execute("BEGIN IMMEDIATE")
                self._tables.clear_slice()
                self._tables.complete(self._now_ms())
                self._connection.execute("COMMIT")
                self._tables.committed()
        except (sqlite3.Error, MemoryError) as error:
            self._roll_back()
            # Chores rest until an operation has been committed again.
            self._failing = True
            reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            _log.error("chores_failed", reason=reason)


class _TransactionFailed(Exception):
    """An operation met a failure of the storage; nothing of the transaction can be kept."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(str(cause))
