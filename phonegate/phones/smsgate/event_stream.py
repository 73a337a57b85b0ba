"""The stream of events by which the app is rung (server-sent events, as HTML's standard has them).

A phone has one at most. It ends after some minutes, for the app would take an hour to notice that
its own end is dead: it comes back within seconds, and looks for messages whenever it does.
"""

import json
from collections.abc import Callable, Mapping
from random import uniform
from typing import Final

import trio

from phonegate.http.body_stream import SendPiece
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings

ENQUEUED: Final = "MessageEnqueued"
CANCELLED: Final = "MessageCancelled"
HOOKS_CHANGED: Final = "WebhooksUpdated"
SETTINGS_CHANGED: Final = "SettingsUpdated"
EXPORT_ASKED: Final = "MessagesExportRequested"

MOST_WAITING: Final = 128
"""Events that wait to be sent. Of more the oldest are left out: each is of a message to be dropped,
and asks for what may come too late anyway."""

SPREAD: Final = 0.8
"""The shortest life of a stream, as a part of the longest: phones that came back together after a
restart don't go on doing so."""


def written(event: str, data: Mapping[str, str] | None = None) -> bytes:
    """Writes an event. The app expects data with each."""
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {event}\ndata: {text}\n\n".encode()


def comment(text: str) -> bytes:
    """Writes a line that the app leaves out."""
    return f":{text}\n\n".encode()


class EventStream:
    """One open stream. `produce` is its body."""

    def __init__(
        self, timings: SmsgateTimings, *, has_new: Callable[[], bool], left: Callable[[], None]
    ) -> None:
        """Makes a stream.

        Args:
            timings: How long it lives.
            has_new: Tells whether messages wait that the app has not fetched.
            left: Called once, when it has ended.
        """
        self._timings = timings
        self._has_new = has_new
        self._left = left
        self._waiting: list[bytes] = []
        self._bell = trio.Event()
        self._rung = False
        self._ended: str | None = None
        self.began = trio.current_time()

    def say(self, event: str, data: Mapping[str, str] | None = None) -> None:
        """Sends an event, after those that wait."""
        if len(self._waiting) >= MOST_WAITING:
            del self._waiting[0]
        self._waiting.append(written(event, data))
        self._bell.set()

    def ring(self) -> None:
        """Has the app look for messages. Several calls at once are one."""
        self._rung = True
        self._bell.set()

    def end(self, reason: str) -> None:
        """Ends it. The reason is for those who read along."""
        self._ended = reason
        self._bell.set()

    async def produce(self, send: SendPiece) -> None:
        """Sends what is said, until the stream is ended or its time is over."""
        timings = self._timings
        ends_at = self.began + timings.stream_s * uniform(SPREAD, 1)  # noqa: S311 - no secret
        try:
            while self._ended is None and trio.current_time() < ends_at:
                with trio.move_on_after(timings.keepalive_s) as silence:
                    silence.deadline = min(silence.deadline, ends_at)
                    await self._bell.wait()
                self._bell = trio.Event()
                await send(self._next(quiet=silence.cancelled_caught))
            await send(comment(self._ended or "its time is over"))
        finally:
            self._left()

    def _next(self, *, quiet: bool) -> bytes:
        waiting, self._waiting = self._waiting, []
        if self._rung or (quiet and self._has_new()):
            waiting.append(written(ENQUEUED))
        self._rung = False
        return b"".join(waiting) or comment("keepalive")
