"""A phone with a slow radio has no more messages than it says, until their results are here."""

from tests.phones.conftest import Start
from tests.phones.memory_phone import MemoryKind
from tests.phones.site import PATIENT


async def test_what_it_acknowledged_keeps_its_place_until_the_result(start: Start) -> None:
    site = await start(PATIENT)
    async with MemoryKind(window=1).connect(site, "a") as phone:
        await phone.at_rest()
        await site.until_fed()
        first, second, third = (await site.send("one", "two", "three")).results
        assert [r.status for r in (first, second, third)] == ["sending", "queued", "queued"]
        assert (await phone.pushed()).id == first.id
        await phone.acknowledge(first.id)
        await phone.at_rest()
        await phone.report(first.id, success=True)
        assert (await phone.pushed()).id == second.id
        await phone.report(second.id, success=False, error="no credit")
        assert (await phone.pushed()).id == third.id


async def test_it_keeps_its_place_over_a_lost_link(start: Start) -> None:
    site = await start(PATIENT)
    async with MemoryKind(window=1).connect(site, "a") as phone:
        await phone.at_rest()
        first, second = (await site.send("one", "two")).results
        assert (await phone.pushed()).id == first.id
        await phone.acknowledge(first.id)
        await phone.at_rest()
    await site.until_online(0)
    async with MemoryKind(window=1).connect(site, "a") as phone:
        # It is given nothing meanwhile.
        await phone.at_rest()
        await phone.report(first.id, success=True)
        assert (await phone.pushed()).id == second.id


async def test_one_that_says_no_more_of_it_gets_the_usual_window(start: Start) -> None:
    site = await start(PATIENT)
    async with MemoryKind(window=1).connect(site, "a") as phone:
        await phone.at_rest()
    await site.until_online(0)
    async with MemoryKind().connect(site, "a") as phone:
        await phone.at_rest()
    await site.until_online(0)
    async with MemoryKind().connect(site, "a") as phone:
        await phone.at_rest()
        await site.until_fed()
        assert [r.status for r in (await site.send("one", "two")).results] == ["sending"] * 2
        assert [(await phone.pushed()).body for _ in range(2)] == ["one", "two"]
