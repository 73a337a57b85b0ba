"""Writes the answers of the fast path to their clients, each within its deadline."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from typing import Any
from wsgiref.handlers import format_date_time

import trio

from phonegate.http.body_stream import BodyStream

from .answers import whole_answer
from .fast_pipeline import Reply, UnsentAnswer
from .streams import PIECE_BYTES, Connection, send_in_pieces

Hold = Callable[[Any, int], AbstractContextManager[UnsentAnswer] | None]
"""See `FastPipeline.hold`."""

_RECEIVE_BYTES = 65_536


class FastAnswers:
    """Sends answers.

    Args:
        hold: Counts the memory of a large answer until it has left.
        peer_timeout_s: Seconds that a client has for each piece of one.
    """

    def __init__(self, hold: Hold, peer_timeout_s: float) -> None:
        self._hold = hold
        self._peer_timeout_s = peer_timeout_s
        self._streams: set[BodyStream] = set()
        """The bodies that are produced now."""
        self._draining = False
        self._second = -1
        self._date = ""

    def drain(self) -> None:
        """Ends the answers that are produced while they are sent, from now on too."""
        self._draining = True
        for body in self._streams:
            body.end()

    async def send(self, stream: trio.abc.Stream, reply: Reply, *, stays: bool) -> bool:
        """Sends an answer. Returns whether the client took all of it and another may follow."""
        if reply.stream is not None:
            await self._stream(stream, reply, reply.stream)
            return False
        if isinstance(stream, Connection):
            try:
                rest = self.send_now(stream, reply, stays=stays)
            except trio.BrokenResourceError:
                return False
            return rest is None or await rest()
        leaving = self._hold(reply.owner, len(reply.body))
        if leaving is None:
            answer = self._written(reply, reply.body, stays=stays)
            return await send_in_pieces(stream, answer, self._peer_timeout_s)
        # Apart from its head: to put it behind one would take a copy of it.
        head = self._written(reply, b"", stays=stays)
        return await self._send_counted(stream, leaving, head, reply.body)

    def send_now(
        self, connection: Connection, reply: Reply, *, stays: bool
    ) -> Callable[[], Awaitable[bool]] | None:
        """Sends as much of an answer as the kernel takes at once.

        Returns:
            What sends the rest, as `send` does. `None` if nothing is left.

        Raises:
            trio.BrokenResourceError: The client has gone.
        """
        body = reply.body
        apart = len(body) > PIECE_BYTES  # to put it behind its head would take a copy of it
        begun = self._written(reply, b"" if apart else body, stays=stays)
        sent = connection.send_now(begun)
        if apart and sent == len(begun):
            sent, begun = connection.send_now(body), body
            apart = False
        if sent == len(begun):
            return None
        # What the kernel has taken whole needs no place in the memory of answers on their way.
        leaving, left = self._hold(reply.owner, len(body)), begun[sent:]
        if leaving is None:
            return partial(send_in_pieces, connection, left, self._peer_timeout_s)
        head, left = (left, body) if apart else (b"", left)
        return partial(self._send_counted, connection, leaving, head, left)

    async def _send_counted(
        self,
        stream: trio.abc.Stream,
        leaving: AbstractContextManager[UnsentAnswer],
        head: bytes,
        body: bytes,
    ) -> bool:
        seconds = self._peer_timeout_s
        with leaving as one:
            if await send_in_pieces(stream, head, seconds):
                return await send_in_pieces(stream, body, seconds, one.moved)
        return False

    async def _stream(self, stream: trio.abc.Stream, reply: Reply, body: BodyStream) -> None:
        """Sends an answer whose body is produced meanwhile, in chunks (RFC 9112, 7.1).

        The connection ends with it, as it ends when the client leaves or takes nothing for long.
        """
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some(_RECEIVE_BYTES):
                        pass
                nursery.cancel_scope.cancel()

            async def send(head: bytes, piece: bytes = b"") -> None:
                leaving = self._hold(reply.owner, len(piece))
                if leaving is None:
                    taken = await send_in_pieces(stream, head + piece, self._peer_timeout_s)
                else:
                    taken = await self._send_counted(stream, leaving, head, piece)
                if not taken:
                    nursery.cancel_scope.cancel()
                await trio.lowlevel.checkpoint_if_cancelled()

            async def send_chunk(piece: bytes) -> None:
                await send(b"%x\r\n" % len(piece), piece + b"\r\n")

            fields = (*reply.headers, ("Transfer-Encoding", "chunked"))
            head = whole_answer(reply.status, fields, b"", date=self._now(), stays=False)
            with closing(body):
                self._streams.add(body)
                try:
                    nursery.start_soon(watch)
                    if self._draining:
                        body.end()
                    await send(head)
                    await body.run(send_chunk)
                    await send(b"0\r\n\r\n")
                finally:
                    self._streams.discard(body)
            nursery.cancel_scope.cancel()

    def _written(self, reply: Reply, body: bytes, *, stays: bool) -> bytes:
        return whole_answer(reply.status, reply.headers, body, date=self._now(), stays=stays)

    def _now(self) -> str:
        """Returns the `Date` field of answers."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, format_date_time(second)
        return self._date
