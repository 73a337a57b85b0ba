"""One console that is open: a person's session, its live stream, and what that has brought."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from kit import console
from kit.console import LiveWire, Session
from kit.ledger import BrokenPromise
from kit.load import http
from trials.kill_trial import ANSWER_S

AGAIN_S = 0.2
"""Before a console that lost its stream asks for another, as browsers do after a while."""

COUNT_S, COUNT_AGAIN_S, COUNT_SPREAD_S = 0.1, 2.0, 0.9
"""When a console asks for the number of unread conversations, as `unread.js` has it."""


@attrs.define(kw_only=True)
class OpenConsole:
    """One console: a person's session, and what its stream has brought."""

    session: Session
    events: list[int] = attrs.field(factory=list)
    marks: list[int] = attrs.field(factory=list)
    """Up to which message was read, of each mark."""
    late: list[float] = attrs.field(factory=list)
    """Seconds from a request to the first event of its message."""
    port: Callable[[], int]
    asked: Mapping[str, float]
    """When each text was asked for."""
    opened: int = 0
    open: bool = True
    counted: int = 0
    """How often it has asked how much is unread."""
    _received: asyncio.Event = attrs.field(factory=asyncio.Event)
    _known: set[str] = attrs.field(factory=set)
    _wire: LiveWire | None = None

    async def stay(self, ready: asyncio.Event) -> None:
        """Holds a stream until `close`, and asks for another where it is lost."""
        while self.open:
            after = self.events[-1] if self.events else None
            try:
                self._wire = await console.follow(
                    self.port(), self.session, self._note, after=after
                )
            except (OSError, TimeoutError):
                await asyncio.sleep(AGAIN_S)
                continue
            self.opened += 1
            ready.set()
            await self._wire.lost.wait()
            await asyncio.sleep(AGAIN_S)

    async def count(self) -> None:
        """Asks how much is unread, soon after each received message, and not too often."""
        caller = http.Caller(self.port, timeout_s=ANSWER_S)
        chance, wait = random.Random(), COUNT_S
        while True:
            await self._received.wait()
            await asyncio.sleep(wait + chance.random() * COUNT_SPREAD_S)
            self._received.clear()
            if not self.open:
                caller.close()
                return
            status, body = await caller.ask(self.session.get("/unread"))
            if status not in {0, 200, 503}:
                raise BrokenPromise(f"/unread was answered {status}: {body[:300]!r}")
            self.counted += 1
            wait = COUNT_AGAIN_S

    def close(self) -> None:
        """Leaves."""
        self.open = False
        self._received.set()
        if self._wire is not None:
            self._wire.drop()

    def _note(self, id_: int | None, event: Mapping[str, Any], now: float) -> None:
        if id_ is None:
            if event["type"] == "read":
                self.marks.append(event["data"]["upto"])
            return
        self.events.append(id_)
        message = event["data"].get("message")
        if message is None:
            return
        if "html" not in event:
            raise BrokenPromise(f"event {id_} has no bubble")
        if event["type"] == "message.received":
            self._received.set()
        body = message["body"]
        if body not in self._known:
            self._known.add(body)
            self.late.append(now - self.asked[body])
