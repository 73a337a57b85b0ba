"""Finds out whether the gateway is ready for work, which is more than that it runs."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from phonegate.model.storage_errors import StoreError
from phonegate.store.database import Database

DEADLINE_S: Final = 5.0
"""A disk that needs longer for one commit is of no use, and health checkers give up soon after."""


@attrs.frozen
class Reason:
    """Why the gateway is not ready: `code` for programs, `detail` for a person."""

    code: str
    detail: str


class Readiness:
    """Finds out by making a write and waiting until it is durable."""

    def __init__(
        self, database: Database, *, disk_low_bytes: int, now_ms: Callable[[], int]
    ) -> None:
        """Less free space than `disk_low_bytes` is too little. 0: the free space is not checked."""
        self._database = database
        self.disk_low_bytes = disk_low_bytes
        self._now_ms = now_ms
        self.draining = False
        """Whether the gateway is stopping."""

    async def reasons(self) -> list[Reason]:
        """Returns all reasons why the gateway is not ready, and none when it is."""
        found = []
        if self.draining:
            found.append(Reason("draining", "The gateway was told to stop."))
        try:
            with trio.fail_after(DEADLINE_S):
                found += await self._of_writing()
                found += await self._of_room()
        except trio.TooSlowError:
            found.append(Reason("storage", f"The disk did not answer within {DEADLINE_S:g} s."))
        return found

    async def _of_writing(self) -> list[Reason]:
        now = self._now_ms()
        try:
            await self._database.write(lambda tx: tx.counters.prove(now))
        except StoreError as error:
            return [Reason("storage", str(error))]
        return []

    async def _of_room(self) -> list[Reason]:
        space = await self._database.space()
        found = []
        if not space.in_place:
            found.append(
                Reason(
                    "database_gone",
                    f"{self._database.path} was deleted, moved or replaced while the gateway "
                    "serves. Put the file back, or stop the gateway and restore a backup.",
                )
            )
        if space.free < self.disk_low_bytes:
            text = f"{space.free} bytes are free on the database's disk: fewer than "
            found.append(Reason("disk_low", f"{text}{self.disk_low_bytes}."))
        return found
