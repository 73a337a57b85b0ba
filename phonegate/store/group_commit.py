"""Operations in one transaction, each undone alone where it fails.

A commit costs a flush of the disk, which takes the time of hundreds of inserts: what waits shares
one. Joint operations of a class share their statements too, and a savepoint. Only where they can't
be done together does each have a savepoint of its own, like all other operations.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from phonegate import log
from phonegate.model.facts import Fact
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.conversations import ADD_AT, ADD_AT_REST, ADDED_AT_ONCE
from phonegate.store.joint import Joint
from phonegate.store.sqlite_errors import code, of_storage, translated
from phonegate.store.tables import Mark, Tables

JOINT_ROWS: Final = 512
"""Rows of joint operations that are done together: some 10 ms, after which a long transaction can
be cut. From 64 rows on a statement costs the same for each."""

INDEX_AT: Final = 500
"""Messages missing in the index of words that are reason enough to add them under load.
Added in such groups they cost a third; a search looks through the missing ones itself."""

INDEX_AT_ONCE: Final = 1000
"""Messages added to the index in one go, and fewer of long ones (see `word_index.INDEXED_AT_ONCE`):
20 ms, which is what others may have to wait."""

BUSY_MS: Final = 5_000
"""How long to wait for a lock that another program holds on the file, such as `sqlite3`."""

GONE: Final = "the database file was deleted, moved or replaced"
"""Why nothing is written any more: SQLite goes on with the open file, which ends with the
process."""

Done = Callable[[Any, Exception | None], None]
"""Takes the result of an operation, or its error."""

_log = log.get("store")


class Order:
    """An operation that waits, and what came of it."""

    __slots__ = ("done", "error", "op", "ran", "result", "size")

    def __init__(self, op: Callable[[Tables], Any], done: Done, size: int | None = None) -> None:
        self.op = op
        self.done = done
        self.size = size
        """About how many rows it reads or writes. None where that is not known."""
        self.ran = False
        """Whether it was done, or has failed: there is no more to come of it."""
        self.result: Any = None
        self.error: Exception | None = None


@attrs.frozen
class Outcome:
    """What came of a transaction."""

    facts: Sequence[Fact] = ()
    """What it has changed, for those who want to know."""
    flush_s: float = 0.0
    """How long its COMMIT took."""
    failed: bool = False
    """Whether nothing of it could be made durable."""


class Locked(Exception):
    """Another program holds a lock on the file, which can be waited for. Nothing was done."""


class GroupCommit:
    """The connection that writes, and the transactions on it. One caller at a time may use it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        is_there: Callable[[], bool],
        batch_s: float,
        now_ms: Callable[[], int],
        checkpoint_pages: int = 0,
    ) -> None:
        """Takes over a connection.

        Args:
            connection: The one that writes.
            is_there: Tells whether the file is at its path. What is written to another is lost.
            batch_s: A transaction is committed once its operations have run this long.
            now_ms: The wall clock, by which changes are recorded.
            checkpoint_pages: A commit in the thread copies the log into the file once it has so
                many pages. 0: none does.
        """
        self._checkpoint_pages = checkpoint_pages
        self._on_loop: bool | None = None
        self._connection = connection
        self._is_there = is_there
        self._batch_s = batch_s
        self._now_ms = now_ms
        self._tables = Tables(connection)
        # Until looked: what the last run left undone.
        self._tables.word_index.missing = INDEX_AT
        self._tables.conversations.missing = ADD_AT_REST

    # -- what there is to do

    @property
    def unindexed(self) -> int:
        """About how many messages the index of words lacks."""
        return self._tables.word_index.missing

    @property
    def is_behind(self) -> bool:
        """Whether words or conversations are to be brought up to date at rest."""
        tables = self._tables
        return tables.word_index.missing > 0 or tables.conversations.missing >= ADD_AT_REST

    @property
    def has_removed(self) -> bool:
        """Whether removed orgs have left something."""
        return bool(self._tables.orgs.removed)

    # -- transactions

    def commit(self, orders: Sequence[Order], *, on_loop: bool = False) -> Outcome:
        """Runs operations in one transaction and commits it.

        Those that took too long together are left, not `ran`, and of the others each has its
        result or error.

        Raises:
            Locked: On the loop, where it can't begin at once.
        """
        if not self._is_there():
            return self._undo(orders, sqlite3.OperationalError(GONE))
        try:
            self._begin(on_loop=on_loop)
            until = time.perf_counter() + self._batch_s
            for unit in units(orders):
                if len(unit) == 1:
                    self._attempt(unit[0])
                else:
                    self._attempt_together(unit)
                if time.perf_counter() > until:
                    break
            self._tables.complete(self._now_ms())
            begun = time.perf_counter()
            self._connection.execute("COMMIT")
            flush_s = time.perf_counter() - begun
            self._tables.committed()
        except _TransactionFailed as failure:
            return self._undo(orders, failure.cause)
        except (sqlite3.Error, MemoryError) as error:
            return self._undo(orders, error)
        return Outcome(self._take_facts(), flush_s)

    def _begin(self, *, on_loop: bool) -> None:
        if on_loop is not self._on_loop:
            pages, wait_ms = (0, 0) if on_loop else (self._checkpoint_pages, BUSY_MS)
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            self._connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
            self._on_loop = on_loop
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if on_loop and code(error) == sqlite3.SQLITE_BUSY:
                raise Locked from error
            raise

    def _attempt(self, order: Order) -> None:
        mark = self._tables.mark()
        self._connection.execute("SAVEPOINT op")
        try:
            order.result = order.op(self._tables)
        except Exception as error:  # noqa: BLE001 - its sender gets it
            self._check(error)
            self._back_to_savepoint(mark)
            order.error = translated(error)
        self._release()
        order.ran = True

    def _attempt_together(self, unit: Sequence[Order]) -> None:
        ops: list[Any] = [order.op for order in unit]
        kind: type[Joint[Any]] = type(ops[0])
        mark = self._tables.mark()
        self._connection.execute("SAVEPOINT op")
        try:
            results = kind.together(self._tables, ops)
        except Exception as error:  # noqa: BLE001 - each alone says what is wrong with it
            self._check(error)
            results = None
        if results is None:
            self._back_to_savepoint(mark)
        self._release()
        if results is None:
            for order in unit:
                self._attempt(order)
            return
        for order, result in zip(unit, results, strict=True):
            if isinstance(result, Exception):
                order.error = translated(result)
            else:
                order.result = result
            order.ran = True

    def _check(self, error: Exception) -> None:
        # A full disk can roll back the whole transaction, with what others did in it.
        if of_storage(error) or not self._connection.in_transaction:
            raise _TransactionFailed(error) from error

    def _back_to_savepoint(self, mark: Mark) -> None:
        self._connection.execute("ROLLBACK TO op")
        self._tables.undo(mark)

    def _release(self) -> None:
        if not self._connection.in_transaction:
            raise _TransactionFailed(sqlite3.OperationalError("the transaction was lost"))
        self._connection.execute("RELEASE op")

    def _undo(self, orders: Sequence[Order], error: BaseException) -> Outcome:
        """Undoes the transaction and tells everyone in it."""
        self._roll_back()
        reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
        for order in orders:
            order.ran = True
            order.result = None
            order.error = StorageUnavailable(reason)
        return Outcome(failed=True)

    def _roll_back(self) -> None:
        self._tables.undone()
        # A rollback that fails leaves the transaction to the next BEGIN, which then fails too
        # and comes here again.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _take_facts(self) -> Sequence[Fact]:
        facts = tuple(self._tables.facts)
        self._tables.facts.clear()
        return facts

    # -- chores

    def do_chores(self, *, at_rest: bool) -> Outcome:
        """Brings words and conversations up to date, and clears removed orgs away, a slice of each.

        A failure undoes the slice and leaves it to a later turn, since no caller waits for it.

        Args:
            at_rest: Whether there is nothing else to do.
        """
        word_index, conversations = self._tables.word_index, self._tables.conversations
        orgs = self._tables.orgs
        many = conversations.missing >= (ADD_AT_REST if at_rest else ADD_AT)
        try:
            if word_index.missing or many:
                self._begin(on_loop=False)
                added, indexed = 0, True
                if word_index.missing:
                    added, indexed = word_index.add_missing(INDEX_AT_ONCE)
                complete = many and conversations.add_missing(ADDED_AT_ONCE)
                self._connection.execute("COMMIT")
                word_index.missing = 0 if indexed else max(word_index.missing - added, INDEX_AT)
                if many:
                    left = max(conversations.missing - ADDED_AT_ONCE, ADD_AT_REST)
                    conversations.missing = 0 if complete else left
                else:
                    conversations.missing += added
            if orgs.removed:
                self._begin(on_loop=False)
                self._tables.clear_slice()
                self._tables.complete(self._now_ms())
                self._connection.execute("COMMIT")
                self._tables.committed()
        except (sqlite3.Error, MemoryError) as error:
            self._roll_back()
            reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            _log.error("chores_failed", reason=reason)
            return Outcome(failed=True)
        return Outcome(self._take_facts())


def units(orders: Sequence[Order]) -> list[list[Order]]:
    """Returns what is done together, in its order: joint operations of a class, others alone.

    Joint operations with no other one between them are gathered by class, up to `JOINT_ROWS`.
    """
    found: list[list[Order]] = []
    gathering: dict[type, tuple[list[Order], int]] = {}
    for order in orders:
        op = order.op
        if not isinstance(op, Joint):
            gathering.clear()
            found.append([order])
            continue
        kind = type(op)
        unit, rows = gathering.get(kind, (None, 0))
        if unit is None or rows + op.size > JOINT_ROWS:
            unit, rows = [], 0
            found.append(unit)
        unit.append(order)
        gathering[kind] = unit, rows + op.size
    return found


class _TransactionFailed(Exception):
    """An operation met a failure of the storage; nothing of the transaction can be kept."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(str(cause))
