"""Bodies that are produced while they are sent, such as server-sent events."""

from collections.abc import Awaitable, Callable

import trio

SendPiece = Callable[[bytes], Awaitable[None]]
"""Sends a piece of a body. Returns when it has left, so that a slow client slows down its
producer."""

Produce = Callable[[SendPiece], Awaitable[None]]
"""Produces a body. It is cancelled when its client leaves and when the gateway stops. A body that
is silent for long should send something now and then, or a client that vanished is never missed.
"""


class BodyStream:
    """The body of one answer, produced while it is sent.

    Whatever has one closes it in any case, also one that it never ran.

    Args:
        produce: Produces the body.
        on_close: Called once, at the end. Its argument tells whether the producer has failed.
    """

    def __init__(self, produce: Produce, on_close: Callable[[bool], None]) -> None:
        self._produce = produce
        self._on_close = on_close
        self._scope = trio.CancelScope()
        self._sending = trio.Lock()
        self._ending = False
        self._failed = False

    async def run(self, send: SendPiece) -> None:
        """Sends the body to its end, or until `end` is called.

        Each piece is sent whole, unless the whole connection is given up. What the producer
        raises is raised here.

        Args:
            send: Sends a piece. It is never called twice at once, and never with an empty piece.
        """

        async def send_piece(piece: bytes) -> None:
            async with self._sending:
                if self._ending or not piece:
                    await trio.lowlevel.checkpoint()
                else:
                    await send(piece)
            if self._ending:
                self._scope.cancel()
                await trio.lowlevel.checkpoint()

        try:
            with self._scope:
                await self._produce(send_piece)
        except Exception:
            self._failed = True
            raise

    def end(self) -> None:
        """Ends it, after the piece that is being sent now."""
        self._ending = True
        if not self._sending.locked():
            self._scope.cancel()

    def close(self) -> None:
        """Notes the end of the request. Must be called once."""
        self._on_close(self._failed)
