"""A kind of phone without websocket and JSON: its frames stay in the process of the gateway."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from phonegate.domain.inbox import Received
from phonegate.domain.phone_registry import Introduction
from phonegate.phones import frames
from phonegate.phones.admission import Arrival
from phonegate.phones.frames import GatewayFrame, PhoneFrame
from phonegate.phones.session import Session
from phonegate.phones.transport import Heard, Incoming, LinkLost
from phonegate.server.forwarded import Peer
from tests.patience import PATIENCE_S

from .contract import PhoneEnd, Push
from .site import ORG, OTHER, SECRET, Site


class MemoryTransport:
    """Carries frames by channels; implements `phones.transport.Transport`."""

    def __init__(self) -> None:
        self.close_code: int | None = None
        self._down, self.given = trio.open_memory_channel[GatewayFrame](1_000)
        self.said, self._up = trio.open_memory_channel[PhoneFrame](1_000)

    @property
    def answered_at(self) -> float:
        return trio.current_time()

    def start(
        self, nursery: trio.Nursery, *, lost: Callable[[], None], crowded_out: Callable[[], None]
    ) -> None:
        pass

    async def receive(self, sparing: Callable[[], bool]) -> Heard:
        try:
            frame = await self._up.receive()
        except trio.EndOfChannel:
            raise LinkLost from None
        return Heard([Incoming(frame, 100)], 1, is_last=False)

    async def send(self, frame: GatewayFrame) -> None:
        self.send_now(frame)

    def send_now(self, frame: GatewayFrame) -> None:
        if self.close_code is None:
            self._down.send_nowait(frame)

    def probe(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.close_code = code
        self._down.close()

    def finish(self) -> None:
        pass

    def rest(self) -> None:
        pass


@attrs.frozen
class MemoryEnd:
    """The phone's end."""

    transport: MemoryTransport

    async def get(self) -> GatewayFrame:
        with trio.fail_after(PATIENCE_S):
            return await self.transport.given.receive()

    async def pushed(self) -> Push:
        frame = await self.get()
        assert isinstance(frame, frames.SendSms)
        return Push(id=frame.id, to=frame.to, body=frame.body)

    async def told_to_cancel(self) -> int:
        frame = await self.get()
        assert isinstance(frame, frames.Cancel)
        return frame.id

    async def acknowledge(self, message_id: int) -> None:
        await self.transport.said.send(frames.Ack(id=message_id))

    async def report(self, message_id: int, *, success: bool, error: str | None = None) -> None:
        result = frames.SendResult(id=message_id, success=success, error=error)
        await self.transport.said.send(result)

    async def confirm(self, message_id: int) -> None:
        await self.transport.said.send(frames.DeliveryReport(id=message_id, delivered=True))

    async def bring(self, local_id: str, body: str) -> None:
        sms = Received(address=OTHER, body=body, date=1_700_000_000_000, local_id=local_id)
        await self.transport.said.send(frames.Inbound(messages=(sms,)))
        ack = await self.get()
        assert isinstance(ack, frames.InboundAck)
        assert ack.ids == (local_id,)

    async def at_rest(self) -> None:
        await self.transport.said.send(frames.Ping())
        assert isinstance(await self.get(), frames.Pong)

    async def closed(self) -> int:
        with trio.fail_after(PATIENCE_S):
            async for _ in self.transport.given:
                pass
        self.transport.said.close()
        assert self.transport.close_code is not None
        return self.transport.close_code


@attrs.frozen
class MemoryKind:
    """Phones in the gateway's own process."""

    name: str = "memory"
    acks: bool = True
    window: int | None = None
    """What it says that it takes at once."""

    @asynccontextmanager
    async def connect(self, site: Site, device_id: str) -> AsyncIterator[PhoneEnd]:
        arrival = Arrival(
            credential=SECRET,
            org_name=ORG,
            says=Introduction(device_id=device_id, plain_device_id=device_id, name=None),
            is_foreign_host=False,
        )
        peer = Peer(address="127.0.0.1", scheme="http")
        transport = MemoryTransport()
        end = MemoryEnd(transport)
        async with trio.open_nursery() as nursery:
            admitted = await site.admission.admit(arrival, peer)
            nursery.start_soon(Session(transport, site.services, admitted).run)
            assert isinstance(await end.get(), frames.Connected)
            features = frozenset({"ack", "cancel", "delivery_report"})
            await transport.said.send(frames.Hello(features=features, window=self.window))
            yield end
            transport.said.close()
