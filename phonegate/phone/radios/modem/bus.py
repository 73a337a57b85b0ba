"""One connection to a message bus: calls with deadlines, and signals in their order."""

import itertools
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import attrs
import trio
from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    Message,
    MessageType,
    Parser,
    message_bus,
    new_method_call,
)
from jeepney.auth import BEGIN, AuthenticationError, Authenticator
from jeepney.bus import get_bus

from phonegate.phone.radios.modem.errors import BusGone, CallRefused, CallTimedOut

READ_BYTES = 65_536
MESSAGE_BYTES: Final = 16 * 2**20
"""The longest message that is read. A list of everything that ModemManager knows has some 10 KiB,
and the bus itself allows 128 MiB."""
SEND_S = 10
"""Seconds for a message of some 100 bytes to the bus of this machine."""
DRIVER: Final = "org.freedesktop.DBus"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"


@attrs.frozen(kw_only=True)
class Signal:
    """A signal from the bus."""

    path: str
    interface: str
    member: str
    body: tuple[Any, ...]


@attrs.define
class _Reply:
    arrived: trio.Event = attrs.field(factory=trio.Event)
    message: Message | None = None


class Bus:
    """An open connection. Its calls may be made by any task.

    Args:
        stream: The connection, authenticated.
        hear: Called with each signal, in order. It must not wait.
    """

    def __init__(self, stream: trio.SocketStream, hear: Callable[[Signal], None]) -> None:
        self._stream = stream
        self._hear = hear
        self._serials = itertools.count(1)
        self._replies: dict[int, _Reply] = {}
        self._sending = trio.Lock()
        self._gone: str | None = None

    async def call(
        self,
        owner: str,
        path: str,
        method: str,
        signature: str = "",
        body: Sequence[Any] = (),
        *,
        within_s: float,
    ) -> tuple[Any, ...]:
        """Calls a method, named with its interface, and returns what it returns.

        Raises:
            CallRefused: It was answered with an error.
            CallTimedOut: It was not answered in time.
            BusGone: The connection ended.
        """
        interface, _, member = method.rpartition(".")
        target = DBusAddress(path, bus_name=owner, interface=interface)
        return await self._ask(
            new_method_call(target, member, signature or None, tuple(body)), within_s=within_s
        )

    async def properties(
        self, owner: str, path: str, interface: str, *, within_s: float
    ) -> dict[str, Any]:
        """Returns all properties of an interface of an object, by name. Raises as `call`."""
        values = await self.call(
            owner, path, f"{PROPERTIES}.GetAll", "s", (interface,), within_s=within_s
        )
        return plain(values[0])

    async def watch(self, rule: MatchRule, *, within_s: float) -> None:
        """Makes the bus pass on the signals of a rule.

        Raises:
            BusGone: It does not, so that it is of no use.
        """
        await self._require(message_bus.AddMatch(rule), within_s)

    async def owner_of(self, name: str, *, within_s: float) -> str:
        """Returns the unique name of the program that owns a name. Raises as `call`."""
        return str((await self._ask(message_bus.GetNameOwner(name), within_s=within_s))[0])

    async def start_service(self, name: str, *, within_s: float) -> None:
        """Makes the bus start the service of a name. Raises as `call`."""
        await self._ask(message_bus.StartServiceByName(name), within_s=within_s)

    async def greet(self, *, within_s: float) -> None:
        """Says the first word, without which the bus takes no other.

        Raises:
            BusGone: It was not answered.
        """
        await self._require(message_bus.Hello(), within_s)

    async def _require(self, message: Message, within_s: float) -> None:
        try:
            await self._ask(message, within_s=within_s)
        except (CallRefused, CallTimedOut) as error:
            raise BusGone(str(error)) from error

    async def _ask(self, message: Message, *, within_s: float) -> tuple[Any, ...]:
        serial = next(self._serials)
        reply = self._replies[serial] = _Reply()
        try:
            with trio.fail_after(within_s):
                await self._send(message.serialise(serial))
                await reply.arrived.wait()
        except trio.TooSlowError:
            raise CallTimedOut(str(message.header.fields[HeaderFields.member])) from None
        finally:
            del self._replies[serial]
        if reply.message is None:
            raise BusGone(self._gone or "it was closed")
        header = reply.message.header
        if header.message_type is MessageType.error:
            raise CallRefused(str(header.fields.get(HeaderFields.error_name, "")))
        return tuple(reply.message.body)

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            if self._gone is not None:
                raise BusGone(self._gone)
            try:
                # A message that is cut off would spoil all that follow it.
                with trio.CancelScope(shield=True) as scope:
                    scope.deadline = trio.current_time() + SEND_S
                    await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise BusGone(self._end("it broke")) from error
            if scope.cancelled_caught:
                raise BusGone(self._end("it takes nothing"))

    def _end(self, problem: str) -> str:
        """Ends the connection for all who wait for an answer. Returns the first problem."""
        if self._gone is None:
            self._gone = problem
            self._stream.socket.close()
            for reply in self._replies.values():
                reply.arrived.set()
        return self._gone

    async def receive(self) -> None:
        """Passes on what comes, until the connection ends. Then it raises `BusGone`."""
        parser = Parser()
        try:
            while data := await self._stream.receive_some(READ_BYTES):
                parser.add_data(data)
                while (message := parser.get_next_message()) is not None:
                    self._take(message)
                if parser.buf.bytes_buffered > MESSAGE_BYTES:
                    raise BusGone(self._end("it sent a message that is too long"))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise BusGone(self._end("it broke")) from error
        except (ValueError, struct.error) as error:
            raise BusGone(self._end("it does not speak D-Bus")) from error
        finally:
            self._end("it was closed")
        raise BusGone(self._end("it was closed"))

    def _take(self, message: Message) -> None:
        fields = message.header.fields
        waiting = self._replies.get(fields.get(HeaderFields.reply_serial, 0))
        if waiting is not None:
            waiting.message = message
            waiting.arrived.set()
        elif message.header.message_type is MessageType.signal:
            self._hear(
                Signal(
                    path=fields[HeaderFields.path],
                    interface=fields[HeaderFields.interface],
                    member=fields[HeaderFields.member],
                    body=tuple(message.body),
                )
            )


def plain(values: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Returns properties without the types that D-Bus writes beside them."""
    return {name: value for name, (_, value) in values.items()}


async def hold_bus(
    address: str,
    hear: Callable[[Signal], None],
    session: Callable[[Bus], Awaitable[None]],
    *,
    connect_s: float,
) -> None:
    """Connects to a bus and runs `session` with it, until that returns.

    Args:
        address: An address as D-Bus writes it, or `SYSTEM`.
        hear: Called with each signal.
        session: Gets the connection.
        connect_s: Seconds to connect.

    Raises:
        BusGone: There is no such bus, or the connection ended. What `session` raises passes as
            it is.
    """
    stream = await _connect(address, connect_s)
    # Kept until the nursery is closed, which would make a group of it.
    end: Exception | None = None
    bus = Bus(stream, hear)

    async def receive(scope: trio.CancelScope) -> None:
        nonlocal end
        try:
            await bus.receive()
        except BusGone as error:
            end = error
            scope.cancel()

    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(receive, nursery.cancel_scope)
        try:
            await bus.greet(within_s=connect_s)
            await session(bus)
        except Exception as error:  # noqa: BLE001 - raised again below
            end = error
        nursery.cancel_scope.cancel()
    if end is not None:
        raise end


async def _connect(address: str, connect_s: float) -> trio.SocketStream:
    try:
        where = get_bus(address)
    except (ValueError, RuntimeError) as error:
        raise BusGone("its address is of a form that is not known here") from error
    try:
        with trio.fail_after(connect_s):
            stream = await trio.open_unix_socket(where)
            try:
                await _authenticate(stream)
            except BaseException:
                stream.socket.close()
                raise
    except trio.TooSlowError:
        raise BusGone("it does not answer") from None
    except OSError as error:
        raise BusGone(error.strerror or "it can't be opened") from error
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise BusGone("it hung up") from error
    except AuthenticationError as error:
        raise BusGone("it does not let this user in") from error
    return stream


async def _authenticate(stream: trio.SocketStream) -> None:
    authenticator = Authenticator()
    for data in authenticator:
        await stream.send_all(data)
        answer = await stream.receive_some()
        if not answer:
            raise BusGone("it hung up")
        authenticator.feed(answer)
    await stream.send_all(BEGIN)
