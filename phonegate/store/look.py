"""Reads that no task waits for: each runs in a thread, and its result comes back to the event loop.

To hand a read to a thread of trio's, and to wake the task that waits for it, costs as much as to
read a dozen messages.
"""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import trio

from phonegate import log
from phonegate.store.tables import Tables

Op = Callable[[Tables], Any]
"""What is read."""

Done = Callable[[Any, Exception | None], None]
"""Takes the result of a read, or its error."""

_log = log.get("store")


class Look:
    """A read that was begun."""

    __slots__ = ("_given_up", "done", "op")

    def __init__(self, op: Op, done: Done) -> None:
        self.op = op
        self.done = done
        self._given_up = False

    def give_up(self) -> None:
        """Lets it end as soon as it can. `done` is called all the same."""
        self._given_up = True

    def is_given_up(self) -> bool:
        """Tells SQLite whether to stop."""
        return self._given_up


class LookThreads:
    """The threads of looks, each made when it is first needed. For the event loop alone.

    Args:
        read: Reads, in a thread. The second argument tells, now and then, whether to stop.
        readers: What bounds the reads of all kinds. There are as many threads at most.
    """

    def __init__(
        self, read: Callable[[Op, Callable[[], bool]], Any], readers: trio.CapacityLimiter
    ) -> None:
        self._read: Final = read
        self._readers: Final = readers
        self._threads: list[threading.Thread] = []
        self._handed: queue.SimpleQueue[tuple[Look, trio.lowlevel.TrioToken] | None]
        self._handed = queue.SimpleQueue()
        self._under_way: set[Look] = set()

    def begin(self, op: Op, done: Done) -> Look | None:
        """Begins a read, if there is room for it now. Else returns None."""
        look = Look(op, done)
        try:
            self._readers.acquire_on_behalf_of_nowait(look)
        except trio.WouldBlock:
            return None
        self._under_way.add(look)
        if len(self._threads) < len(self._under_way):
            thread = threading.Thread(target=self._serve, name="reader", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._handed.put((look, trio.lowlevel.current_trio_token()))
        return look

    def end(self) -> None:
        """Gives up what is under way, and waits for it."""
        for look in self._under_way:
            look.give_up()
        for _ in self._threads:
            self._handed.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _ended(self, look: Look, result: Any, error: Exception | None) -> None:
        self._readers.release_on_behalf_of(look)
        self._under_way.discard(look)
        try:
            look.done(result, error)
        except Exception:  # noqa: BLE001 - whatever it is, the event loop goes on
            _log.exception("answer_failed")

    # -- in a thread

    def _serve(self) -> None:
        while (handed := self._handed.get()) is not None:
            look, token = handed
            result, error = None, None
            try:
                result = self._read(look.op, look.is_given_up)
            except Exception as fault:  # noqa: BLE001 - its caller gets it
                error = fault
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(self._ended, look, result, error)
            del handed, look, result, error  # While it waits, it holds no page.
