"""The gateway's own phone keeps what is promised of every phone, and needs no credential."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from phonegate.builtin_phone.connector import InnerConnector
from phonegate.phone.connector import OpenLink
from phonegate.phone.link import End, LinkLost
from phonegate.store.database import Database
from tests.patience import PATIENCE_S
from tests.phones.conftest import Start
from tests.phones.contract import PhoneEnd, PhoneKind, Promise, Push, promises
from tests.phones.site import ORG, OTHER, PATIENT, SECRET, Site


@attrs.frozen
class InnerEnd:
    """The phone's end."""

    link: OpenLink

    async def get(self) -> dict[str, Any]:
        with trio.fail_after(PATIENCE_S):
            return await self.link.receive()

    async def say(self, kind: str, **fields: Any) -> None:
        await self.link.send({"type": kind, **fields})

    async def pushed(self) -> Push:
        frame = await self.get()
        assert frame["type"] == "send_sms"
        return Push(id=frame["id"], to=frame["to"], body=frame["body"])

    async def told_to_cancel(self) -> int:
        frame = await self.get()
        assert frame["type"] == "cancel"
        return int(frame["id"])

    async def acknowledge(self, message_id: int) -> None:
        await self.say("ack", id=message_id)

    async def report(self, message_id: int, *, success: bool, error: str | None = None) -> None:
        await self.say("send_result", id=message_id, success=success, error=error)

    async def confirm(self, message_id: int) -> None:
        await self.say("delivery_report", id=message_id, delivered=True)

    async def bring(self, local_id: str, body: str) -> None:
        sms = {"address": OTHER, "body": body, "date": 1_700_000_000_000, "id": local_id}
        await self.say("inbound", message=sms)
        frame = await self.get()
        assert (frame["type"], frame["ids"]) == ("inbound_ack", [local_id])

    async def at_rest(self) -> None:
        await self.say("ping")
        assert (await self.get())["type"] == "pong"

    async def closed(self) -> int:
        with trio.fail_after(PATIENCE_S):
            while True:
                try:
                    await self.link.receive()
                except LinkLost as lost:
                    return lost.code


def connector(site: Site, org: str = ORG) -> InnerConnector:
    return InnerConnector(
        org=org, accounts=site.accounts, admission=site.admission, services=site.services
    )


async def add_org(site: Site) -> None:
    if not await site.accounts.orgs.all():
        await site.accounts.orgs.add(ORG, SECRET)


@attrs.frozen
class InnerKind:
    """Phones in the gateway's own process."""

    name: str = "built in"
    acks: bool = True

    @asynccontextmanager
    async def connect(self, site: Site, device_id: str) -> AsyncIterator[PhoneEnd]:
        await add_org(site)
        opened, links = trio.open_memory_channel[OpenLink](1)
        done = trio.Event()

        async def session(link: OpenLink) -> None:
            await opened.send(link)
            await done.wait()

        async def hold() -> None:
            await connector(site).hold(session, device_id=device_id, name=None, known=False)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            end = InnerEnd(await links.receive())
            assert (await end.get())["type"] == "connected"
            await end.say("hello", features=["ack", "cancel", "delivery_report"])
            yield end
            done.set()


@pytest.fixture
def start(database: Database, nursery: trio.Nursery) -> Start:
    async def start(settings: Any = PATIENT, *given: Any, **more: Any) -> Site:
        site = Site(database, settings, *given, **more)
        await nursery.start(site.serve)
        return site

    return start


KIND: PhoneKind = InnerKind()


@pytest.mark.parametrize("promise", promises(KIND), ids=lambda promise: promise.__name__)
async def test_the_built_in_phone_keeps(promise: Promise, start: Start) -> None:
    await promise(KIND, start)


async def test_an_org_that_is_not_there_is_named(start: Start) -> None:
    async def session(link: OpenLink) -> None:
        raise AssertionError(link)

    end = await connector(await start(), "nobody").hold(
        session, device_id="modem", name=None, known=False
    )
    assert end.detail is not None
    assert "phonegate org add nobody" in end.detail


async def test_a_gateway_that_closes_the_link_ends_it_with_its_code(start: Start) -> None:
    site = await start()
    await add_org(site)
    connected = trio.Event()
    ends: list[End] = []

    async def session(link: OpenLink) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            while (await link.receive())["type"] != "nothing":
                connected.set()

    async def hold() -> None:
        ends.append(await connector(site).hold(session, device_id="modem", name=None, known=False))

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            await connected.wait()
            await site.switchboard.close_all(1012, "the gateway restarts")
    assert [(end.code, end.detail) for end in ends] == [(1012, "the gateway restarts")]
