"""The queue for computing slow hashes: few at once, bounded, and never on the event loop.

`Order`, which is pure, decides which request is next. It takes orgs in turn, so that guesses at
one org delay no request for another.
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
"""Checks that may wait, for known and for unknown callers each: six seconds' worth, which is less
than phones wait for an upgrade."""
WAITING_EACH = 64
"""Checks of one network that may wait, so that it takes several to fill the queue. A network that
guesses empties its part at once: after too many failures, `Checks` refuses those that wait."""
KNOWN_IN_TURN: Final = 3
"""Turns of known callers before one of an unknown caller, where both wait. So after a restart the
callers from before it come first, and new ones still get in."""
_CHECK_MS = 50
"""About how long one check takes, to say when the queue will be empty."""

T = TypeVar("T")
A = TypeVarTuple("A")
Ticket = TypeVar("Ticket", bound=Hashable)


class Order(Generic[Ticket]):
    """Decides which ticket is next: orgs in turn, the networks of each in turn, oldest first. Pure.

    When it is full, a ticket for an org with fewer tickets than another replaces the newest ticket
    of that other org.
    """

    def __init__(self) -> None:
        self._orgs: OrderedDict[str, OrderedDict[str, deque[Ticket]]] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()
        self._of: dict[Ticket, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(
        self, ticket: Ticket, org: str, network: str, *, most: int, most_each: int
    ) -> Ticket | None:
        """Adds a ticket to the queue.

        Args:
            ticket: Stands for the request that waits.
            org: The org whose secret is to be checked.
            network: The network that the request comes from.
            most: How many tickets may wait.
            most_each: How many of one network may.

        Returns:
            The ticket for which there is no room, if any: this one, or one that it replaces.
        """
        if self._networks[network] >= most_each:
            return ticket
        left = None
        if len(self._of) >= most:
            longest, count = self._counts.most_common(1)[0]
            if count <= self._counts[org] + 1:
                return ticket
            networks = self._orgs[longest]
            left = max(networks.values(), key=len)[-1]
            self.remove(left)
        self._of[ticket] = (org, network)
        self._counts[org] += 1
        self._networks[network] += 1
        self._orgs.setdefault(org, OrderedDict()).setdefault(network, deque()).append(ticket)
        return left

    def next(self) -> Ticket | None:
        """Removes and returns the ticket whose turn it is. Returns None where none waits."""
        if not self._orgs:
            return None
        org, networks = next(iter(self._orgs.items()))
        network, tickets = next(iter(networks.items()))
        ticket = tickets[0]
        self.remove(ticket)
        if network in networks:
            networks.move_to_end(network)
        if org in self._orgs:
            self._orgs.move_to_end(org)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Removes a ticket. Does nothing where it is not in the queue."""
        found = self._of.pop(ticket, None)
        if found is None:
            return
        org, network = found
        networks = self._orgs[org]
        networks[network].remove(ticket)
        if not networks[network]:
            del networks[network]
        if not networks:
            del self._orgs[org]
        for counts, key in ((self._counts, org), (self._networks, network)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]


@attrs.define(eq=False)
class _Ticket:
    """A request that waits for its turn."""

    called: trio.Event = attrs.field(factory=trio.Event)
    has_turn: bool = False


class HashQueue:
    """Gives requests their turns to compute a slow hash."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        # Threads of our own: those of the default limiter also resolve names.
        self._threads = trio.CapacityLimiter(AT_ONCE)
        self._owner: deque[_Ticket] = deque()
        self._known: Order[_Ticket] = Order()
        self._unknown: Order[_Ticket] = Order()
        self._in_a_row = 0
        """Turns of known callers since the last one of an unknown caller."""

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a turn."""
        return len(self._owner) + len(self._known) + len(self._unknown)

    @asynccontextmanager
    async def bounded(self, network: str, org: str, *, known: bool = False) -> AsyncIterator[None]:
        """Waits for a turn, and keeps it within the `with` block.

        Args:
            network: The network that the request comes from.
            org: The org whose secret is to be checked.
            known: Whether the caller is known to have presented a right secret before.

        Raises:
            Throttled: Too many requests wait, of this network, for this org or in all.
        """
        ticket, order = _Ticket(), self._known if known else self._unknown
        left = order.add(ticket, org, network, most=WAITING, most_each=WAITING_EACH)
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
        """Waits for a turn of the operator, who comes before all others and is never refused."""
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
        """Runs a slow hash in a thread. The caller must have a turn."""
        return await trio.to_thread.run_sync(function, *args, limiter=self._threads)

    def _call(self) -> None:
        """Gives the free turns to the requests that are next."""
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
