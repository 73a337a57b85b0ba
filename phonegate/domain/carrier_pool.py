"""The accounts at carriers that are open, one for each assistant that sends, and how they do.

An account is opened at its first use, and again once its credentials have changed. Each takes a
bounded number of messages at a time, so a carrier that is slow or down holds up nobody else.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.carrier import Account, Carrier
from phonegate.domain.carrier_attempt import Accepted, NotAccepted, Outcome, Rejected, Unknown
from phonegate.model.assistants import Assistant
from phonegate.model.refusals import Refused, Throttled

AT_ONCE: Final = 16
"""Messages that one assistant hands over at the same time: twice as many as an account keeps
connections, so that one is always ready to take the place of another."""

WAITING: Final = 200
"""Sends that may wait for one assistant's account: a few seconds' worth at a carrier that is well,
and few enough that one that is not holds no more than a fifth of its org's share."""

RETRY_S: Final = 5
"""When to come again if too many wait already."""

MAX_OPEN: Final = 256
"""Accounts kept open: each has up to eight connections. The one unused longest makes room."""

CLOSING_S: Final = 2.0
"""Seconds to close an account's connections properly."""

_log = log.get("carriers")


class NoAccount(Exception):
    """An assistant's account can't be opened with the credentials that it has."""


_NAMES = {
    Accepted: "taken",
    Rejected: "refused",
    NotAccepted: "not_taken",
    Unknown: "unknown",
}
"""What the metrics call the outcomes."""


class CarrierHealth:
    """Counts of outcomes by provider, and each assistant's failures in a row.

    A carrier that refuses a message has answered, so a refusal ends a row of failures.
    """

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], int] = {}
        """By provider and what it did: taken, refused, not_taken or unknown."""
        self.failures: dict[int, int] = {}
        """By assistant: sends in a row that were not answered. Only those that fail now."""

    def note(self, assistant: int, provider: str, outcome: Outcome) -> None:
        """Counts the outcome of one attempt."""
        key = (provider, _NAMES[type(outcome)])
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        if isinstance(outcome, NotAccepted | Unknown):
            self.failures[assistant] = self.failures.get(assistant, 0) + 1
        else:
            self.failures.pop(assistant, None)

    def forget(self, assistant: int) -> None:
        """Forgets the failures of an assistant that was changed or removed."""
        self.failures.pop(assistant, None)


@attrs.define(eq=False)
class _OpenAccount:
    assistant: Assistant
    account: Account
    slots: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    waiting: int = 0
    users: int = 0
    retired: bool = False


class CarrierPool:
    """The opened accounts. `close` ends whatever still runs over them."""

    def __init__(
        self,
        open_account: Callable[[Assistant], Account],
        account_mark: Callable[[Assistant], str],
    ) -> None:
        """Takes what the carriers' own code does for an assistant.

        Args:
            open_account: Makes the client of its account.
            account_mark: Gives a short text without `:` that is another for every account.
        """
        self._open_account = open_account
        self.account_mark = account_mark
        self._open: dict[int, _OpenAccount] = {}
        self._forgotten: list[_OpenAccount] = []
        self.health = CarrierHealth()
        self.closing = trio.Event()
        """Set once nothing can be sent any more."""

    @asynccontextmanager
    async def hold(self, assistant: Assistant, *, patience_s: float) -> AsyncIterator[Carrier]:
        """An assistant's account, with a place on its held: first come, first served.

        Raises:
            Throttled: too many wait already, or none moved within `patience_s`.
            NoAccount: the account can't be opened.
        """
        held = await self._current(assistant)
        held.users += 1
        try:
            await _take_slot(held, patience_s)
            try:
                yield held.account
            finally:
                held.slots.release()
        finally:
            held.users -= 1
            if held.retired and not held.users:
                await _close(held)

    def forget(self, assistant: int) -> None:
        """Says that an assistant was changed or removed: its account is opened anew."""
        self.health.forget(assistant)
        held = self._open.pop(assistant, None)
        if held is not None:
            held.retired = True
            self._forgotten.append(held)

    async def close(self) -> None:
        """Closes every account, within `CLOSING_S`; what is under way ends as not known."""
        self.closing.set()
        lines = [*self._open.values(), *self._forgotten]
        self._open.clear()
        self._forgotten.clear()
        async with trio.open_nursery() as nursery:
            for held in lines:
                held.retired = True
                nursery.start_soon(_close, held)

    async def _current(self, assistant: Assistant) -> _OpenAccount:
        while self._forgotten:
            await self._retire(self._forgotten.pop())
        held = self._open.pop(assistant.id, None)
        if held is not None and held.assistant.credentials != assistant.credentials:
            await self._retire(held)
            held = None
        if held is None:
            if self.closing.is_set():
                raise NoAccount("the gateway is going down")
            try:
                held = _OpenAccount(assistant, self._open_account(assistant))
            except Refused as error:
                raise NoAccount(error.detail) from None
        # The last in the order of the dictionary is the one used last.
        self._open[assistant.id] = held
        while len(self._open) > MAX_OPEN:
            oldest = next(iter(self._open))
            await self._retire(self._open.pop(oldest))
        return held

    async def _retire(self, held: _OpenAccount) -> None:
        held.retired = True
        if not held.users:
            await _close(held)


async def _take_slot(held: _OpenAccount, patience_s: float) -> None:
    if held.waiting >= WAITING:
        raise _full(held)
    held.waiting += 1
    try:
        with trio.move_on_after(patience_s) as patience:
            await held.slots.acquire()
    finally:
        held.waiting -= 1
    if patience.cancelled_caught:
        raise _full(held)


def _full(held: _OpenAccount) -> Throttled:
    return Throttled(
        f"Too many messages wait for {held.assistant.provider}. Try again in {RETRY_S} s.", RETRY_S
    )


async def _close(held: _OpenAccount) -> None:
    with trio.move_on_after(CLOSING_S, shield=True):
        try:
            await held.account.aclose()
        except Exception as error:  # noqa: BLE001 - connections that fail while they are closed are closed
            _log.info("account_not_closed", error=type(error).__name__)
