"""Copies of the database: made on an order, and noted where they were put.

A copy of a large database takes minutes. A command stays for it, and a browser does not: for that
there is the desk, which makes one copy at a time and tells how far it is.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.model.refusals import BadInput, Conflict, FieldProblem
from phonegate.model.storage_errors import StoreClosed, StoreError
from phonegate.quantities import size
from phonegate.store.copies import MadeCopy
from phonegate.store.database import Database

ROOM: Final = 2
"""How many copies of this size must have room, so that copies that are ordered again and again do
not fill the disk, and no message is stored any more."""

SHOWN: Final = 5
"""Of the copies that were made last."""

_log = log.get("operations")


@attrs.frozen(kw_only=True)
class Copy:
    """A copy that is complete."""

    file: str
    size: int
    removed: tuple[str, ...] = ()
    """Older copies that were removed."""


async def make_copy(
    database: Database,
    target: Path,
    now: int,
    *,
    keep: int | None = None,
    into_folder: bool,
    progress: Callable[[int, int], None],
) -> Copy:
    """Copies a database while everything goes on, and notes that.

    Args:
        database: What is copied.
        target: The new file, or the folder in which it gets a name with the time.
        now: The time, in ms.
        keep: How many dated copies stay in the folder. None: all.
        into_folder: Whether `target` is a folder.
        progress: Called with what is done, and of how much.

    Raises:
        StoreError, OSError: There is no copy, or an old one can't be removed.
    """
    removed = list[Path]()
    if into_folder:
        target, removed = await database.backup_dated(target, now, keep=keep, progress=progress)
    else:
        await database.backup(target, progress)
    size = (await trio.Path(target).stat()).st_size
    try:
        made = MadeCopy(now, str(target), size)
        await database.write(lambda tx: tx.copies.note(made))
    except StoreError as error:
        # A full disk may be why it was made.
        _log.warning("copy_not_noted", reason=str(error))
    return Copy(file=str(target), size=size, removed=tuple(map(str, removed)))


@attrs.frozen(kw_only=True)
class CopyOrder:
    """A copy to be made in a folder."""

    folder: Path
    keep: int | None
    began_at: int
    """In ms."""


class CopyDesk:
    """Makes one copy after the other, as they are ordered.

    Args:
        database: What is copied.
        now_ms: The clock.
    """

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._ask, self._asked = trio.open_memory_channel[CopyOrder](1)
        self.running: CopyOrder | None = None
        self.progress: tuple[int, int] = (0, 0)
        """What is done of the running copy, and of how much."""
        self.problem: str | None = None
        """Why the last order has led to no copy."""

    async def order(self, folder: Path, keep: int | None) -> None:
        """Orders a copy in a folder.

        Raises:
            BadInput: There is no such folder, or too little room in it.
            Conflict: One is being made already.
        """
        if not folder.is_absolute():
            problem = "must be an absolute path on the gateway's machine"
            raise BadInput(f"folder {problem}.", [FieldProblem("folder", problem)])
        there = False
        with suppress(OSError, ValueError):  # a path that is too long, or that no system takes
            there = await trio.Path(folder).is_dir()
        if not there:
            problem = "must be a folder that is there, on the gateway's machine"
            raise BadInput(f"folder {problem}.", [FieldProblem("folder", problem)])
        await self._require_room(folder)
        if self.running is not None:
            raise Conflict("A copy is being made already. Wait until it is complete.")
        order = CopyOrder(folder=folder, keep=keep, began_at=self._now_ms())
        self.running, self.progress, self.problem = order, (0, 0), None
        self._ask.send_nowait(order)

    async def _require_room(self, folder: Path) -> None:
        """Refuses a folder whose disk would be all but full: it may be that of the database."""
        takes, free = 0, 0
        with suppress(OSError):  # what is wrong then, the copy says
            takes = (await trio.Path(self._database.path).stat()).st_size
            free = (await trio.to_thread.run_sync(shutil.disk_usage, folder)).free
        if free < takes * ROOM:
            problem = (
                f"has too little room: a copy takes {size(takes)}, of {size(free)} that are free, "
                "and as much again must stay free"
            )
            raise BadInput(f"folder {problem}.", [FieldProblem("folder", problem)])

    async def last(self) -> list[MadeCopy]:
        """Returns the copies that were made last, by whatever way."""
        return await self._database.read(lambda tx: tx.copies.last(SHOWN))

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Makes copies until cancelled, or until the store is closed."""
        task_status.started()
        async for order in self._asked:
            try:
                copy = await make_copy(
                    self._database,
                    order.folder,
                    order.began_at,
                    keep=order.keep,
                    into_folder=True,
                    progress=self._note_progress,
                )
                _log.info("copy_made", bytes=copy.size, removed=len(copy.removed))
            except StoreClosed:
                return
            except (StoreError, OSError) as error:
                self.problem = str(error)
                _log.warning("copy_failed", reason=str(error))
            finally:
                self.running = None

    def _note_progress(self, done: int, total: int) -> None:
        self.progress = (done, total)
