"""Each kind of phone that there is, run through the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from .conftest import Start
from .contract import PhoneEnd, PhoneKind, Promise, Push, promises
from .memory_phone import MemoryKind
from .site import OTHER, Phone, Site
from .smsgate_phone import AppKind


@attrs.frozen
class WebsocketEnd:
    """The far end of a websocket."""

    phone: Phone
    acks: bool

    async def pushed(self) -> Push:
        frame = await self.phone.get()
        assert frame["type"] == "send_sms"
        return Push(id=frame["id"], to=frame["to"], body=frame["body"])

    async def told_to_cancel(self) -> int:
        frame = await self.phone.get()
        assert frame["type"] == "cancel"
        return int(frame["id"])

    async def acknowledge(self, message_id: int) -> None:
        await self.phone.say("ack", id=message_id)

    async def report(self, message_id: int, *, success: bool, error: str | None = None) -> None:
        reason = {} if error is None else {"error": error}
        await self.phone.say("send_result", id=message_id, success=success, **reason)

    async def confirm(self, message_id: int) -> None:
        await self.phone.say("delivery_report", id=message_id, delivered=True)

    async def bring(self, local_id: str, body: str) -> None:
        sms = {"address": OTHER, "body": body, "date": 1_700_000_000_000, "id": local_id}
        await self.phone.say("inbound", message=sms)
        if self.acks:
            frame = await self.phone.get()
            assert (frame["type"], frame["ids"]) == ("inbound_ack", [local_id])

    async def at_rest(self) -> None:
        assert await self.phone.settled() == []

    async def closed(self) -> int:
        return await self.phone.closed()


@attrs.frozen
class WebsocketKind:
    """Phones that connect by websocket, with these extensions of the basic protocol."""

    name: str
    features: tuple[str, ...]

    @property
    def acks(self) -> bool:
        return "ack" in self.features

    @asynccontextmanager
    async def connect(self, site: Site, device_id: str) -> AsyncIterator[PhoneEnd]:
        async with site.phone(device_id=device_id) as phone:
            if self.features:
                await phone.hello(*self.features)
            yield WebsocketEnd(phone, self.acks)


KINDS: tuple[PhoneKind, ...] = (
    WebsocketKind("basic", ()),
    WebsocketKind("extended", ("ack", "cancel", "delivery_report")),
    MemoryKind(),
    AppKind(),
)


def _cases() -> list[Any]:
    return [
        pytest.param(promise, kind, id=f"{kind.name}-{promise.__name__}")
        for kind in KINDS
        for promise in promises(kind)
    ]


@pytest.mark.parametrize(("promise", "kind"), _cases())
async def test_what_is_promised_of_every_phone_holds(
    promise: Promise, kind: PhoneKind, start: Start
) -> None:
    await promise(kind, start)
