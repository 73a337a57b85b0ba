"""Streams between a socket and what serves it: one closes gently, one gives again what was read."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import trio

LINGER_S = 2.0
"""Seconds to wait for a client to close after our last byte. To close with bytes unread sends a
reset, and a reset can overtake the answer: the client of an early 413 would never read it."""

LINGER_BYTES = 16_777_216
"""Bytes thrown away meanwhile: room for the rest of any body that was sent in good faith. A
client that goes on past it gets its reset."""

PIECE_BYTES = 65_536
"""Bytes that must leave within a client's deadline: at its default, 3 KB/s is the slowest one."""

_RECEIVE_BYTES = 65_536


class Connection(trio.abc.HalfCloseableStream):
    """An accepted socket, whose `aclose` lets the client read the end first.

    Args:
        sock: The accepted socket.
        peer_timeout_s: Seconds that sent bytes may stay unacknowledged, or the client's window
            shut, before the kernel gives the client up (TCP_USER_TIMEOUT, RFC 5482).
        linger_s: Seconds to wait for the client to close.
    """

    def __init__(
        self, sock: trio.socket.SocketType, *, peer_timeout_s: float, linger_s: float = LINGER_S
    ) -> None:
        self._stream = trio.SocketStream(sock)  # which sets TCP_NODELAY
        self._linger_s = linger_s
        self._broken = False
        self.hung_up = False
        """Whether `hang_up` was called."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux only; elsewhere our deadlines must do
            with suppress(OSError):
                sock.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(peer_timeout_s * 1000)
                )

    def send_now(self, data: bytes) -> int:
        """Sends what the kernel takes at once.

        No other task may be sending. A small answer nearly always goes whole, and then needs no
        turn of the event loop and no deadline.

        Returns:
            How many bytes it took.

        Raises:
            trio.BrokenResourceError: The client has gone.
        """
        try:
            return os.write(self._stream.socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broken = True
            raise trio.BrokenResourceError from error

    def hang_up(self) -> None:
        """Lets nothing more come. A reader gets what is here already, and then the end."""
        self.hung_up = True
        with suppress(OSError):
            self._stream.socket.shutdown(socket.SHUT_RD)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`. The stream is broken after a send that was cut short."""
        try:
            await self._stream.send_all(data)
        except BaseException:
            self._broken = True
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See `trio.abc.ReceiveStream`."""
        return await self._stream.receive_some(max_bytes)

    async def receive_next(self, max_bytes: int) -> bytes:
        """Receives as `receive_some` does, and asks the kernel once if nothing has come yet."""
        await trio.lowlevel.wait_readable(self._stream.socket)
        try:
            return os.read(self._stream.socket.fileno(), max_bytes)
        except BlockingIOError:  # a wake-up for nothing, which select(2) warns of
            return bytes(await self._stream.receive_some(max_bytes))
        except OSError as error:
            raise trio.BrokenResourceError from error

    def receive_now(self, max_bytes: int) -> bytes:
        """Receives what has come already. Returns nothing if that is nothing, or the end."""
        with suppress(OSError):
            return os.read(self._stream.socket.fileno(), max_bytes)
        return b""

    async def peek(self) -> bytes:
        """Returns the first byte of what comes next, which stays to be received. Empty at the end.

        Raises:
            trio.BrokenResourceError: The client has gone.
        """
        try:
            return await self._stream.socket.recv(1, socket.MSG_PEEK)
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """See `trio.abc.HalfCloseableStream`."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Closes, after `linger_s` at most, and at once when cancelled or broken."""
        try:
            if not self._broken:
                with suppress(
                    trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError
                ):
                    await self._linger()
        finally:
            await self._stream.aclose()

    async def _linger(self) -> None:
        with trio.move_on_after(self._linger_s):
            await self._stream.send_eof()
            thrown = 0
            while thrown < LINGER_BYTES:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
                if not data:
                    return
                thrown += len(data)


class Replay(trio.abc.Stream):
    """A stream of which some bytes were already read: it gives them again, then goes on.

    Args:
        stream: The stream they came from; closing this one closes it.
        rest: What was read.
    """

    def __init__(self, stream: trio.abc.Stream, rest: bytes) -> None:
        self._stream = stream
        self._rest = rest

    @property
    def bare(self) -> Connection | None:
        """The connection itself, once all that was read is given. None under TLS."""
        return self._stream if isinstance(self._stream, Connection) and not self._rest else None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See `trio.abc.ReceiveStream`."""
        if not self._rest:
            return await self._stream.receive_some(max_bytes)
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        await trio.lowlevel.checkpoint()
        piece = self._rest[:max_bytes]
        self._rest = self._rest[len(piece) :]
        return piece

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`."""
        self._rest = b""
        await self._stream.aclose()


async def send_in_pieces(
    stream: trio.abc.SendStream,
    data: bytes,
    seconds: float,
    moved: Callable[[], None] = lambda: None,
) -> bool:
    """Sends all of `data`.

    Args:
        stream: Where to.
        data: What to send.
        seconds: The time for each piece of it.
        moved: Called after each piece.

    Returns:
        Whether the client took it.
    """
    sent = 0
    if isinstance(stream, Connection):
        try:
            sent = stream.send_now(data)
        except trio.BrokenResourceError:
            return False
    for at in range(sent, len(data), PIECE_BYTES):
        with trio.move_on_after(seconds) as scope:
            try:
                await stream.send_all(data[at : at + PIECE_BYTES])
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
        if scope.cancelled_caught:
            return False
        moved()
    return True
