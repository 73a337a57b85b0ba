"""A message bus with ModemManager on it, made with jeepney: for tests on any machine."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    Parser,
    new_error,
    new_method_return,
    new_signal,
)

from phonegate.phone.radios.modem.objects import (
    MESSAGING,
    MM,
    MODEM,
    MODEM_3GPP,
    ROOT,
    SIM,
    SMS,
)

MODEM_PATH = f"{ROOT}/Modem/0"
SIM_PATH = f"{ROOT}/SIM/0"
ERROR = f"{MM}.Error"
IMEI = "490154203237518"

Values = dict[str, tuple[str, Any]]


def modem(**properties: tuple[str, Any]) -> dict[str, Values]:
    """The interfaces of a modem that is registered."""
    values: Values = {
        "EquipmentIdentifier": ("s", IMEI),
        "Manufacturer": ("s", "Mock"),
        "Model": ("s", "One"),
        "State": ("i", 8),
        "StateFailedReason": ("u", 0),
        "UnlockRequired": ("u", 1),
        "UnlockRetries": ("a{uu}", {}),
        "Sim": ("o", SIM_PATH),
        "OwnNumbers": ("as", ["+1555"]),
        "SignalQuality": ("(ub)", (70, True)),
        "AccessTechnologies": ("u", 1 << 14),
    }
    network: Values = {"OperatorName": ("s", "Net")}
    return {MODEM: values | properties, MODEM_3GPP: network, MESSAGING: {}}


def sms(number: str, text: str, **properties: tuple[str, Any]) -> Values:
    """The properties of a received SMS."""
    return {
        "State": ("u", 3),
        "PduType": ("u", 1),
        "Number": ("s", number),
        "Text": ("s", text),
        "Data": ("ay", b""),
        "Timestamp": ("s", "2026-01-02T03:04:05Z"),
        "MessageReference": ("u", 0),
        "DeliveryState": ("u", 256),
        **properties,
    }


@attrs.define
class MockManager:
    """What is on the bus. Tests change it, and `stir` tells the radio."""

    address: str = ""
    owner: str | None = ":1.1"
    version: str = "1.24.0"
    modems: dict[str, dict[str, Values]] = attrs.field(factory=lambda: {MODEM_PATH: modem()})
    sim: Values = attrs.field(factory=lambda: {"SimIdentifier": ("s", "8949")})
    messages: dict[str, Values] = attrs.field(factory=dict)
    refuse: dict[str, str] = attrs.field(factory=dict)
    """Errors by the names of methods."""
    silent: set[str] = attrs.field(factory=set)
    """Methods that are never answered."""
    pins: list[str] = attrs.field(factory=list)
    switched: list[bool] = attrs.field(factory=list)
    """What `Enable` was called with."""
    deleted: list[str] = attrs.field(factory=list)
    called: Callable[[str], None] = attrs.field(default=lambda _: None)
    _made: int = 100
    _links: list[trio.SocketStream] = attrs.field(factory=list)
    _serial: int = 0
    _writing: trio.Lock = attrs.field(factory=trio.Lock)

    async def stir(self) -> None:
        """Sends a signal, as whatever changes does."""
        emitter = DBusAddress(ROOT, bus_name=self.owner, interface=MM)
        for link in list(self._links):
            await self._write(link, new_signal(emitter, "Changed"))

    def die(self) -> None:
        """Ends all connections."""
        for link in self._links:
            link.socket.close()

    @asynccontextmanager
    async def serve(self, folder: Path) -> AsyncIterator["MockManager"]:
        path = folder / "bus"
        self.address = f"unix:path={path}"
        listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await listening.bind(str(path))
        listening.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._handle, [trio.SocketListener(listening)])
            yield self
            nursery.cancel_scope.cancel()

    async def _handle(self, link: trio.SocketStream) -> None:
        parser, said = Parser(), b""
        while not said.endswith(b"BEGIN\r\n"):
            said += await link.receive_some()
            if said.endswith(b"\r\n") and not said.endswith(b"BEGIN\r\n"):
                await link.send_all(b"OK 1234deadbeef\r\n")
        self._links.append(link)
        try:
            while data := await link.receive_some():
                for message in parser.feed(data):
                    await self._answer(link, message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            self._links.remove(link)

    async def _write(self, link: trio.SocketStream, message: Message) -> None:
        self._serial += 1
        async with self._writing:
            await link.send_all(message.serialise(self._serial))

    async def _answer(self, link: trio.SocketStream, message: Message) -> None:
        assert message.header.message_type is MessageType.method_call
        member = message.header.fields[HeaderFields.member]
        self.called(member)
        if member in self.silent:
            return
        error = self.refuse.get(member)
        if error is None and message.header.fields[HeaderFields.destination] not in {
            "org.freedesktop.DBus",
            self.owner,
        }:
            error = "org.freedesktop.DBus.Error.ServiceUnknown"
        if error is not None:
            await self._write(link, new_error(message, error))
            return
        path = message.header.fields[HeaderFields.path]
        await self._write(link, self._reply(member, path, message))
        if member in {"Send", "SendPin", "Enable", "Delete"}:
            await self.stir()

    def _reply(self, member: str, path: str, message: Message) -> Message:  # noqa: C901, PLR0911 - a case for each method
        match member, message.body:
            case "Hello", _:
                return new_method_return(message, "s", (":1.9",))
            case "GetNameOwner", _:
                if self.owner is None:
                    return new_error(message, "org.freedesktop.DBus.Error.NameHasNoOwner")
                return new_method_return(message, "s", (self.owner,))
            case "GetManagedObjects", _:
                return new_method_return(message, "a{oa{sa{sv}}}", (self.modems,))
            case "GetAll", (interface,):
                return self._properties(message, path, interface)
            case "List", _:
                return new_method_return(message, "ao", (list(self.messages),))
            case "Create", (fields,):
                self._made += 1
                made = f"{ROOT}/SMS/{self._made}"
                values: Values = {"State": ("u", 0), "PduType": ("u", 2)}
                values |= {"Number": fields["number"], "Text": fields["text"]}
                self.messages[made] = sms("", "", **values)
                return new_method_return(message, "o", (made,))
            case "Send", _:
                self.messages[path] |= {"State": ("u", 5), "MessageReference": ("u", 7)}
            case "Delete", (deleted,):
                self.deleted.append(deleted)
                if self.messages.pop(deleted, None) is None:
                    return new_error(message, f"{ERROR}.Core.NotFound")
            case "SendPin", (pin,):
                self.pins.append(pin)
                opened = {"UnlockRequired": ("u", 1), "State": ("i", 3)}
                self.modems[path.replace("SIM", "Modem")][MODEM] |= opened
            case "Enable", (on,):
                self.switched.append(on)
                self.modems[path][MODEM]["State"] = ("i", 8 if on else 3)
        return new_method_return(message)

    def _properties(self, message: Message, path: str, interface: str) -> Message:
        known: dict[str, Values | None] = {
            MM: {"Version": ("s", self.version)},
            SIM: self.sim,
            SMS: self.messages.get(path),
        }
        values = known[interface]
        if values is None:
            return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
        return new_method_return(message, "a{sv}", (values,))
