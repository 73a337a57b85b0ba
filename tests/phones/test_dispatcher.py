"""The switchboard with phones on real links, held to the contract of a dispatcher."""

from contextlib import AsyncExitStack

import attrs
import pytest

from phonegate.config.settings import PacingSettings
from phonegate.domain.dispatch import Dispatcher
from tests.domain.dispatcher_contract import PROMISES, Promise

from .conftest import Start
from .site import PATIENT, Phone, Site


@attrs.define
class LinkScene:
    """Phones that connect by websocket."""

    site: Site
    org: int
    _stack: AsyncExitStack
    _phones: dict[int, Phone] = attrs.field(factory=dict)

    @property
    def dispatcher(self) -> Dispatcher:
        return self.site.switchboard

    async def connect(self, *, cancels: bool = False) -> int:
        name = f"phone-{len(self._phones)}"
        phone = await self._stack.enter_async_context(self.site.phone(device_id=name))
        if cancels:
            await phone.hello("cancel")
        assert await phone.settled() == []
        await self.site.until_fed()
        row = self.dispatcher.online(self.org)[-1].phone
        self._phones[row] = phone
        return row

    async def disconnect(self, phone: int) -> None:
        count = len(self.dispatcher.online(self.org))
        await self._phones[phone].socket.aclose()
        await self.site.until_online(count - 1)

    async def pushed(self, phone: int) -> int:
        return int((await self._phones[phone].get())["id"])


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_switchboard_keeps_what_a_dispatcher_promises(
    promise: Promise, start: Start
) -> None:
    site = await start(attrs.evolve(PATIENT, pacing=PacingSettings(segments_per_minute=8)))
    async with site.phone(device_id="first"):
        org = await site.org()
    await site.until_online(0)
    async with AsyncExitStack() as stack:
        await promise(LinkScene(site, org, stack))
