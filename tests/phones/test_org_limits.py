"""What phones may take of what their org and the gateway have."""

import attrs
import pytest
import trio

from phonegate.domain.inbox import Received
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.phones import frames, held_inbound
from phonegate.phones.link.websocket import PORTION, PhoneWebsocket, Read
from phonegate.phones.state import Step
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import Start
from .link.test_phone_link import refusal
from .site import HASTY, NUMBER, OTHER, PATIENT, Phone, Site

TEXT = {"address": OTHER, "body": "x", "date": 1}


async def until_stored(site: Site, count: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while len(await site.messages(direction="in", limit=1000)) < count:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)


async def test_a_text_beyond_the_org_s_share_is_kept_until_there_is_room(start: Start) -> None:
    rate_limits = RateLimits(Bounds(self_made_org_bytes_per_day=1))
    site = await start(PATIENT, rate_limits, first_retry_s=0.01)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.say("inbound", message=TEXT | {"id": "1"})
        assert (await phone.get())["ids"] == ["1"]
        await phone.say("inbound", message=TEXT | {"id": "2"})
        error = await phone.get()
        assert (error["type"], error["code"], error["ids"]) == ("error", "storage_spent", ["2"])
        assert len(await site.messages(direction="in")) == 1
        rate_limits.bounds = attrs.evolve(rate_limits.bounds, self_made_org_bytes_per_day=1 << 30)
        ack = await phone.get()
        assert (ack["type"], ack["ids"]) == ("inbound_ack", ["2"])
        assert len(await site.messages(direction="in")) == 2


async def test_an_org_has_so_many_phones_and_those_it_knows_come_in(start: Start) -> None:
    rate_limits = RateLimits(Bounds(org_phones=2))
    site = await start(PATIENT, rate_limits)
    async with site.phone(device_id="a"), site.phone(device_id="b"):
        status, body, _ = await refusal(site, device_id="c")
        assert (status, body["code"]) == (409, "org_full")
        assert "all the phones it may have (2)" in str(body["detail"])
        # Known ones, be they connected or not.
        async with site.phone(device_id="b"):
            pass
    async with site.phone(device_id="a"):
        pass
    assert rate_limits.refused["org_phones"] == 1


async def test_phones_without_a_name_are_bounded_by_how_many_are_there(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_phones=2)))
    async with site.phone(device_id="a"), site.phone(device_id="b"):
        for _ in range(3):
            async with site.phone() as phone:
                await phone.sims(NUMBER)
        async with site.phone(), site.phone():
            assert (await refusal(site))[0] == 409
        async with site.phone():
            pass


async def test_one_phone_too_many_stays_without_a_name(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_phones=1)))
    async with site.phone(device_id="a"), site.phone() as phone:
        await phone.say("hello", device_id="b")
        error = await phone.get()
        assert (error["code"], error["field"]) == ("org_full", "device_id")
        await phone.sims(NUMBER)
        await phone.say("inbound", message=TEXT | {"id": "1"})
        await until_stored(site, 1)
        org = await site.org()
        rows = await site.database.read(lambda tx: tx.phones.unnamed(org))
        assert len(rows) == 1


async def test_an_org_has_so_many_sims(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_sims=3)))
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
    rate_limits = RateLimits(Bounds(org_frames_per_s=1))
    site = await start(PATIENT, rate_limits)
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as other:
        # Both have to wait as long as a test may.
        for _ in range(PATIENCE_S):
            await one.say("ping")
        with trio.fail_after(PATIENCE_S):
            while not rate_limits.refused["org_frames"]:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
        await other.say("inbound", message=TEXT | {"id": "1"})
        with trio.fail_after(PATIENCE_S):
            while not all(session._stalled for session in site.sessions()):  # noqa: ASYNC110 - as above
                await trio.sleep(0.001)
        assert await site.messages() == []
        assert not any(station.state.parting for station in site.stations())
        # Their goodbyes would have to wait too.
        site.scope.cancel()


async def test_a_flood_of_an_org_is_taken_apart_in_small_portions(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    parse = PhoneWebsocket._parse

    def noted(self: PhoneWebsocket, data: bytes) -> Read:
        sizes.append(len(data))
        return parse(self, data)

    monkeypatch.setattr(PhoneWebsocket, "_parse", noted)
    site = await start(PATIENT, RateLimits(Bounds(org_frames_per_s=1_000_000)))
    async with site.phone(device_id="a") as phone:
        text = TEXT | {"body": "x" * 12_000, "id": "1"}
        await phone.say("inbound", message=text)
        await until_stored(site, 1)
        assert max(sizes) > PORTION
        monkeypatch.setattr(RateLimits, "is_short_of_frames", lambda *_: True)
        del sizes[:]
        await phone.say("inbound", message=text | {"id": "2"})
        await until_stored(site, 2)
        # The read that was under way already had not begun to be taken apart.
        assert max(sizes) <= PORTION
        assert sum(sizes) > 12_000


FULL = Bounds(self_made_org_bytes_per_day=1)
"""There is room for one text, by which the measure is exceeded."""


async def fill(phone: Phone, rate_limits: RateLimits) -> None:
    """Has the org use up its share; from then on no text is stored."""
    rate_limits.bounds = FULL
    await phone.say("inbound", message=TEXT | {"id": "first"})
    await phone.say("inbound", message=TEXT | {"id": "refused"})
    while (frame := await phone.get())["type"] != "error":
        assert frame["ids"] == ["first"]
    assert (frame["code"], frame["ids"]) == ("storage_spent", ["refused"])


async def test_a_result_passes_a_text_without_room_and_the_sms_leaves_once(start: Start) -> None:
    rate_limits = RateLimits(Bounds())
    site = await start(HASTY, rate_limits, drain_s=0.1)
    # It knows the five frames of the public page and no more.
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await site.send("hi")
        pushed = await phone.get()
        await fill(phone, rate_limits)
        await phone.say("send_result", id=pushed["id"], success=True)
        assert (await site.until_status(pushed["id"], "sent")).sent_at is not None
    rate_limits.bounds = Bounds()
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await site.until_status(pushed["id"], "sent")
        assert await phone.settled() == []


async def test_all_that_takes_no_room_passes_texts_without_room(start: Start) -> None:
    rate_limits = RateLimits(Bounds())
    site = await start(PATIENT, rate_limits, drain_s=0.1)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.send("one", "two")
        first, second = await phone.get(), await phone.get()
        await fill(phone, rate_limits)
        await phone.say("ack", id=first["id"])
        await phone.say("inbound", message=TEXT | {"id": "later"})
        await phone.say("send_result", id=second["id"], success=True)
        await phone.say("delivery_report", id=second["id"], delivered=True)
        await phone.say("hello", name="Mine", features=["ack"])
        # The pong says that all is recorded but what error frames have named.
        assert [(e["code"], e["ids"]) for e in await phone.settled()] == [
            ("storage_spent", ["later"])
        ]
        assert (await site.message(first["id"])).acked_at is not None
        assert (await site.message(second["id"])).status == "delivered"
        assert len(await site.messages(direction="in")) == 1


async def test_a_frame_of_many_reports_loses_none_by_the_text_without_room(start: Start) -> None:
    rate_limits = RateLimits(Bounds())
    site = await start(PATIENT, rate_limits, first_retry_s=0.01)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.send("one")
        pushed = await phone.get()
        await fill(phone, rate_limits)
        (session,) = site.sessions()
        # All that comes now waits for the same transaction.
        texts = [frames.Inbound(messages=(Received(address=OTHER, body=b),)) for b in "xyz"]
        result = frames.SendResult(id=pushed["id"], success=True)
        ack, ping = frames.Ack(id=pushed["id"]), frames.Ping()
        steps: list[Step] = [texts[0], ack, *texts[1:], result, ping]
        for step in steps:
            session.station.recorder.put(step, 10)
        frames_back = [await phone.get() for _ in range(4)]
        assert [frame["type"] for frame in frames_back] == ["error"] * 3 + ["pong"]
        await site.until_status(pushed["id"], "sent")
        rate_limits.bounds = Bounds()
        acks = [await phone.get() for _ in range(4)]
        assert [ack["type"] for ack in acks] == ["inbound_ack"] * 4
        stored = await site.messages(direction="in")
        bodies = [m.body for m in sorted(stored, key=lambda m: m.id)]
        assert bodies == ["x", "x", "x", "y", "z"]


async def test_a_phone_that_repeats_is_held_so_many_texts_and_heard_beyond(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_inbound, "HELD", 3)
    rate_limits = RateLimits(Bounds())
    site = await start(PATIENT, rate_limits, first_retry_s=0.01)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.send("one")
        pushed = await phone.get()
        await fill(phone, rate_limits)
        for number in range(5):
            await phone.say("inbound", message=TEXT | {"id": number})
        await phone.say("send_result", id=pushed["id"], success=True)
        errors = await phone.settled()
        assert [error["ids"] for error in errors] == [[number] for number in range(5)]
        assert ["it goes on trying" in error["detail"] for error in errors] == [True] * 2 + [
            False
        ] * 3
        assert (await site.message(pushed["id"])).status == "sent"
        rate_limits.bounds = Bounds()
        # The others are the phone's to repeat.
        assert [(await phone.get())["ids"] for _ in range(3)] == [["refused"], [0], [1]]
        await phone.say("inbound", message=TEXT | {"id": 2})
        assert [ack["ids"] for ack in await phone.settled()] == [[2]]


async def test_a_phone_that_never_repeats_is_not_read_from_beyond(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_inbound, "HELD", 3)
    rate_limits = RateLimits(FULL)
    site = await start(PATIENT, rate_limits, first_retry_s=0.01)
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await phone.say("inbound", message=TEXT | {"id": "first"})
        await until_stored(site, 1)
        for number in range(100):
            await phone.say("inbound", message=TEXT | {"id": number})
        (session,) = site.sessions()
        with trio.fail_after(PATIENCE_S):
            while not session._stalled:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
        assert len(session.station.recorder._held) < 100
        assert not session.station.state.parting
        rate_limits.bounds = Bounds()
        await until_stored(site, 101)
        stored = await site.messages(direction="in", limit=1000)
        assert len({message.id for message in stored}) == 101


@pytest.mark.parametrize("greeted", [True, False])
async def test_texts_without_room_at_the_end_of_a_link_are_named_in_the_log(
    start: Start,
    *,
    greeted: bool,
) -> None:
    rate_limits = RateLimits(Bounds())
    site = await start(PATIENT, rate_limits, drain_s=0.1)
    with capture_logs() as logs:
        async with site.phone(device_id="a") as phone:
            if greeted:
                await phone.hello("ack")
            await fill(phone, rate_limits)
            await phone.say("inbound", messages=[TEXT | {"id": "1"}, TEXT | {"id": "2"}])
            while (await phone.get())["type"] != "error":
                pass
        with trio.fail_after(PATIENCE_S):
            while site.stations():  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
    said = [(e["event"], e["count"], e["repeated"]) for e in logs if "count" in e]
    assert said == [("texts_not_stored", 3, greeted)]


async def test_a_link_that_ends_still_stores_what_there_is_room_for(start: Start) -> None:
    rate_limits = RateLimits(Bounds())
    site = await start(PATIENT, rate_limits)
    async with site.phone() as phone:
        await fill(phone, rate_limits)
        rate_limits.bounds = Bounds()
    await until_stored(site, 2)


async def known_numbers(site: Site) -> list[str | None]:
    org = await site.org()
    return [sim.number for sim in await site.database.read(lambda tx: tx.phones.known_sims(org))]


async def test_phones_without_a_name_have_so_many_sims_together(start: Start) -> None:
    rate_limits = RateLimits(Bounds(org_sims=3, org_phones=3))
    site = await start(PATIENT, rate_limits)
    # It leaves a row behind, on which the others begin.
    async with site.phone():
        pass
    refusals = []
    for number in range(12):
        async with site.phone() as phone:
            await phone.say("sims", sims=[{"slot": 0, "number": f"+1555000000{number}"}])
            refusals += [(e["code"], e["field"]) for e in await phone.settled()]
    known = await known_numbers(site)
    assert known == ["+15550000000", "+15550000001", "+15550000002"]
    assert refusals == [("org_full", "sims")] * 9
    assert rate_limits.refused["org_sims"] == 9
    org = await site.org()
    assert len(await site.database.read(lambda tx: tx.phones.unnamed(org))) == 4
    # Those that are known come in.
    for number in range(3):
        async with site.phone() as phone:
            await phone.sims(f"+1555000000{number}")


async def test_a_phone_that_begins_on_an_old_row_is_not_one_more(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_sims=1, org_phones=1)))
    async with site.phone():
        pass
    async with site.phone() as phone:
        await phone.sims(NUMBER)
    assert await known_numbers(site) == [NUMBER]


async def test_a_sim_that_moves_to_another_phone_is_not_one_more(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_sims=2)))
    async with site.phone(device_id="a") as one, site.phone(device_id="b") as other:
        await one.sims("+15550000001", "+15550000002")
        await other.sims("+15550000002")
        assert await known_numbers(site) == ["+15550000001", "+15550000002"]


async def test_sims_without_a_number_follow_a_phone_that_tells_its_name(start: Start) -> None:
    site = await start(PATIENT, RateLimits(Bounds(org_sims=2)))
    for _ in range(2):
        async with site.phone() as phone:
            await phone.sims(None)
            await phone.hello(device_id="a")
            assert await phone.settled() == []
            # Not left under the row that the connection began on.
            assert await known_numbers(site) == [None]
