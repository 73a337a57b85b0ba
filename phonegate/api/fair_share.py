"""Each org's share of the gateway: how much of its work may be under way at once.

Everything that is under way takes turns on one event loop and in one writer. Without a bound, an
org that sends hundreds of full calls at once makes all others wait for all of them; with it,
they wait for one share of it, and the rest waits in a line of the org's own.
"""

from collections import deque
from typing import Final

import attrs
import trio

from phonegate.model.refusals import Throttled

SHARE: Final = 1_000
"""Messages, sent or read, that one org has under way: two full calls, some 50 ms of work, or as
many single ones as go into four commits."""

BESIDE: Final = 32
"""The same of an org beside which others have lately had something done. What is under way waits in
one line for all orgs, and the next request waits for all of it. Enough for full commits."""

LATELY_S: Final = 2.0
"""For how long an org counts as one that others work beside. An org that asks every second should
not meet the whole share of another each time."""

LINE: Final = 100 * SHARE
"""Messages that may wait in an org's line: some seconds of work, and 160 MB of the longest."""

RETRY_S: Final = 5
"""When to come again if the line is full: it moves by some thousand messages a second."""


@attrs.define
class _Line:
    busy: int = 0
    asked: int = 0
    waiting: deque[tuple[int, trio.Event]] = attrs.field(factory=deque)


class FairShare:
    """The shares of all orgs that have something under way."""

    def __init__(self, *, share: int = SHARE, line: int = LINE, beside: int = BESIDE) -> None:
        self._share = share
        self._beside = min(beside, share)
        self._latest = 0
        self._latest_at = self._other_at = float("-inf")
        """When the org that came last has come, and when any other has."""
        self._longest = line
        self._lines: dict[int, _Line] = {}
        self._idle: dict[int, trio.Event] = {}
        """What is set when an org has nothing under way, where something waits for that."""

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, org: int, messages: int) -> "_Share":
        """Holds room for work on so many messages. More than a share takes all of it.

        Entering it raises `Throttled` if more waits already than the org's line may hold.
        """
        return _Share(self, org, self.part(messages))

    def part(self, messages: int) -> int:
        """Returns what work on so many messages takes of a share. More than it has take all."""
        return min(max(messages, 1), self._share)

    async def enter(self, org: int, size: int) -> None:
        """Takes room, when there is some."""
        if not self.enter_now(org, size):
            await self._wait(org, self._lines[org], size)

    def enter_now(self, org: int, size: int) -> bool:
        """Takes room, if there is some now. Returns whether there was."""
        now = trio.current_time()
        if org != self._latest:
            self._latest, self._other_at = org, self._latest_at
        self._latest_at = now
        line = self._lines.get(org)
        if line is None:
            line = self._lines[org] = _Line()
        elif line.waiting or not self._fits(line, size):
            return False
        line.busy += size
        return True

    async def idle(self, org: int) -> None:
        """Returns when nothing of an org is under way."""
        while org in self._lines:
            await self._idle.setdefault(org, trio.Event()).wait()

    def leave(self, org: int, size: int) -> None:
        """Gives room back."""
        self._end(org, self._lines[org], size)

    def _fits(self, line: _Line, size: int) -> bool:
        """Tells whether an org may have so much more under way. One piece of work it always may."""
        contended = trio.current_time() - self._other_at < LATELY_S
        return not line.busy or line.busy + size <= (self._beside if contended else self._share)

    async def _wait(self, org: int, line: _Line, size: int) -> None:
        if line.asked + size > self._longest:
            raise Throttled(
                f"Too many requests of this org wait. Try again in {RETRY_S} s.", RETRY_S
            )
        turn = (size, trio.Event())
        line.waiting.append(turn)
        line.asked += size
        try:
            await turn[1].wait()
        except BaseException:
            if not turn[1].is_set():
                line.waiting.remove(turn)
                line.asked -= size
                size = 0
            self._end(org, line, size)
            raise

    def _end(self, org: int, line: _Line, size: int) -> None:
        line.busy -= size
        while line.waiting and self._fits(line, line.waiting[0][0]):
            size, event = line.waiting.popleft()
            line.asked -= size
            line.busy += size
            event.set()
        if not line.busy:
            del self._lines[org]
            if (idle := self._idle.pop(org, None)) is not None:
                idle.set()


class _Share:
    """One piece of work's part of its org's share."""

    __slots__ = ("_org", "_shares", "_size")

    def __init__(self, shares: FairShare, org: int, size: int) -> None:
        self._shares = shares
        self._org = org
        self._size = size

    async def __aenter__(self) -> None:
        await self._shares.enter(self._org, self._size)

    async def __aexit__(self, *_: object) -> None:
        self._shares.leave(self._org, self._size)
