"""Phones that are listed, named and forgotten while they are connected, on real sockets."""

import pytest
import trio

from phonegate.domain.managed_phones import ManagedPhone
from phonegate.domain.phone_management import (
    FORGOTTEN,
    NO_RESULT,
    GivenNumber,
    PhoneManagement,
)
from phonegate.domain.phone_registry import Introduction
from phonegate.model.phones import Health
from phonegate.model.refusals import Unauthorized
from phonegate.phones.admission import Arrival
from phonegate.phones.close_codes import POLICY_VIOLATION
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.server.forwarded import Peer
from phonegate.store.database import Database
from tests.patience import PATIENCE_S

from .site import HASTY, NUMBER, Site, now_ms


def management_of(site: Site) -> PhoneManagement:
    return PhoneManagement(
        site.database, site.accounts.authentication, site.switchboard, now_ms=now_ms
    )


async def all_of(site: Site) -> list[ManagedPhone]:
    org = await site.org()
    return await management_of(site).show(org, lambda found: list(found.phones))


@pytest.fixture
async def site(database: Database, nursery: trio.Nursery) -> Site:
    timings = PhoneTimings(goodbye_s=PATIENCE_S)
    opened = Site(database, HASTY, timings=timings)
    await nursery.start(opened.serve)
    return opened


async def test_how_a_phone_is_shows_at_once_and_after_it_has_left(site: Site) -> None:
    began = now_ms()
    async with site.phone(device_id="pixel", name="Pixel") as phone:
        await phone.hello(model="Pixel 7", app="demo/1.0")
        await phone.say("status", battery=83, charging=True, signal=3, network="wifi")
        assert await phone.settled() == []
        (shown,) = await all_of(site)
        well = Health(battery=83, charging=True, signal=3, network="wifi")
        assert (shown.name, shown.is_online, shown.health) == ("Pixel", True, well)
        assert (shown.row.kind, shown.row.model, shown.row.app) == ("link", "Pixel 7", "demo/1.0")
        # What comes each minute is not written each minute.
        assert shown.row.health == Health()
    await site.until_online(0)
    with trio.fail_after(PATIENCE_S):
        while (await all_of(site))[0].row.health_at is None:  # noqa: ASYNC110 - the store tells nobody
            await trio.sleep(0.005)
    (shown,) = await all_of(site)
    assert (shown.is_online, shown.health) == (False, well)
    assert began <= shown.last_seen <= now_ms()


async def test_the_heartbeat_writes_down_how_a_phone_is(site: Site) -> None:
    async with site.phone(device_id="pixel") as phone:
        await phone.say("status", battery=5)
        assert await phone.settled() == []
        (session,) = site.sessions()
        session.tick()
        assert await phone.settled() == []
        (shown,) = await all_of(site)
        assert shown.row.health == Health(battery=5)


async def test_a_number_that_its_owner_gave_routes_to_the_phone(site: Site) -> None:
    async with site.phone(device_id="pixel") as phone:
        await phone.hello("ack")
        await phone.sims(None, None)
        org = await site.org()
        (shown,) = await all_of(site)
        # It waits already, as for a phone that has yet to come with its SIM.
        given = [GivenNumber(slot=1, number=NUMBER)]
        changed = await management_of(site).change(org, shown.row.id, numbers=given)
        assert [(sim.number, sim.given) for sim in changed.sims] == [(None, False), (NUMBER, True)]
        for _ in range(2):
            await site.until_fed()
            sent = await site.send("hi", sim_selector=NUMBER)
            frame = await phone.get()
            # It gets the slot, for a number that it does not know would be none of its own.
            assert (frame["id"], frame["sim"], frame["sim_slot"]) == (sent.results[0].id, None, 1)
            assert (await site.message(frame["id"])).sim == NUMBER
            await phone.say("ack", id=frame["id"])
            await phone.say("send_result", id=frame["id"], success=True)
            # The next report knows no number either.
            await phone.sims(None, None)
        await phone.say(
            "inbound",
            messages=[{"id": "1", "from": "+1555", "body": "x", "date": 1, "sim_slot": 1}],
        )
        await phone.get()
        (received,) = await site.messages(direction="in")
        assert (received.sim_slot, received.sim) == (1, NUMBER)


async def test_a_number_that_another_phone_reports_is_that_phone_s(site: Site) -> None:
    async with site.phone(device_id="a") as phone, site.phone() as other:
        await phone.sims(None)
        (shown, _) = await all_of(site)
        given = [GivenNumber(slot=0, number=NUMBER)]
        await management_of(site).change(await site.org(), shown.row.id, numbers=given)
        # Which is another phone, and no second connection of the first.
        await other.sims(NUMBER)
        assert await phone.settled() == []
        numbers = [[sim.number for sim in one.sims] for one in await all_of(site)]
        assert sorted(numbers, key=str) == [[NUMBER], [None]]
        sent = await site.send("hi", sim_selector=NUMBER)
        assert (await other.get())["id"] == sent.results[0].id


async def test_a_forgotten_phone_is_sent_away_and_its_messages_say_why(site: Site) -> None:
    org = -1
    async with site.phone(device_id="pixel") as phone, site.phone(device_id="other") as other:
        org = await site.org()
        await phone.sims(NUMBER)
        await other.sims("+15559990000")
        await site.until_fed()
        sent = (await site.send("sent", "lost", sim_selector=NUMBER)).results
        for _ in sent:
            await phone.get()
        (shown, _) = await all_of(site)
        # Its last words still count.
        await phone.say("send_result", id=sent[0].id, success=True)
        forgotten = None

        async def forget() -> None:
            nonlocal forgotten
            forgotten = await management_of(site).forget(org, shown.row.id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forget)
            assert await phone.closed() == POLICY_VIOLATION
        assert forgotten is not None
        assert (forgotten.uncertain, forgotten.cancelled) == (1, 0)
        assert (await site.message(sent[0].id)).status == "sent"
        lost = await site.message(sent[1].id)
        assert (lost.status, lost.error) == ("uncertain", NO_RESULT)
        assert [one.row.device_id for one in await all_of(site)] == ["other"]
        assert await other.settled() == []
    # By the org's secret it is let in, as another phone.
    async with site.phone(device_id="pixel") as phone:
        await phone.sims(NUMBER)
        assert (await all_of(site))[-1].row.id > shown.row.id


async def test_what_waits_for_an_absent_phone_is_cancelled_with_it(site: Site) -> None:
    async with site.phone(device_id="pixel") as phone:
        await phone.sims(NUMBER)
    await site.until_online(0)
    queued = (await site.send("hi", sim_selector=NUMBER)).results[0]
    (shown,) = await all_of(site)
    assert shown.waiting == 1
    await management_of(site).forget(await site.org(), shown.row.id)
    found = await site.message(queued.id)
    assert (found.status, found.error) == ("cancelled", FORGOTTEN)


async def test_a_phone_that_was_paired_is_locked_out(site: Site) -> None:
    async with site.phone():
        pass
    org = await site.org()
    key, text = await site.accounts.keys.add(org, "Pixel", ["phone"])
    async with site.phone(device_id="pixel", secret_key=text) as phone:
        shown = next(one for one in await all_of(site) if one.row.key == key.id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(management_of(site).forget, org, shown.row.id)
            assert await phone.closed() == POLICY_VIOLATION
    says = Introduction(device_id="pixel", plain_device_id="pixel", name=None)
    arrival = Arrival(credential=text, org_name=None, says=says, is_foreign_host=False)
    with pytest.raises(Unauthorized):
        await site.admission.admit(arrival, Peer(address="127.0.0.1", scheme="http"))


async def test_the_reports_of_a_phone_whose_row_is_gone_harm_nothing(site: Site) -> None:
    async with site.phone(device_id="pixel") as phone:
        await phone.hello("ack")
        assert await phone.settled() == []
        (shown,) = await all_of(site)
        org = await site.org()
        await site.database.write(lambda tx: tx.phones.remove(org, shown.row.id))
        await phone.sims(NUMBER)
        await phone.hello("ack", name="again")
        await phone.say("status", battery=1)
        assert await phone.settled() == []
    assert await site.database.read(lambda tx: tx.phones.known_sims(org)) == []
