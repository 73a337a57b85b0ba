"""Keeps the store up to date on which phones are connected.

A phone that is replaced by its own second connection has neither gone nor come, and neither has one
that comes back before it was noted that it went. An unnamed phone counts from the moment when it is
clear on which row it is.
"""

from typing import Final

import trio

from phonegate import log
from phonegate.domain.phone_events import NOTED_AT_ONCE, Attendance
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed, StoreError
from phonegate.phones.switchboard import Switchboard

AGAIN_S: Final = 1.0
"""Before the next try, where the disk refuses."""

FINISH_S: Final = 1.0
"""For the last write. What it does not get to, the next start makes good."""

_log = log.get("phones")


class AttendanceBook:
    """Writes down who has come and gone, many that have meanwhile in one transaction."""

    def __init__(self, switchboard: Switchboard, attendance: Attendance) -> None:
        self._switchboard = switchboard
        self._attendance = attendance
        self._written: set[int] = set()
        """The rows of the phones that are noted as connected."""
        self._changed: set[int] = set()
        self._cleared = False
        """Whether those are noted as gone whom the last run left connected."""
        self._more = trio.Event()
        self._writing = trio.Lock()
        switchboard.on_seat = self._note

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until cancelled, or until the store is closed.

        It has started once those are noted as gone whom the last run left connected, if the disk
        takes that.
        """
        try:
            await self.write()
        except StorageUnavailable as error:
            _log.warning("attendance_not_noted", reason=error.reason)
            self._more.set()
        task_status.started()
        while True:
            await self._more.wait()
            self._more = trio.Event()
            try:
                await self.write()
            except StorageUnavailable as error:
                _log.warning("attendance_not_noted", reason=error.reason)
                self._more.set()
                await trio.sleep(AGAIN_S)
            except StoreClosed:
                return

    async def write(self) -> None:
        """Writes down what has changed.

        Raises:
            StoreError: It can't be stored, and is left for another time.
        """
        async with self._writing:
            if not self._cleared:
                # Before any that has come is noted, which would be noted as gone by this.
                await self._attendance.clear()
                self._cleared = True
            while changes := self._next():
                try:
                    await self._attendance.note(changes)
                except BaseException:
                    self._changed.update(changes)
                    raise
                for row, is_online in changes.items():
                    (self._written.add if is_online else self._written.discard)(row)

    def _next(self) -> dict[int, bool]:
        """Returns which phones have come and gone that are to be written down next."""
        changes: dict[int, bool] = {}
        while self._changed and len(changes) < NOTED_AT_ONCE:
            row = self._changed.pop()
            is_online = self._switchboard.is_identified(row)
            if is_online != (row in self._written):
                changes[row] = is_online
        return changes

    async def finish(self) -> None:
        """Writes down that all have gone, at the end, if that can be done in time."""
        with trio.move_on_after(FINISH_S):
            try:
                await self.write()
            except StoreError as error:
                _log.warning("attendance_not_noted", reason=str(error))

    def _note(self, row: int) -> None:
        self._changed.add(row)
        self._more.set()
