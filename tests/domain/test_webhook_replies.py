"""What receivers answer is sent once, from where the message came in, within its maker's limits."""

from typing import Any

import attrs
import pytest

from phonegate.domain.acceptance import Acceptance
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reply_bound import MOST_REPLIES
from phonegate.domain.sending import Sending
from phonegate.domain.webhook_replies import Reply, WebhookReplies
from phonegate.model.messages import MessageView
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.phones import Sim
from phonegate.model.webhooks import Webhook
from phonegate.store.database import Database
from tests.domain.carrier_site import NOW, SENDER, CarrierSite, build_pipeline
from tests.domain.dispatcher import as_dispatcher
from tests.domain.sample_events import message_view

SIM = "+15551112222"
PARTY = "+15553334444"


@attrs.define
class Scene:
    site: CarrierSite
    replies: WebhookReplies
    webhook: Webhook
    event: int = 7

    async def send(
        self, *texts: str, message: MessageView | None = None, **reply: Any
    ) -> str | None:
        shown = message_view(sim=SIM) if message is None else message
        return await self.replies.send(
            self.webhook, self.event, shown, [Reply(text=text, **reply) for text in texts]
        )


@pytest.fixture
async def scene(database: Database) -> Scene:
    site = await build_pipeline(database)
    phones = as_dispatcher(site.phones)
    sending = Sending(database, phones, Acceptance(database, RateLimits(), now_ms=lambda: NOW))
    webhook = await database.write(
        lambda tx: tx.webhooks.add(
            site.org,
            url="https://a.example/",
            events=("message.received",),
            shape="twilio",
            secret="s",
            created_at=NOW,
        )
    )
    site.phones.phones.append(
        OnlinePhone(phone=1, device_id="a", name=None, sims=(Sim(slot=0, number=SIM),))
    )
    await database.write(lambda tx: tx.phones.connect(site.org, "a", NOW))
    return Scene(
        site, WebhookReplies(database, sending, site.carrier_sending, now_ms=lambda: NOW), webhook
    )


async def test_a_reply_leaves_by_the_sim_that_received(scene: Scene) -> None:
    assert await scene.send("one", "two") is None
    one, two = await scene.site.stored()
    assert (one.address, one.body, one.sim, one.key) == (PARTY, "one", SIM, None)
    assert two.body == "two"


async def test_however_often_an_event_is_answered_each_reply_is_sent_once(scene: Scene) -> None:
    for _ in range(3):
        assert await scene.send("one", "two") is None
    assert [one.body for one in await scene.site.stored()] == ["one", "two"]


async def test_a_reply_may_name_another_recipient(scene: Scene) -> None:
    assert await scene.send("hi", to="+15550001111") is None
    assert (await scene.site.only()).address == "+15550001111"
    problem = await scene.send("hi", "hi", to="nobody")
    assert problem == "Its reply was not sent: its recipient is no number that can be sent to."


async def test_a_sender_that_is_a_name_gets_no_reply(scene: Scene) -> None:
    problem = await scene.send("hi", message=message_view(address="AMAZON", sim=SIM))
    assert problem is not None
    assert await scene.site.stored() == []


async def test_a_sim_that_is_gone_is_said(scene: Scene, database: Database) -> None:
    problem = await scene.send("hi", message=message_view(sim="+15559990000"))
    assert problem is not None
    assert problem.startswith("Its reply was not sent: ")


async def test_what_came_by_a_carrier_is_answered_by_it(scene: Scene) -> None:
    message = message_view(provider="twilio", sim=SENDER, sim_slot=None)
    for _ in range(2):
        assert await scene.send("thanks", message=message) is None
    sent = await scene.site.only()
    assert (sent.provider, sent.sim, sent.address) == ("twilio", SENDER, PARTY)


async def test_media_of_a_phones_reply_are_not_sent(scene: Scene) -> None:
    problem = await scene.send("hi", media_urls=("https://a.example/1.png",))
    assert problem is not None
    assert "carriers" in problem


@pytest.mark.parametrize(
    ("scopes", "limits", "said"),
    [
        (("read", "send"), KeyLimits(), None),
        (("read",), KeyLimits(), "may not send"),
        (("read", "send"), KeyLimits(to=("+1999*",)), "Its reply was not sent: "),
    ],
)
async def test_the_limits_of_the_maker_hold(
    scene: Scene, database: Database, scopes: tuple[str, ...], limits: KeyLimits, said: str | None
) -> None:
    key = ApiKey(
        id="k1",
        org=scene.site.org,
        org_name="myorg",
        name="x",
        scopes=scopes,
        digest=b"d",
        created_at=NOW,
        last_used_at=None,
        limits=None if limits == KeyLimits() else limits,
    )
    await database.write(lambda tx: tx.keys.add(key))
    scene.webhook = attrs.evolve(scene.webhook, key="k1")
    problem = await scene.send("hi")
    if said is None:
        assert problem is None
        assert (await scene.site.only()).key == "k1"
    else:
        assert problem is not None
        assert said in problem
        assert await scene.site.stored() == []


async def test_a_key_that_is_gone_sends_nothing(scene: Scene) -> None:
    scene.webhook = attrs.evolve(scene.webhook, key="gone")
    assert await scene.send("hi") is not None
    assert await scene.site.stored() == []


async def test_what_a_receiver_answers_for_a_webhook_that_was_removed_is_not_sent(
    scene: Scene, database: Database
) -> None:
    await database.write(lambda tx: tx.webhooks.remove(scene.site.org, scene.webhook.id))
    assert await scene.send("hi") == "Its reply was not sent: the webhook was removed meanwhile."
    assert await scene.site.stored() == []


async def test_two_programs_do_not_answer_each_other_for_ever(scene: Scene) -> None:
    problems = []
    for event in range(MOST_REPLIES + 5):
        scene.event = event
        problems.append(await scene.send("I am away"))
    assert problems[:MOST_REPLIES] == [None] * MOST_REPLIES
    assert all(problem and "within an hour" in problem for problem in problems[MOST_REPLIES:])
    assert len(await scene.site.stored()) == MOST_REPLIES
    assert await scene.send("hi", to="+15550001111") is None
