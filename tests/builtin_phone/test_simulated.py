"""Simulated phones within the gateway: one for an org, gone when stopped, forgotten or refused."""

from collections.abc import AsyncIterator, Sequence

import attrs
import pytest
import trio

from phonegate.builtin_phone import simulated
from phonegate.builtin_phone.simulated import NUMBER, SimulatedPhones
from phonegate.domain.phone_management import PhoneManagement
from phonegate.domain.sending import Outgoing
from phonegate.model.facts import Changed, Fact
from phonegate.model.refusals import Conflict
from phonegate.model.states import DELIVERED, RECEIVED
from phonegate.store.database import Database
from tests.buses import subscribe
from tests.domain.callers import owner
from tests.patience import PATIENCE_S
from tests.phones.site import ORG, OTHER, PATIENT, SECRET, Site


@attrs.frozen
class House:
    """A gateway that simulates phones, and an org there."""

    site: Site
    phones: SimulatedPhones
    org: int

    async def start(self) -> None:
        with trio.fail_after(PATIENCE_S):
            await self.phones.start(self.org, ORG)

    def online(self) -> list[str | None]:
        return [one.device_id for one in self.site.switchboard.online(self.org)]


@pytest.fixture
async def house(
    database: Database, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(simulated, "RADIO_MS", (0.0, 0.0))
    monkeypatch.setattr(simulated, "ANSWER_S", 0.0)
    site = Site(database, PATIENT)
    await nursery.start(site.serve)
    org, _ = await site.accounts.orgs.add(ORG, SECRET)
    phones = SimulatedPhones(site.accounts, site.admission, site.services)
    await nursery.start(phones.run)
    yield House(site, phones, org.id)
    phones.close()


async def test_it_sends_and_people_answer(house: House) -> None:
    assert not house.phones.runs(house.org)
    await house.start()
    assert house.phones.runs(house.org)
    (online,) = house.site.switchboard.online(house.org)
    assert online.name == "Simulated phone"
    news = trio.Event()

    def note(facts: Sequence[Fact]) -> None:
        seen.update(fact.after for fact in facts if type(fact) is Changed)
        if {DELIVERED, RECEIVED} <= seen:
            news.set()

    seen: set[str | None] = set()
    subscribe(house.site.database, note)
    await house.site.sending.send(owner(house.org), [Outgoing(to=OTHER, body="Are you there?")])
    with trio.fail_after(PATIENCE_S):
        await news.wait()
    (answer,) = await house.site.messages(direction="in", limit=10)
    assert (answer.address, answer.sim) == (OTHER, NUMBER)
    assert answer.body == "Simulated answer to: Are you there?"


async def test_an_org_has_one_and_it_ends_when_it_is_stopped(house: House) -> None:
    async with trio.open_nursery() as both:
        both.start_soon(house.start)
        both.start_soon(house.start)
    assert house.online() == ["simulated-phone"]
    with trio.fail_after(PATIENCE_S):
        await house.phones.stop(house.org)
    assert not house.phones.runs(house.org)
    await house.phones.stop(house.org)
    await house.start()
    assert house.online() == ["simulated-phone"]


async def test_one_that_is_forgotten_does_not_come_back(house: House) -> None:
    await house.start()
    site = house.site
    (online,) = site.switchboard.online(house.org)
    management = PhoneManagement(
        site.database, site.accounts.authentication, site.switchboard, now_ms=lambda: 0
    )
    with trio.fail_after(PATIENCE_S):
        running = house.phones._phones[house.org]
        await management.forget(house.org, online.phone)
        await running.ended.wait()
    assert not house.phones.runs(house.org)
    await house.start()
    (again,) = site.switchboard.online(house.org)
    assert again.phone != online.phone


async def test_there_are_only_so_many_and_a_refusal_says_why(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict, match="there is no org nobody"):
        await house.phones.start(house.org + 1, "nobody")
    assert not house.phones.runs(house.org + 1)
    monkeypatch.setattr(simulated, "MOST", 0)
    with pytest.raises(Conflict, match="the most at once"):
        await house.start()
    house.phones.close()
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(Conflict, match="about to stop"):
        await house.start()
