"""Whether the gateway should be given work: the difference between living and being of use."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from phonegate.store.database import Database
from phonegate.store.errors import StoreError

WRITE_DEADLINE_S: Final = 5.0
"""A disk that needs longer for one commit serves nobody; checkers give up not much later."""


@attrs.frozen
class Reason:
    """Why it is not ready: `code` for programs, `detail` for a person."""

    code: str
    detail: str


class Readiness:
    """Finds out by doing: it writes, and waits until that is durable."""

    def __init__(
        self, database: Database, *, disk_low_bytes: int, now_ms: Callable[[], int]
    ) -> None:
        """Less free space than `disk_low_bytes` is too little; 0 is enough of anything."""
        self._database = database
        self._disk_low_bytes = disk_low_bytes
        self._now_ms = now_ms
        self.draining = False
        """Set once the gateway was told to stop."""

    async def reasons(self) -> list[Reason]:
        """Everything that speaks against it; nothing when it is ready."""
        found = []
        if self.draining:
            found.append(Reason("draining", "The gateway was told to stop."))
        if problem := await self._storage():
            found.append(Reason("storage", problem))
        space = await trio.to_thread.run_sync(self._database.space, abandon_on_cancel=True)
        if space.free < self._disk_low_bytes:
            text = f"{space.free} bytes are free on the database's disk: fewer than "
            found.append(Reason("disk_low", f"{text}{self._disk_low_bytes}."))
        return found

    async def _storage(self) -> str | None:
        now = self._now_ms()
        try:
            with trio.fail_after(WRITE_DEADLINE_S):
                await self._database.write(lambda tx: tx.marks.prove(now))
        except trio.TooSlowError:
            return f"The database did not take a write within {WRITE_DEADLINE_S:g} s."
        except StoreError as error:
            return str(error)
        return None
