"""The accounts at carriers that are open, one for each assistant that sends, and how they do.

An account is opened at its first use, and again once its credentials have changed. Each takes a
bounded number of messages at a time, so a carrier that is slow or down holds up no other.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.carrier import Account, Carrier
from phonegate.domain.carrier_attempt import Accepted, NotAccepted, Outcome, Rejected, Unknown
from phonegate.model.assistants import Assistant
from phonegate.model.facts import AssistantChanged, Fact
from phonegate.model.refusals import Refused, Throttled

AT_ONCE: Final = 16
"""Messages that one assistant hands over at the same time: twice as many as an account has
connections, so that the next one is ready whenever a connection is free."""

MAX_WAITING: Final = 200
"""Messages that may wait for one assistant's account: a few seconds' worth at a carrier that works
well, and so few that one that does not takes up at most a fifth of its org's share."""

RETRY_S: Final = 5
"""When to come again if too many wait already."""

MAX_OPEN: Final = 256
"""Accounts kept open. Each has up to eight connections. The one unused longest is closed first."""

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
    """An account with the messages that are on their way over it, or wait for their turn."""

    assistant: Assistant
    account: Account
    turns: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    waiting: int = 0
    users: int = 0
    retired: bool = False
    """Closed once it has no users left."""


class CarrierPool:
    """The open accounts."""

    def __init__(
        self,
        open_account: Callable[[Assistant], Account],
        account_mark: Callable[[Assistant], str],
        *,
        closing_s: float = CLOSING_S,
    ) -> None:
        """Takes what the carriers' own code does for an assistant.

        Args:
            open_account: Makes the client of its account.
            account_mark: Gives a short text without `:` that is another for every account.
            closing_s: How long closing an account may take.
        """
        self._closing_s = closing_s
        self._open_account = open_account
        self.account_mark = account_mark
        self._open: dict[int, _OpenAccount] = {}
        self._forgotten: list[_OpenAccount] = []
        self.health = CarrierHealth()
        self.closing = trio.Event()
        """Set once nothing can be sent any more."""

    @asynccontextmanager
    async def hold(self, assistant: Assistant, *, patience_s: float) -> AsyncIterator[Carrier]:
        """Gives an assistant's account, for one message. First come, first served.

        Raises:
            Throttled: Too many wait already, or its turn did not come within `patience_s`.
            NoAccount: The account can't be opened.
        """
        opened = await self._current(assistant)
        opened.users += 1
        try:
            await _take_turn(opened, patience_s)
            try:
                yield opened.account
            finally:
                opened.turns.release()
        finally:
            opened.users -= 1
            if opened.retired and not opened.users:
                await _close(opened, self._closing_s)

    def note(self, facts: Sequence[Fact]) -> None:
        """Opens the accounts of changed assistants anew. Subscribes to the bus."""
        for fact in facts:
            if type(fact) is AssistantChanged:
                self.forget(fact.assistant)

    def forget(self, assistant: int) -> None:
        """Lets an account be opened anew, after its assistant was changed or removed."""
        self.health.forget(assistant)
        opened = self._open.pop(assistant, None)
        if opened is not None:
            opened.retired = True
            self._forgotten.append(opened)

    async def close(self) -> None:
        """Closes every account, within `closing_s`. What is under way ends as not known."""
        self.closing.set()
        accounts = [*self._open.values(), *self._forgotten]
        self._open.clear()
        self._forgotten.clear()
        async with trio.open_nursery() as nursery:
            for opened in accounts:
                opened.retired = True
                nursery.start_soon(_close, opened, self._closing_s)

    async def _current(self, assistant: Assistant) -> _OpenAccount:
        while self._forgotten:
            await self._retire(self._forgotten.pop())
        opened = self._open.pop(assistant.id, None)
        if opened is not None and opened.assistant.credentials != assistant.credentials:
            await self._retire(opened)
            opened = None
        if opened is None:
            if self.closing.is_set():
                raise NoAccount("the gateway is going down")
            try:
                opened = _OpenAccount(assistant, self._open_account(assistant))
            except Refused as error:
                raise NoAccount(error.detail) from None
        # The last in the order of the dictionary is the one used last.
        self._open[assistant.id] = opened
        while len(self._open) > MAX_OPEN:
            oldest = next(iter(self._open))
            await self._retire(self._open.pop(oldest))
        return opened

    async def _retire(self, opened: _OpenAccount) -> None:
        opened.retired = True
        if not opened.users:
            await _close(opened, self._closing_s)


async def _take_turn(opened: _OpenAccount, patience_s: float) -> None:
    if opened.waiting >= MAX_WAITING:
        raise _full(opened)
    opened.waiting += 1
    try:
        with trio.move_on_after(patience_s) as patience:
            await opened.turns.acquire()
    finally:
        opened.waiting -= 1
    if patience.cancelled_caught:
        raise _full(opened)


def _full(opened: _OpenAccount) -> Throttled:
    return Throttled(
        f"Too many messages wait for {opened.assistant.provider}. Try again in {RETRY_S} s.",
        RETRY_S,
    )


async def _close(opened: _OpenAccount, within_s: float) -> None:
    with trio.move_on_after(within_s, shield=True):
        try:
            await opened.account.aclose()
        except Exception as error:  # noqa: BLE001 - connections that fail while they are closed are closed
            _log.info("account_not_closed", error=type(error).__name__)
