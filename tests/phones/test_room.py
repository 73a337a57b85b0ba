"""What phones may take of what their org and the gateway have."""

import attrs
import pytest
import trio

from phonegate.domain.guard import Bounds, Guard
from phonegate.phones import recorder

from .conftest import Start
from .site import DEADLINE_S, OTHER, PATIENT, Site

TEXT = {"address": OTHER, "body": "x", "date": 1}


async def until_stored(site: Site, count: int) -> None:
    with trio.fail_after(DEADLINE_S):
        while len(await site.messages(direction="in", limit=1000)) < count:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)


async def test_a_text_beyond_the_org_s_share_is_kept_until_there_is_room(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FIRST_PAUSE_S", 0.01)
    guard = Guard(Bounds(self_made_org_bytes_per_day=1))
    site = await start(PATIENT, guard)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.say("inbound", message=TEXT | {"id": "1"})
        assert (await phone.get())["ids"] == ["1"]
        await phone.say("inbound", message=TEXT | {"id": "2"})
        error = await phone.get()
        assert (error["type"], error["code"], error["ids"]) == ("error", "storage_spent", ["2"])
        assert len(await site.messages(direction="in")) == 1
        guard.bounds = attrs.evolve(guard.bounds, self_made_org_bytes_per_day=1 << 30)
        ack = await phone.get()
        assert (ack["type"], ack["ids"]) == ("inbound_ack", ["2"])
        assert len(await site.messages(direction="in")) == 2
