"""Lines to carriers: one opened account for each assistant that sends, and its room.

A carrier that is slow or down fills the lines of its own assistants; those of others never
notice. An account is opened at its first use and again once its credentials have changed.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.carrier import Account, Carrier
from phonegate.domain.carrier_health import CarrierHealth
from phonegate.model.assistants import Assistant
from phonegate.model.refusals import Refused, Throttled

AT_ONCE: Final = 16
"""Messages that one assistant hands over at the same time: twice as many as an account keeps
connections, so that one is always ready to take the place of another."""

WAITING: Final = 200
"""Sends that may wait for one assistant's line: a few seconds' worth at a carrier that is well,
and few enough that one that is not holds no more than a fifth of its org's share."""

RETRY_S: Final = 5
"""When to come again if the line is full."""

MAX_OPEN: Final = 256
"""Accounts kept open: each has up to eight connections. The one unused longest makes room."""

CLOSING_S: Final = 2.0
"""Seconds to close an account's connections properly."""

_log = log.get("carriers")


class NoAccount(Exception):
    """An assistant's account can't be opened with the credentials that it has."""


@attrs.define(eq=False)
class _Line:
    assistant: Assistant
    account: Account
    places: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    waiting: int = 0
    users: int = 0
    retired: bool = False


class CarrierPool:
    """The opened accounts. `close` ends whatever still runs over them."""

    def __init__(self, open_account: Callable[[Assistant], Account]) -> None:
        self._open_account = open_account
        self._lines: dict[int, _Line] = {}
        self._forgotten: list[_Line] = []
        self.experience = CarrierHealth()
        self.closing = trio.Event()
        """Set once nothing can be sent any more."""

    @asynccontextmanager
    async def hold(self, assistant: Assistant, *, patience_s: float) -> AsyncIterator[Carrier]:
        """An assistant's account, with a place on its line: first come, first served.

        Raises:
            Throttled: too many wait already, or none moved within `patience_s`.
            NoAccount: the account can't be opened.
        """
        line = await self._current(assistant)
        line.users += 1
        try:
            await _take_place(line, patience_s)
            try:
                yield line.account
            finally:
                line.places.release()
        finally:
            line.users -= 1
            if line.retired and not line.users:
                await _close(line)

    def forget(self, assistant: int) -> None:
        """Says that an assistant was changed or removed: its account is opened anew."""
        self.experience.forget(assistant)
        line = self._lines.pop(assistant, None)
        if line is not None:
            line.retired = True
            self._forgotten.append(line)

    async def close(self) -> None:
        """Closes every account, within `CLOSING_S`; what is under way ends as not known."""
        self.closing.set()
        lines = [*self._lines.values(), *self._forgotten]
        self._lines.clear()
        self._forgotten.clear()
        async with trio.open_nursery() as nursery:
            for line in lines:
                line.retired = True
                nursery.start_soon(_close, line)

    async def _current(self, assistant: Assistant) -> _Line:
        while self._forgotten:
            await self._retire(self._forgotten.pop())
        line = self._lines.pop(assistant.id, None)
        if line is not None and line.assistant.credentials != assistant.credentials:
            await self._retire(line)
            line = None
        if line is None:
            if self.closing.is_set():
                raise NoAccount("the gateway is going down")
            try:
                line = _Line(assistant, self._open_account(assistant))
            except Refused as error:
                raise NoAccount(error.detail) from None
        # The last in the order of the dictionary is the one used last.
        self._lines[assistant.id] = line
        while len(self._lines) > MAX_OPEN:
            oldest = next(iter(self._lines))
            await self._retire(self._lines.pop(oldest))
        return line

    async def _retire(self, line: _Line) -> None:
        line.retired = True
        if not line.users:
            await _close(line)


async def _take_place(line: _Line, patience_s: float) -> None:
    if line.waiting >= WAITING:
        raise _full(line)
    line.waiting += 1
    try:
        with trio.move_on_after(patience_s) as patience:
            await line.places.acquire()
    finally:
        line.waiting -= 1
    if patience.cancelled_caught:
        raise _full(line)


def _full(line: _Line) -> Throttled:
    return Throttled(
        f"Too many messages wait for {line.assistant.provider}. Try again in {RETRY_S} s.", RETRY_S
    )


async def _close(line: _Line) -> None:
    with trio.move_on_after(CLOSING_S, shield=True):
        try:
            await line.account.aclose()
        except Exception as error:  # noqa: BLE001 - connections that fail while they are closed are closed
            _log.info("account_not_closed", error=type(error).__name__)
