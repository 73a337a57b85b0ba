"""Several orgs of one server that send as one load, each to phones of its own."""

import asyncio
import contextlib
import itertools
from typing import Self

from kit.load.deliveries import Deliveries
from kit.load.org import PAGE, SETTLE_S, Org, check
from kit.program import Program

POLL_S = 0.002
"""Between looks whether the last messages are stored: the end of what is timed."""


class Orgs:
    """So many orgs with so many phones each, made and connected inside the `with`."""

    def __init__(
        self, server: Program, count: int, phones: int, *, name: str, acks: bool = False
    ) -> None:
        self.server = server
        self.deliveries = Deliveries()
        self._orgs = [Org(server, f"{name}-{n}", self.deliveries) for n in range(count)]
        self._phones = phones
        self._acks = acks
        self._turns = itertools.cycle(self._orgs)
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as exits:
            for org in self._orgs:
                await exits.enter_async_context(org)
                await org.connect(self._phones, acks=self._acks)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    def next_request(self, batch: int = 1) -> bytes:
        """Returns a send of that many new messages of the org whose turn it is."""
        return next(self._turns).next_request(batch)

    async def all_sent(self) -> None:
        """Waits until every accepted message has arrived and the newest are stored as sent."""
        async with asyncio.timeout(SETTLE_S):
            await self.deliveries.all_arrived()
            for org in self._orgs:
                await org.newest_sent(2 * self._phones, poll_s=POLL_S)

    async def check(self) -> None:
        """Compares what was counted with the whole lists of the server's messages.

        Raises:
            Wrong: A message is missing, came twice, or is not `sent`.
        """
        async with asyncio.timeout(SETTLE_S):
            for org in self._orgs:
                await org.newest_sent(PAGE)
        await check(self.deliveries, self._orgs)
