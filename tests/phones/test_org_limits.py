"""What phones may take of what their org and the gateway have."""

import attrs
import pytest
import trio

from phonegate.domain.guard import Bounds, Guard
from phonegate.phones import recorder
from phonegate.phones.wire import PORTION, Heard, PhoneSocket

from .conftest import Start
from .site import DEADLINE_S, NUMBER, OTHER, PATIENT, Site
from .test_link import refusal

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


async def test_an_org_has_so_many_phones_and_those_it_knows_come_in(start: Start) -> None:
    guard = Guard(Bounds(org_phones=2))
    site = await start(PATIENT, guard)
    async with site.phone(device_id="a"), site.phone(device_id="b"):
        status, body, _ = await refusal(site, device_id="c")
        assert (status, body["code"]) == (409, "org_full")
        assert "all the phones it may have (2)" in str(body["detail"])
        # Known ones, be they connected or not.
        async with site.phone(device_id="b"):
            pass
    async with site.phone(device_id="a"):
        pass
    assert guard.refused["org_phones"] == 1


async def test_phones_without_a_name_are_bounded_by_how_many_are_there(start: Start) -> None:
    site = await start(PATIENT, Guard(Bounds(org_phones=2)))
    async with site.phone(device_id="a"), site.phone(device_id="b"):
        for _ in range(3):
            async with site.phone() as phone:
                await phone.sims(NUMBER)
        async with site.phone(), site.phone():
            assert (await refusal(site))[0] == 409
        async with site.phone():
            pass


async def test_one_phone_too_many_stays_without_a_name(start: Start) -> None:
    site = await start(PATIENT, Guard(Bounds(org_phones=1)))
    async with site.phone(device_id="a"), site.phone() as phone:
        await phone.say("hello", device_id="b")
        error = await phone.get()
        assert (error["code"], error["field"]) == ("org_full", "device_id")
        await phone.sims(NUMBER)
        await phone.say("inbound", message=TEXT | {"id": "1"})
        await until_stored(site, 1)
        org = await site.org()
        rows = await site.database.read(lambda tx: tx.phones.anonymous(org))
        assert len(rows) == 1


async def test_an_org_has_so_many_sims(start: Start) -> None:
    site = await start(PATIENT, Guard(Bounds(org_sims=3)))
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as other:
        await one.sims("+15550000001", "+15550000002")
        await other.sims("+15550000003")
        await other.say("sims", sims=[{"slot": n, "number": f"+155511{n}"} for n in range(2)])
        error = await other.get()
        assert (error["code"], error["field"]) == ("org_full", "sims")
        org = await site.org()
        known = await site.database.read(lambda tx: tx.phones.known_sims(org))
        assert [sim.number for sim in known] == ["+15550000001", "+15550000002", "+15550000003"]
        # The same again, and another card in its place, are no more than before.
        await other.sims("+15550000003")
        await other.sims("+15550000004")
        await one.sims("+15550000001", "+15550000002")


async def test_frames_beyond_the_org_s_rate_wait_before_they_are_taken_apart(
    start: Start,
) -> None:
    guard = Guard(Bounds(org_frames_per_s=1))
    site = await start(PATIENT, guard)
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as other:
        for _ in range(9):
            await one.say("ping")
        with trio.fail_after(DEADLINE_S):
            while not guard.refused["org_frames"]:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
        await other.say("inbound", message=TEXT | {"id": "1"})
        with trio.fail_after(DEADLINE_S):
            while not all(station._stalled for station in site.stations()):  # noqa: ASYNC110 - as above
                await trio.sleep(0.001)
        assert await site.messages() == []
        assert not any(station.parting for station in site.stations())


async def test_a_flood_of_an_org_is_taken_apart_in_small_portions(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    parse = PhoneSocket._parse

    def noted(self: PhoneSocket, data: bytes) -> Heard:
        sizes.append(len(data))
        return parse(self, data)

    monkeypatch.setattr(PhoneSocket, "_parse", noted)
    site = await start(PATIENT, Guard(Bounds(org_frames_per_s=1_000_000)))
    async with site.phone(device_id="a") as phone:
        text = TEXT | {"body": "x" * 12_000, "id": "1"}
        await phone.say("inbound", message=text)
        await until_stored(site, 1)
        assert max(sizes) > PORTION
        monkeypatch.setattr(Guard, "is_short_of_frames", lambda *_: True)
        del sizes[:]
        await phone.say("inbound", message=text | {"id": "2"})
        await until_stored(site, 2)
        # The read that was under way already had not begun to be taken apart.
        assert max(sizes) <= PORTION
        assert sum(sizes) > 12_000
