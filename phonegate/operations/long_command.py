"""Commands of the owner that take long: their answer says how far they are, and how they ended."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from phonegate.http.body_stream import SendPiece
from phonegate.model.refusals import Refused
from phonegate.model.storage_errors import StoreError

JSON_LINES: Final = "application/jsonl"
"""The Content-Type of such an answer: JSON objects, one a line."""

PROGRESS_S: Final = 0.2
"""Between two reports of progress: as often as a person's eye follows a bar."""

Progress = Callable[[int, int], None]
"""Takes what is done, and of how much, on the event loop."""


@attrs.define
class LongCommand:
    """One command under way.

    Args:
        work: Does it, reports how far it is, and returns the fields of the last line.
    """

    work: Callable[[Progress], Awaitable[dict[str, Any]]]
    _seen: tuple[int, int] = (0, 0)
    _done: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, send: SendPiece) -> None:
        """Does the work, and sends a line for what is done and one for the end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report, send)
            try:
                last = {"ok": True, **await self.work(self._progress)}
            except Refused as error:
                last = {"ok": False, "detail": str(error), "code": error.code}
            except (StoreError, OSError) as error:
                last = {"ok": False, "detail": str(error), "code": "storage"}
            finally:
                self._done.set()
        await send(_line(last))

    def _progress(self, done: int, total: int) -> None:
        # Only noted here: a slow reader of the reports must not slow the work.
        self._seen = (done, total)

    async def _report(self, send: SendPiece) -> None:
        reported = self._seen
        while not self._done.is_set():
            with trio.move_on_after(PROGRESS_S):
                await self._done.wait()
            if self._seen != reported:
                reported = self._seen
                await send(_line({"progress": reported}))


def _line(fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"
