"""Jumps of the wall clock: what is old by it is not deleted until a person had time to correct it.

A clock that jumps far ahead, such as that of a small machine without a battery, would make all that
is kept old at once. It is not believed for a day.
"""

from collections.abc import Callable
from typing import Final

import trio

from phonegate import log
from phonegate.store.database import Database

JUMP_MS: Final = 86_400_000
"""The smallest jump ahead that is not believed. A wrong time zone is less, and so does little harm
to ages in days."""

DOUBT_S: Final = 86_400.0
"""For how long a clock that jumped ahead is not believed."""

_log = log.get("retention")


class ClockJumps:
    """Watches the wall clock. Whatever deletes by age asks it before each pass."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._ahead_ms: int | None = None
        """How far the wall clock was ahead of trio's when it was last checked."""
        self._believed_at = 0.0
        """When the wall clock is believed again, by trio's clock."""

    async def are_past(self) -> bool:
        """Tells whether the wall clock may be right, as it has not jumped ahead within a day.

        A start counts as such a jump if the newest message is old, since it is then unknown whether
        little was sent or the clock is wrong.

        Raises:
            StoreError: It could not be read what the newest message is.
        """
        now, wall = trio.current_time(), self._now_ms()
        ahead, known = wall - round(now * 1000), self._ahead_ms
        if known is None:
            newest = await self._database.read(lambda tx: tx.message_removal.newest())
            known = ahead if newest is None else newest - round(now * 1000)
        self._ahead_ms = ahead
        if ahead - known > JUMP_MS:
            self._believed_at = now + DOUBT_S
            _log.warning("retention_waits", reason="the clock jumped ahead", seconds=DOUBT_S)
        elif known - ahead > JUMP_MS:
            self._believed_at = now
        return now >= self._believed_at
