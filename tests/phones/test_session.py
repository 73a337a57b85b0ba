"""Sessions over real sockets and the real store."""

from .conftest import Start
from .site import HASTY, NUMBER, ORG, OTHER, Site


async def test_the_seeds_five_frames(site: Site) -> None:
    async with site.phone() as phone:
        assert phone.connected["org_id"] == ORG
        assert phone.connected["server_time"].endswith("Z")
        await phone.sims(NUMBER)
        await phone.say(
            "inbound", message={"address": OTHER, "body": "hello", "date": 1_700_000_000_000}
        )
        assert await phone.settled() == []
        (stored,) = await site.messages(direction="in")
        assert (stored.address, stored.body, stored.status) == (OTHER, "hello", "received")
        outcome = await site.send("hi", wish=NUMBER)
        (result,) = outcome.results
        assert (outcome.device_online, result.status) == (True, "sending")
        push = await phone.get()
        assert {"type": "send_sms", "id": result.id, "to": OTHER, "body": "hi", "sim": NUMBER} == {
            key: push[key] for key in ("type", "id", "to", "body", "sim")
        }
        await phone.say("send_result", id=result.id, success=True)
        assert await phone.settled() == []
        sent = await site.message(result.id)
        assert sent.status == "sent"
        assert sent.sent_at is not None


async def test_what_waited_is_delivered_on_connect(site: Site) -> None:
    async with site.phone() as phone:
        pass
    await site.until_online(0)
    outcome = await site.send("one", "two")
    assert [result.status for result in outcome.results] == ["queued", "queued"]
    async with site.phone() as phone:
        assert [(await phone.get())["body"] for _ in range(2)] == ["one", "two"]


async def test_resume(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        (result,) = (await site.send("hi")).results
        await phone.get()
    async with site.phone(device_id="a") as phone:
        assert (await phone.get())["id"] == result.id
