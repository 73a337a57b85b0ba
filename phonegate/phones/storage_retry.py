"""Storing what a phone has said, again and again while the disk refuses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import trio

from phonegate import log
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.report_errors import no_room
from phonegate.phones.state import PhoneState, Report

T = TypeVar("T")

FIRST_PAUSE_S: Final = 0.5
"""Wait before the first new try when there is no room. It doubles each time."""

LONGEST_PAUSE_S: Final = 10.0
"""A disk that has room again is noticed within this time."""

_log = log.get("phones")


class StorageRetry:
    """Tries until the disk takes it. The phone hears once that it has to wait.

    Meanwhile the recorder's queue fills, and then the phone is not read from: it keeps what it has
    to say. Most reports would never be repeated, so none is dropped while the link lives.
    """

    __slots__ = ("_refused", "_say", "_state")

    def __init__(self, state: PhoneState, say: Callable[[GatewayFrame], Awaitable[None]]) -> None:
        self._state = state
        self._say = say
        self._refused = False

    async def __call__(
        self, store: Callable[[], Awaitable[T]], reports: Sequence[Report] = ()
    ) -> T:
        """Calls `store` until the disk takes what it stores, `reports` for example."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = await store()
            except StorageUnavailable as error:
                if not self._refused:
                    self._refused = True
                    _log.warning("recording_waits", phone=self._state.phone, reason=str(error))
                    await self._say(no_room(error, reports))
            else:
                self._refused = False
                return result
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
