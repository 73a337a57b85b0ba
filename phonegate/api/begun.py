"""Requests that were begun, and are answered by what ends their commit and not by a task.

Each holds its body and a part of its org's share until its commit has ended, though the answer may
come before: that it took too long.
"""

from collections.abc import Callable, Iterator
from itertools import takewhile
from time import perf_counter
from typing import Final, Generic, TypeVar

import attrs
import trio

from phonegate.api.exchange import Exchange
from phonegate.api.fair_share import FairShare
from phonegate.api.reply import Reply
from phonegate.model.principal import Principal

PENDING_BYTES: Final = 16_777_216
"""Bytes of the bodies that one endpoint's begun requests hold. Beyond it a request goes the general
way, and waits there. How many they are the writer bounds."""

Answered = Callable[[Reply], None]
"""Takes the answer to a request, once."""


@attrs.define(eq=False, kw_only=True)
class Begun:
    """A request whose commit is waited for."""

    exchange: Exchange
    principal: Principal
    size: int
    """Bytes of its body."""
    part: int
    """What it takes of its org's share, which it has entered."""
    answered: Answered | None
    """Takes its answer. None once that was given."""


T = TypeVar("T", bound=Begun)


class BegunRequests(Generic[T]):
    """The begun requests of one endpoint.

    Args:
        shares: What each has entered, and leaves at its end.
        failed: Returns the answer to a request that failed, which is counted and logged by then.
    """

    def __init__(self, shares: FairShare, failed: Callable[[Exception, Exchange], Reply]) -> None:
        self._shares = shares
        self._failed = failed
        self._waiting: dict[T, None] = {}
        """In the order in which they came."""
        self._bytes = 0

    def has_room(self, size: int) -> bool:
        """Tells whether one with a body of so many bytes may be begun."""
        return self._bytes + size <= PENDING_BYTES

    def add(self, one: T) -> None:
        """Takes one whose commit is waited for from now on."""
        self._waiting[one] = None
        self._bytes += one.size

    def overdue(self, seconds: float) -> Iterator[T]:
        """Returns those that have taken so long."""
        until = perf_counter() - seconds
        return takewhile(lambda one: one.exchange.began <= until, self._waiting)

    def end(self, one: T, reply: Callable[[], Reply] | None, error: Exception | None) -> None:
        """Forgets one whose commit has ended, and answers it unless it was answered before.

        Args:
            one: The request.
            reply: Makes the answer, if it was stored. What this raises is answered as a failure.
            error: Why it was not stored.
        """
        del self._waiting[one]
        self._bytes -= one.size
        self._shares.leave(one.principal.org, one.part)
        if one.answered is None:
            return
        if reply is None:
            self.fail(one, error or trio.TooSlowError())
            return
        try:
            made = reply()
        except Exception as fault:  # noqa: BLE001 - as in the pipeline: whatever it is has an answer
            self.fail(one, fault)
        else:
            self._answer(one, made)

    def fail(self, one: T, error: Exception) -> None:
        """Answers one by an error, unless it was answered before."""
        if one.answered is not None:
            self._answer(one, self._failed(error, one.exchange))

    def _answer(self, one: T, reply: Reply) -> None:
        answered, one.answered = one.answered, None
        if answered is not None:
            answered(reply)
