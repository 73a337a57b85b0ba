"""Closed loops: clients that ask again as soon as they are answered."""

import asyncio
import time
from collections.abc import Callable

from kit.load.http import Client


class Wrong(Exception):
    """The server did not do what was asked; a figure would mean nothing."""


class Loops:
    """So many clients, each with a request under way at any time.

    Args:
        port: Of the server.
        clients: How many.
        make: Makes the next request.
        accepted: Called for each answer with success.
    """

    def __init__(
        self, port: int, clients: int, make: Callable[[], bytes], accepted: Callable[[], None]
    ) -> None:
        self.clients = clients
        self.answers: list[float] = []
        """Seconds from request to answer."""
        self._make = make
        self._accepted = accepted
        self._clients = [Client(port, self._answered) for _ in range(clients)]
        self._until = 0.0
        self._busy = 0
        self._idle = asyncio.Event()
        self._fault: str | None = None

    async def run(self, seconds: float) -> None:
        """Asks for a while, and waits for the last answers.

        Raises:
            Wrong: A request was refused.
        """
        self._until = time.perf_counter() + seconds
        self._idle.clear()
        self.answers.clear()
        self._busy = len(self._clients)
        for client in self._clients:
            client.ask(self._make())
        await self._idle.wait()
        if self._fault is not None:
            raise Wrong(self._fault)

    def stop(self) -> None:
        """Lets `run` end with the answers to what is under way."""
        self._until = 0.0

    def close(self) -> None:
        for client in self._clients:
            client.close()

    @property
    def connections(self) -> int:
        """Made so far, by all of them."""
        return sum(client.connections for client in self._clients)

    def _answered(self, client: Client, status: int, body: bytes) -> None:
        now = time.perf_counter()
        if 200 <= status < 300:
            self.answers.append(now - client.begun)
            self._accepted()
        else:
            self._fault = f"a request was answered {status}: {body[:300]!r}"
        if now < self._until and self._fault is None:
            client.ask(self._make())
            return
        self._busy -= 1
        if not self._busy:
            self._idle.set()
