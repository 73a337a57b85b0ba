"""Work for the end of the event loop's turn: once all tasks that could run have had their step.

What many tasks of one turn ask for can then be done once: the log lines of all of them are one
write, and so are the frames that they sent to one phone.
"""

import logging
from collections.abc import Callable
from typing import Final

import trio

_log = logging.getLogger("phonegate.turn_end")
"""Not `phonegate.log`, which gathers its lines by this module, and takes those of `logging` too."""


class _TurnEnd(trio.abc.Instrument):
    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - of every instrument
        self._do()

    def after_run(self) -> None:
        # The last turn waits for nothing.
        self._do()

    def _do(self) -> None:
        while self.work:
            some, self.work = self.work, []
            for one in some:
                try:
                    one()
                except Exception:  # noqa: BLE001 - whatever it is, other work goes on
                    # What it raised would make trio call this instrument no more.
                    _log.exception("turn_end_failed")


_OF_RUN: Final[trio.lowlevel.RunVar[_TurnEnd | None]] = trio.lowlevel.RunVar("turn_end", None)


def at_turn_end(work: Callable[[], None]) -> None:
    """Has work done at the end of this turn, after what was given before, or at once in no run.

    It is done before the loop waits for anything, so it must be quick, never wait and never raise.
    It must not wake a task either, nor start one: the loop has decided by then how long to wait.
    `trio.lowlevel.current_trio_token().run_sync_soon` may. What it asks for by `at_turn_end` is
    done in the same turn. A caller notes that it has asked, and asks once a turn.
    """
    try:
        turn_end = _OF_RUN.get()
    except RuntimeError:  # a thread, or a program that runs no trio
        work()
        return
    if turn_end is None:
        turn_end = _TurnEnd()
        _OF_RUN.set(turn_end)
        trio.lowlevel.add_instrument(turn_end)
    turn_end.work.append(work)
