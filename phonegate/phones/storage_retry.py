"""Storing what a phone has said, again and again while the disk refuses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from phonegate import log
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.report_answers import no_room
from phonegate.phones.state import PhoneState, Report

T = TypeVar("T")

_log = log.get("phones")


class StorageRetry:
    """Tries until the disk takes it. The phone hears once that it has to wait.

    Meanwhile the recorder's queue fills, and then the phone is not read from: it keeps what it has
    to say. Most reports would never be repeated, so none is dropped while the link lives.
    """

    __slots__ = ("_refused", "_say", "_state", "_timings")

    def __init__(
        self,
        state: PhoneState,
        say: Callable[[GatewayFrame], Awaitable[None]],
        timings: PhoneTimings,
    ) -> None:
        self._state = state
        self._say = say
        self._timings = timings
        self._refused = False

    async def __call__(
        self, store: Callable[[], Awaitable[T]], reports: Sequence[Report] = ()
    ) -> T:
        """Calls `store` until the disk takes what it stores, `reports` for example."""
        pause = self._timings.first_retry_s
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
            pause = min(pause * 2, self._timings.longest_retry_s)
