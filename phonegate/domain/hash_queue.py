"""Turns at computing slow hashes: few at once, a bounded queue, never on the event loop.

Whose turn is next is decided by `Order`, which is pure: orgs in turn, so that guesses at one
org delay no request for another org.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar, TypeVarTuple

import attrs
import trio

from phonegate.model.refusals import Throttled

AT_ONCE = 2
"""Slow hashes computed at the same time: 32 MiB of memory, and no more than two cores."""
WAITING = 256
"""Checks that wait, of known callers and of unknown ones each: six seconds' worth, less than
phones wait for an upgrade."""
WAITING_EACH = 64
"""The same for one address, so that it takes several to fill the queue. It empties at once when
an address guesses: see `Accounts`, which drops what waits once the failures are spent."""
KNOWN_IN_TURN: Final = 3
"""Of so many turns and one, the one is of an unknown caller where both wait: after a restart those
who were there before it come first, and newcomers still come in."""
_CHECK_MS = 50
"""About what one check takes, to say when the queue will have gone."""

T = TypeVar("T")
A = TypeVarTuple("A")
Ticket = TypeVar("Ticket", bound=Hashable)


class Order(Generic[Ticket]):
    """Who waits, and who is next: orgs in turn, of each its places in turn, first come first.

    When it is full, a ticket for an org of which less waits than of another takes the place of the
    last ticket that came for that other org. Pure.
    """

    def __init__(self) -> None:
        self._orgs: OrderedDict[str, OrderedDict[str, deque[Ticket]]] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._places: Counter[str] = Counter()
        self._of: dict[Ticket, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(
        self, ticket: Ticket, org: str, place: str, *, most: int, most_each: int
    ) -> Ticket | None:
        """Takes a ticket into the queue. Returns the ticket that has no place in it, if any.

        Args:
            ticket: Stands for the caller who waits.
            org: Whom it asks for.
            place: Where it comes from.
            most: How many may wait.
            most_each: How many of one place may.
        """
        if self._places[place] >= most_each:
            return ticket
        left = None
        if len(self._of) >= most:
            longest, count = self._counts.most_common(1)[0]
            if count <= self._counts[org] + 1:
                return ticket
            places = self._orgs[longest]
            left = max(places.values(), key=len)[-1]
            self.remove(left)
        self._of[ticket] = (org, place)
        self._counts[org] += 1
        self._places[place] += 1
        self._orgs.setdefault(org, OrderedDict()).setdefault(place, deque()).append(ticket)
        return left

    def next(self) -> Ticket | None:
        """Takes out the one whose turn it is."""
        if not self._orgs:
            return None
        org, places = next(iter(self._orgs.items()))
        place, tickets = next(iter(places.items()))
        ticket = tickets[0]
        self.remove(ticket)
        if place in places:
            places.move_to_end(place)
        if org in self._orgs:
            self._orgs.move_to_end(org)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Takes out one that waits no more. Does nothing where it is not in the queue."""
        found = self._of.pop(ticket, None)
        if found is None:
            return
        org, place = found
        places = self._orgs[org]
        places[place].remove(ticket)
        if not places[place]:
            del places[place]
        if not places:
            del self._orgs[org]
        for counts, key in ((self._counts, org), (self._places, place)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]


@attrs.define(eq=False)
class _Ticket:
    """A request that waits for its turn."""

    called: trio.Event = attrs.field(factory=trio.Event)
    has_turn: bool = False


class HashQueue:
    """Who may compute a slow hash now."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        # Threads of our own: those of the default limiter also resolve names.
        self._threads = trio.CapacityLimiter(AT_ONCE)
        self._owner: deque[_Ticket] = deque()
        self._known: Order[_Ticket] = Order()
        self._unknown: Order[_Ticket] = Order()
        self._in_a_row = 0
        """Turns that known callers have had since an unknown one had its own."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a turn."""
        return len(self._owner) + len(self._known) + len(self._unknown)

    @asynccontextmanager
    async def bounded(self, place: str, org: str, *, known: bool = False) -> AsyncIterator[None]:
        """A turn for a request from this place for an org, which is `known` to be there or not.

        Raises:
            Throttled: Too many wait, of this place, for this org or of all.
        """
        ticket, order = _Ticket(), self._known if known else self._unknown
        left = order.add(ticket, org, place, most=WAITING, most_each=WAITING_EACH)
        if left is ticket:
            raise self._too_many()
        if left is not None:
            left.called.set()
        try:
            self._call()
            await ticket.called.wait()
            if not ticket.has_turn:
                raise self._too_many()
            yield
        finally:
            order.remove(ticket)
            self._leave(ticket)

    @asynccontextmanager
    async def unbounded(self) -> AsyncIterator[None]:
        """A turn for the operator, who is never refused one and waits for none of the others."""
        ticket = _Ticket()
        self._owner.append(ticket)
        try:
            self._call()
            await ticket.called.wait()
            yield
        finally:
            if not ticket.has_turn:
                self._owner.remove(ticket)
            self._leave(ticket)

    async def compute(self, function: Callable[[*A], T], *args: *A) -> T:
        """Runs a slow hash in a thread; only for who has a turn."""
        return await trio.to_thread.run_sync(function, *args, limiter=self._threads)

    def _call(self) -> None:
        """Gives the turns that are free to those who are next."""
        while self._free and (ticket := self._next()) is not None:
            self._free -= 1
            ticket.has_turn = True
            ticket.called.set()

    def _next(self) -> _Ticket | None:
        if self._owner:
            return self._owner.popleft()
        unknown_first = self._in_a_row >= KNOWN_IN_TURN
        for order in (
            (self._unknown, self._known) if unknown_first else (self._known, self._unknown)
        ):
            ticket = order.next()
            if ticket is not None:
                self._in_a_row = self._in_a_row + 1 if order is self._known else 0
                return ticket
        return None

    def _leave(self, ticket: _Ticket) -> None:
        if ticket.has_turn:
            self._free += 1
            self._call()

    def _too_many(self) -> Throttled:
        seconds = max(1, -(-self.waiting * _CHECK_MS // (AT_ONCE * 1000)))
        return Throttled(
            f"Too many secrets are being checked just now. Try again in {seconds} s.", seconds
        )
