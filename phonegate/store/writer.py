"""The one writer: what waits at the same time shares a commit.

One group of operations is under way at a time. What comes meanwhile waits for the next: the more
comes, the larger the groups, and the fewer flushes of the disk each operation costs.

A group runs on the loop itself, in the task of `Writer.run`, if its operations are few and small
and the disk is quick (see `commit_place`). Else it is handed to the writer's thread at the end of
the turn, or on a slow disk as soon as the group before it has ended. Chores are for the thread. The
connection is handed over whole: until what came of it is back, the loop does not touch it. The
thread never takes operations by itself, which would make the groups small.
"""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeVar

import attrs
import trio

from phonegate import log
from phonegate.histogram import Histogram
from phonegate.model.facts import Publish, unheard
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.store.commit_place import CommitPlace, Commits
from phonegate.store.group_commit import INDEX_AT, GroupCommit, Locked, Order, Outcome
from phonegate.store.joint import Joint
from phonegate.store.tables import Tables
from phonegate.turn_end import at_turn_end

T = TypeVar("T")

MAX_WAITING: Final = 1024
"""Operations that may wait for the writer; more wait in line to wait. Four full batches: deep
enough that the writer never idles under load, and a bound on memory."""

MAX_BATCH: Final = 256
"""Operations of one commit. Beyond it a flush is a small part of the cost already (47,000
inserts a second with 256 a commit, 25,000 with 32), and only the latency would grow."""

COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""From a flush that an SSD takes to one of a card that is wearing out."""

GROUP_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, MAX_BATCH)

LOOP_ROWS: Final = 200
"""Rows of a commit on the event loop, which stands still meanwhile: 3 to 5 ms."""

LOOP_ROWS_IN_ALL: Final = 500
"""Rows after which a commit runs in the thread even so, where it may copy the log into the file: a
fraction of `CHECKPOINT_PAGES`, so that the log stays about as large."""

SLOW_FLUSH_S: Final = 0.002
"""A flush that is worth being used: what waits by then is handed over before the batch is answered,
not at the end of the turn, so that the disk and the loop work at once. After a quicker one more
share the next by waiting for the turn's end."""

CHORES_EVERY: Final = 16
"""Commits after which removed orgs are cleared away, though operations wait."""

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


class Writer:
    """Hands operations over to the connection that writes, and what came of them back.

    `run` is its task; `submit` and `write` are for everybody else.
    """

    def __init__(
        self,
        group_commit: GroupCommit,
        *,
        publish: Publish = unheard,
        timings: WriterTimings = WRITER_TIMINGS,
        commits: Commits = "thread",
    ) -> None:
        """Takes over a connection.

        Args:
            group_commit: The one that writes.
            publish: Called with what a transaction has changed, once it is committed.
            timings: How long it waits for what.
            commits: Where commits run.
        """
        self._group_commit = group_commit
        self._place = CommitPlace(commits)
        self._rows_on_loop = 0
        """Rows that were committed on the loop since the thread last had the connection."""
        self._publish = publish
        self._timings = timings
        self._waiting: deque[Order] = deque()
        self._line: dict[Order, None] = {}
        """Those for which there was no room among the ones that wait."""
        self._patient: list[Order] = []
        self._patient_until = self._idle_until = 0.0
        self._asked = False
        """Whether the end of this turn, or `run` in the next, looks for something to do already."""
        self._busy = False
        """Whether the connection was handed over. All else is for the event loop alone."""
        self._token: trio.lowlevel.TrioToken | None = None
        self._handed: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._under_way: Sequence[Order] = ()
        self._using = threading.Lock()
        self._stopped = self._ended = self._failing = self._chores_next = False
        self._fault: BaseException | None = None
        """What only a fault of this program explains. It ends `run`."""
        self._resting: trio.lowlevel.Task | None = None
        """The task of `run`, where it waits to be woken."""
        self._called = False
        """Whether it was called while it did something else."""
        self._rest = trio.CancelScope()
        self._rounds = 0
        self._commit_seconds = Histogram(COMMIT_BOUNDS_S)
        self._group_sizes = Histogram(GROUP_BOUNDS)
        self._failures = 0

    # -- for those who write

    async def write(
        self, op: Callable[[Tables], T], *, patient: bool = False, size: int | None = None
    ) -> T:
        """See `Database.write`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        order = Order(op, partial(_wake, trio.lowlevel.current_task()), _size_of(op, size))
        if self._has_room(patient=patient):
            self._add(order, patient=patient)
        else:
            self._line[order] = None

        def leave(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._line.pop(order, None)
            order.done = _unheard
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)
        if order.error is not None:
            try:
                raise order.error
            finally:
                del order, leave  # Breaks the cycle of the error, its traceback and this frame.
        result: T = order.result
        return result

    def submit(
        self,
        op: Callable[[Tables], T],
        done: Callable[[T | None, Exception | None], None],
        *,
        patient: bool = False,
        size: int | None = None,
    ) -> None:
        """See `Database.submit`."""
        if not self._has_room(patient=patient):
            raise trio.WouldBlock
        self._add(Order(op, done, _size_of(op, size)), patient=patient)

    def _has_room(self, *, patient: bool) -> bool:
        if self._stopped:
            raise StoreClosed
        if patient and len(self._patient) < MAX_BATCH:
            return True
        return len(self._waiting) < MAX_WAITING and not self._line

    def _add(self, order: Order, *, patient: bool) -> None:
        if patient and len(self._patient) < MAX_BATCH:
            if not self._patient:
                self._patient_until = trio.current_time() + self._timings.patience_s
                self._rest.deadline = min(self._rest.deadline, self._patient_until)
            self._patient.append(order)
        else:
            self._waiting.append(order)
            self._look()

    def statistics(self) -> WriterStatistics:
        """Returns what it has done since it was made, and what waits now."""
        return WriterStatistics(
            waiting=len(self._waiting) + len(self._line) + len(self._patient),
            commit_seconds=self._commit_seconds.copy(),
            group_sizes=self._group_sizes.copy(),
            failures=self._failures,
            failing=self._failing,
        )

    # -- running

    def stop(self) -> None:
        """Takes no more operations. `run` ends when those that wait are done."""
        self._stopped = True
        self._wake()

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
        token = self._token = trio.lowlevel.current_trio_token()
        thread = threading.Thread(target=self._serve, args=(token,), name="writer", daemon=True)
        thread.start()
        self._idle_until = trio.current_time() + self._timings.idle_s
        try:
            task_status.started()
            await trio.lowlevel.checkpoint_if_cancelled()
            while not self._is_over():
                # One scope for many commits: it costs as much as a part of one.
                with trio.CancelScope(deadline=self._rest_until()) as self._rest:
                    while not self._is_over():
                        self._hand_over(here=True)
                        await self._until_woken()
            if self._fault is not None:
                raise self._fault
        finally:
            self.stop()
            self._token = None
            # Without a deadline: while the disk hangs, nothing else may have the connection.
            with trio.CancelScope(shield=True):
                while self._busy:
                    await self._until_woken()
            left = [*self._under_way, *self._patient, *self._waiting, *self._line]
            self._under_way = ()
            for waiting in (self._patient, self._waiting, self._line):
                waiting.clear()
            self._refuse(left)
            self._handed.put(None)
            thread.join()

    async def _until_woken(self) -> None:
        def leave(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._resting = None
            return trio.lowlevel.Abort.SUCCEEDED

        if self._called:
            self._called = False
            await trio.lowlevel.checkpoint()
            return
        self._resting = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(leave)

    def _wake(self) -> None:
        """Lets `run` look around in the next turn."""
        if self._resting is None:
            self._called = True
            return
        task, self._resting = self._resting, None
        trio.lowlevel.reschedule(task)

    def _is_over(self) -> bool:
        if self._fault is not None or self._ended:
            return True
        return self._stopped and not (self._busy or self._waiting or self._patient)

    def _rest_until(self) -> float:
        """Returns when there is something to do, though no operation may come."""
        if self._busy or self._waiting or self._stopped:
            return float("inf")
        until = self._patient_until if self._patient else float("inf")
        if self._failing:
            return until
        if self._group_commit.has_removed:
            return trio.current_time()
        return min(until, self._idle_until) if self._group_commit.is_behind else until

    def _look(self) -> None:
        """Has the end of this turn hand over what waits by then, or `run` commit it in the next.

        The loop's commits are for `run`: they wake tasks, which the end of a turn must not.
        """
        if self._asked or self._busy:
            return
        self._asked = True
        if self._place.is_loop(time.perf_counter()):
            self._wake()
        else:
            at_turn_end(self._hand_over)

    def _hand_over(self, *, here: bool = False) -> None:
        """Gives the connection its next work: on the loop if that is `here`, else in its thread."""
        self._asked = False
        if self._busy or self._token is None:
            return
        if not self._chores_next:
            if batch := self._next_batch():
                self._busy = True
                rows = self._bound_for_loop(batch) if here else None
                self._under_way = batch
                take = partial(self._committed, time.perf_counter(), rows)
                if rows is None or not self._commit_here(batch, take):
                    self._to_thread(partial(self._group_commit.commit, batch), take)
                return
            if self._rest_until() > trio.current_time():
                return
        self._busy = True
        chores = partial(self._group_commit.do_chores, at_rest=not self._chores_next)
        self._chores_next = False
        self._to_thread(chores, self._chores_done)

    def _to_thread(self, work: Callable[[], Outcome], take: "_Take") -> None:
        self._rows_on_loop = 0
        self._handed.put((work, take))

    def _commit_here(self, batch: list[Order], take: "_Take") -> bool:
        """Commits on the loop. Returns whether that could be done without waiting for a lock."""
        made = self._made(partial(self._group_commit.commit, batch, on_loop=True))
        if isinstance(made, Locked):
            return False
        self._landed(take, made)
        return True

    def _bound_for_loop(self, batch: list[Order]) -> int | None:
        """Leaves as many of these in the batch as the loop may commit, and returns their rows.

        None where it is to be committed in the thread, all of it.
        """
        if self._rows_on_loop >= LOOP_ROWS_IN_ALL or not self._place.is_loop(time.perf_counter()):
            return None
        rows = count = 0
        for order in batch:
            if order.size is None or rows + order.size > LOOP_ROWS:
                break
            rows += order.size
            count += 1
        if not count:
            return None
        self._waiting.extendleft(reversed(batch[count:]))
        del batch[count:]
        self._rows_on_loop += rows + 1
        return rows

    def _next_batch(self) -> list[Order]:
        batch: list[Order] = []
        if self._waiting or self._stopped or trio.current_time() >= self._patient_until:
            # Those that were patient came first.
            batch, self._patient = self._patient, []
        waiting, line = self._waiting, self._line
        for _ in range(min(len(waiting), MAX_BATCH)):
            batch.append(waiting.popleft())
        while line and len(waiting) < MAX_WAITING:
            order = next(iter(line))
            del line[order]
            waiting.append(order)
        return batch

    # -- what came of it

    def _landed(self, take: "_Take", made: "Outcome | BaseException") -> None:
        self._busy = False
        if isinstance(made, Outcome):
            try:
                take(made)
            except Exception as fault:  # noqa: BLE001 - `run` raises it
                self._fault = fault
        elif not isinstance(made, StoreClosed):
            self._fault = made
        # `run` refuses what `end` has come before.
        if self._stopped or self._fault is not None:
            self._wake()
        if self._waiting or self._chores_next:
            self._look()
        elif (until := self._rest_until()) < self._rest.deadline:
            self._rest.deadline = until

    def _committed(self, begun: float, rows: int | None, made: Outcome) -> None:
        batch, self._under_way = self._under_way, ()
        ran = [order for order in batch if order.ran]
        now = time.perf_counter()
        self._commit_seconds.note(now - begun)
        if not made.failed:
            count = len(ran) if rows is None else rows
            self._place.note(made.flush_s, count, now, in_thread=rows is None)
        self._group_sizes.note(len(ran))
        self._waiting.extendleft(order for order in reversed(batch) if not order.ran)
        self._note(ran)
        self._rounds += 1
        # Under load chores get a turn now and then, else whenever nothing waits.
        turn = self._rounds % CHORES_EVERY == 0 and self._group_commit.has_removed
        much = self._group_commit.unindexed >= INDEX_AT
        self._chores_next = (turn or much) and not self._failing
        self._idle_until = trio.current_time() + self._timings.idle_s
        if made.flush_s > SLOW_FLUSH_S and self._waiting and not self._place.is_loop(now):
            # The disk works on while the loop answers these.
            self._hand_over()
        _tell(ran)
        if made.facts:
            self._publish(made.facts)

    def _chores_done(self, made: Outcome) -> None:
        # After a failure chores rest until an operation has been committed again.
        self._failing = made.failed
        self._idle_until = trio.current_time() + self._timings.idle_s
        if made.facts:
            self._publish(made.facts)

    def _note(self, ran: Sequence[Order]) -> None:
        """Says once that the storage fails, and once that it is back."""
        failed = next((o.error for o in ran if isinstance(o.error, StorageUnavailable)), None)
        self._failures += failed is not None
        if failed is not None and not self._failing:
            _log.error("storage_unavailable", reason=failed.reason)
        if failed is None and self._failing:
            _log.info("storage_recovered")
        self._failing = failed is not None

    def _refuse(self, orders: Sequence[Order]) -> None:
        for order in orders:
            order.error = StoreClosed()
        _tell(orders)

    def _made(self, work: Callable[[], Outcome]) -> Outcome | BaseException:
        """Returns what came of using the connection, or the fault by which nothing did."""
        with self._using:
            if self._ended:
                return StoreClosed()
            try:
                return work()
            except BaseException as fault:  # noqa: BLE001 - `run` raises it
                return fault

    # -- in the writer's thread

    def _serve(self, token: trio.lowlevel.TrioToken) -> None:
        while (handed := self._handed.get()) is not None:
            work, take = handed
            made = self._made(work)
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(self._landed, take, made)
            del handed, work, take, made  # While it waits, it holds no message.


_Take = Callable[[Outcome], None]
"""Takes what came of using the connection, on the event loop."""

_Work = tuple[Callable[[], Outcome], _Take]
"""What is done with the connection, and what takes the outcome."""


def _size_of(op: object, size: int | None) -> int | None:
    return op.size if isinstance(op, Joint) else size


def _wake(task: trio.lowlevel.Task, _result: object, _error: object) -> None:
    trio.lowlevel.reschedule(task)


def _unheard(_result: object, _error: object) -> None:
    """Tells a result to no waiter: it has left."""


def _tell(orders: Iterable[Order]) -> None:
    for order in orders:
        try:
            order.done(order.result, order.error)
        except Exception:  # noqa: BLE001 - whatever it is, the others are answered
            _log.exception("answer_failed")
