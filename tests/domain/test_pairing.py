"""One-time links: who may open one, what it tells of the phone, and how many SMS it may send."""

from functools import partial

import attrs
import pytest
import trio

from phonegate.domain.acceptance import Acceptance
from phonegate.domain.accounts import Accounts
from phonegate.domain.dispatch import OnlinePhone, follow
from phonegate.domain.inbox import Received
from phonegate.domain.pairing import (
    LIFETIME_MS,
    MOST_LINKS,
    MOST_TESTS,
    TEST_TTL_S,
    Invitation,
    Pairing,
    PairingLink,
)
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.sending import Sending
from phonegate.model.facts import Changed
from phonegate.model.messages import Message, NewInbound, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.refusals import BadInput, Conflict, Gone, NotFound, Throttled
from phonegate.model.states import RECEIVED
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import subscribe
from tests.domain.account_site import Clock
from tests.domain.dispatcher import Phones, as_dispatcher

ORG = "myorg"
SIMS = (Sim(slot=1, number="+15551112222"), Sim(slot=0, number=None))
OWN_NUMBER = "+15551112222"


@attrs.define
class Scene:
    database: Database
    accounts: Accounts
    phones: Phones
    pairing: Pairing
    clock: Clock
    org: int = 0

    async def invite(self, name: str = "kitchen") -> Invitation:
        return await self.pairing.invite(ORG, name)

    async def opened(self) -> tuple[Invitation, PairingLink]:
        made = await self.invite()
        link, _ = self.pairing.open(made.token, None)
        return made, link

    async def connect(self, device_id: str, key: str | None, *sims: Sim) -> int:
        """Has a phone come by a key."""
        now = self.clock()

        def connect(tx: Tables) -> int:
            row = tx.phones.connect(self.org, device_id, now)
            tx.phones.came_by(row.id, "link", key)
            return row.id

        phone = await self.database.write(connect)
        online = OnlinePhone(phone=phone, device_id=device_id, name=None, sims=sims)
        self.phones.phones.append(online)
        return phone

    def receive(self, body: str, phone: int | None, org: int | None = None) -> None:
        message = NewInbound(
            org=self.org if org is None else org,
            address=OWN_NUMBER,
            body=body,
            created_at=1,
            date=None,
            phone=phone,
            sim_slot=None,
            sim=None,
        )
        self.pairing.note([Changed(1, message.org, None, RECEIVED, message)])

    async def stored(self) -> list[Message]:
        return await self.database.read(lambda tx: tx.messages.page(self.org, PageQuery()))


@pytest.fixture
async def scene(database: Database, accounts: Accounts, clock: Clock) -> Scene:
    phones = Phones()
    subscribe(database, partial(follow, as_dispatcher(phones)))
    limits = RateLimits()
    sending = Sending(database, as_dispatcher(phones), Acceptance(database, limits, now_ms=clock))
    pairing = Pairing(
        database, accounts.orgs, accounts.keys, sending, as_dispatcher(phones), now_ms=clock
    )
    org, _ = await accounts.orgs.add(ORG, "my-own-secret-123")
    return Scene(database, accounts, phones, pairing, clock, org.id)


async def test_a_key_is_made_that_is_good_for_a_phone_alone(scene: Scene) -> None:
    made = await scene.invite("kitchen")
    assert (made.key.name, made.key.scopes) == ("kitchen", ("phone",))
    assert made.text.startswith("pgk_")
    assert made.text not in repr(made)
    assert made.token not in repr(made)
    assert made.expires_at == scene.clock() + LIFETIME_MS
    (key,) = await scene.accounts.keys.of_org(scene.org)
    assert key.id == made.key.id


async def test_what_is_asked_for_is_checked_and_makes_no_link(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.pairing.invite("nope", "kitchen")
    with pytest.raises(BadInput):
        await scene.invite("")
    assert len(scene.pairing) == 0


async def test_the_first_browser_has_the_link(scene: Scene) -> None:
    made = await scene.invite()
    with pytest.raises(Gone):
        scene.pairing.find(made.token, None)  # before it was opened
    link, shown = scene.pairing.open(made.token, None)
    assert shown is not None
    assert link.key == made.text
    assert link.key not in repr(link)
    again, nothing = scene.pairing.open(made.token, shown)
    assert again is link is scene.pairing.find(made.token, shown)
    assert nothing is None
    for other in (None, "", "x" * 22):
        with pytest.raises(Gone):
            scene.pairing.open(made.token, other)
        with pytest.raises(Gone):
            scene.pairing.find(made.token, other)


async def test_what_a_browser_has_of_one_link_opens_no_other(scene: Scene) -> None:
    one, other = await scene.invite(), await scene.invite()
    _, shown = scene.pairing.open(one.token, None)
    scene.pairing.open(other.token, shown)  # bound anew
    with pytest.raises(Gone):
        scene.pairing.find(other.token, shown)


@pytest.mark.parametrize("token", ["", "x", "x" * 5_000, "\ud800", "é"])
async def test_a_token_that_is_none(scene: Scene, token: str) -> None:
    await scene.invite()
    with pytest.raises(NotFound, match="15 minutes"):
        scene.pairing.open(token, None)


async def test_a_link_ends_after_its_time(scene: Scene) -> None:
    made = await scene.invite()
    scene.clock.now += LIFETIME_MS - 1
    _, shown = scene.pairing.open(made.token, None)
    scene.clock.now += 1
    with pytest.raises(NotFound):
        scene.pairing.find(made.token, shown)
    assert len(scene.pairing) == 0


async def test_a_link_ends_after_its_time_where_the_clock_was_put_back(scene: Scene) -> None:
    await scene.invite()
    scene.clock.now -= 3_600_000
    made = await scene.invite()
    scene.clock.now += LIFETIME_MS
    with pytest.raises(NotFound):
        scene.pairing.open(made.token, None)


async def test_links_are_bounded_and_the_oldest_gives_way(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.domain.pairing.MOST_LINKS", 3)
    assert MOST_LINKS > 3
    made = [await scene.invite() for _ in range(4)]
    assert len(scene.pairing) == 3
    with pytest.raises(NotFound):
        scene.pairing.open(made[0].token, None)
    scene.pairing.open(made[1].token, None)


async def test_the_phone_is_the_one_that_came_by_the_key(scene: Scene) -> None:
    made, link = await scene.opened()
    await scene.connect("other", None, *SIMS)
    state = await scene.pairing.state(link)
    assert (state.phone, state.online, state.numbers, state.received) == (None, False, (), False)
    phone = await scene.connect("mine", made.key.id, *SIMS)
    state = await scene.pairing.state(link)
    assert state.phone is not None
    assert (state.phone.id, state.online, state.numbers) == (phone, True, (OWN_NUMBER,))
    scene.phones.phones.pop()
    state = await scene.pairing.state(link)
    assert (state.phone is not None, state.online) == (True, False)


async def test_the_phone_is_called_as_its_owner_said_unless_it_has_a_name(scene: Scene) -> None:
    made, link = await scene.opened()
    phone = await scene.connect("mine", made.key.id)

    async def name() -> str | None:
        state = await scene.pairing.state(link)
        row = await scene.database.read(lambda tx: tx.phones.get(phone))
        assert row is not None
        assert state.phone is not None
        assert state.phone.given_name == row.given_name  # the first look says so too
        return row.given_name

    assert await name() == "kitchen"
    await scene.database.write(lambda tx: tx.phones.give_name(phone, "hall"))
    assert await name() == "hall"
    unnamed = await scene.pairing.invite(ORG, None)
    assert unnamed.key.name == "phone"
    link, _ = scene.pairing.open(unnamed.token, None)
    phone = await scene.connect("other", unnamed.key.id)
    assert await name() is None


async def test_a_phone_that_was_there_before_keeps_its_name(scene: Scene) -> None:
    made, link = await scene.opened()
    phone = await scene.connect("mine", made.key.id)
    state = await scene.pairing.state(link)
    assert not state.kept_name
    for name, kept in (("hall", True), ("kitchen", False)):
        again = await scene.invite(name)
        link, _ = scene.pairing.open(again.token, None)
        await scene.connect("mine", again.key.id)
        state = await scene.pairing.state(link)
        assert state.phone is not None
        assert (state.phone.id, state.phone.given_name) == (phone, "kitchen")
        assert state.kept_name == kept


async def test_a_revoked_key_ends_the_link(scene: Scene) -> None:
    made, link = await scene.opened()
    await scene.accounts.keys.revoke(scene.org, made.key.id, keep_queued=False)
    with pytest.raises(NotFound):
        await scene.pairing.state(link)
    assert len(scene.pairing) == 0


async def test_a_test_sms_leaves_by_the_phone_itself(scene: Scene) -> None:
    made, link = await scene.opened()
    await scene.connect("earlier", None, *SIMS)
    with pytest.raises(Conflict):
        await scene.pairing.send_test(link, OWN_NUMBER)
    phone = await scene.connect("mine", made.key.id, *SIMS)
    await scene.pairing.send_test(link, OWN_NUMBER)
    (pushed,) = [m for p, m in scene.phones.pushed if p == phone]
    assert (pushed.address, pushed.body, pushed.sim_slot) == (OWN_NUMBER, link.words, 0)
    assert (pushed.key, pushed.expires_at) == (made.key.id, scene.clock() + TEST_TTL_S * 1000)
    state = await scene.pairing.state(link)
    assert state.test is not None
    assert state.test.status == "sending"


async def test_a_test_that_has_to_wait_waits_for_the_phone_itself(scene: Scene) -> None:
    made, link = await scene.opened()
    phone = await scene.connect("mine", made.key.id, *SIMS)
    scene.phones.room = 0
    await scene.pairing.send_test(link, OWN_NUMBER)
    (waiting,) = await scene.stored()
    assert (waiting.status, waiting.phone, waiting.sim_selector) == ("queued", phone, "0")


async def test_a_link_sends_three_tests_and_no_more(scene: Scene) -> None:
    made, link = await scene.opened()
    await scene.connect("mine", made.key.id)
    for _ in range(MOST_TESTS):
        await scene.pairing.send_test(link, OWN_NUMBER)
    with pytest.raises(Throttled):
        await scene.pairing.send_test(link, OWN_NUMBER)
    assert len(await scene.stored()) == MOST_TESTS


async def test_a_test_that_was_refused_does_not_count(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, link = await scene.opened()
    await scene.connect("mine", made.key.id)
    with monkeypatch.context() as broken:

        async def refuse(*_: object, **__: object) -> None:
            raise Conflict("no")

        broken.setattr(Sending, "send", refuse)
        with pytest.raises(Conflict):
            await scene.pairing.send_test(link, OWN_NUMBER)
    assert (link.tests, link.test) == (0, None)


async def test_a_test_that_may_have_left_counts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, link = await scene.opened()
    await scene.connect("mine", made.key.id)

    async def hang(*_: object, **__: object) -> None:
        scope.cancel()
        await trio.sleep_forever()

    monkeypatch.setattr(Sending, "send", hang)
    with trio.CancelScope() as scope:
        await scene.pairing.send_test(link, OWN_NUMBER)
    assert link.tests == 1


async def test_the_text_must_come_back_by_the_phone_itself(scene: Scene) -> None:
    made, link = await scene.opened()
    phone = await scene.connect("mine", made.key.id, *SIMS)
    other = await scene.connect("other", None)

    async def received() -> bool:
        return (await scene.pairing.state(link)).received

    scene.receive("something else", phone)
    scene.receive(link.words, phone, org=scene.org + 1)
    scene.receive(link.words, other)
    assert not await received()
    scene.receive(f"Carrier: {link.words}\n", phone)
    assert await received()


def typed(link: PairingLink) -> list[str]:
    """How keyboards write the words of a test."""
    first, second, number = link.words.split()
    return [
        f"Phonegate test {number}",
        f"PHONEGATE TEST {number}",
        f" phonegate\u00a0 test\n{number} ",
        f"Hi! {first.title()} {second.title()} {number}.",
    ]


@pytest.mark.parametrize("at", range(4))
async def test_the_text_counts_however_a_keyboard_writes_it(scene: Scene, at: int) -> None:
    made, link = await scene.opened()
    phone = await scene.connect("mine", made.key.id, *SIMS)
    scene.receive(typed(link)[at], phone)
    assert (await scene.pairing.state(link)).received


async def test_the_text_may_come_by_an_app_that_only_forwards(scene: Scene) -> None:
    made, link = await scene.opened()
    other = await scene.invite("other")

    async def seen() -> tuple[bool, bool]:
        state = await scene.pairing.state(link)
        return state.forwards, state.received

    # What comes by a carrier, by the org's secret or another phone's key, shows nothing of this.
    scene.receive(link.words, None)
    for key in (None, other.key.id):
        scene.pairing.note_pushed(key, [Received(address="", body=link.words)])
    assert await seen() == (False, False)
    scene.pairing.note_pushed(made.key.id, [Received(address="", body="hello")])
    assert await seen() == (True, False)
    scene.pairing.note_pushed(
        made.key.id, [Received(address="", body=typed(link)[0]), Received(address="", body="bye")]
    )
    assert await seen() == (True, True)
    scene.pairing.note_pushed(made.key.id, [])
    assert await seen() == (True, True)
