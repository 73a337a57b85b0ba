"""The first steps of an org over HTTP: what the page shows of how far they are."""

import re

import attrs
import pytest

from phonegate.config.settings import HttpSettings
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import Sim
from phonegate.model.refusals import Conflict
from phonegate.pages.app import build_whole_app
from tests.api.conftest import Web, known_phone
from tests.pages.console.conftest import Person


@attrs.define
class PlayedSimulation:
    """One simulated phone, unless it is full."""

    running: set[int] = attrs.field(factory=set)
    full: bool = False

    def runs(self, org: int) -> bool:
        return org in self.running

    async def start(self, org: int, org_name: str) -> None:
        if self.full:
            raise Conflict("Too many are simulated.")
        self.running.add(org)

    async def stop(self, org: int) -> None:
        self.running.discard(org)


@pytest.fixture
def simulation(web: Web) -> PlayedSimulation:
    played = PlayedSimulation()
    web.services = attrs.evolve(web.services, simulation=played)
    web.app = build_whole_app(web.services, HttpSettings())
    return played


async def connect(web: Web) -> None:
    phone = await known_phone(web.database)
    sims = (Sim(slot=0, number="+15551112222"),)
    web.phones.phones.append(
        OnlinePhone(phone=phone, device_id="pixel-7", name="<b>kitchen", sims=sims)
    )


async def test_without_a_phone_two_ways_are_offered(web: Web, simulation: PlayedSimulation) -> None:
    person = await Person.signed_in(web)
    page = (await person.look("/first-steps")).text
    assert "/console/phones/pair" in page
    assert "Start the simulated phone" in page
    assert 'name="to"' not in page
    started = await person.send("/first-steps/simulated")
    assert (started.status_code, simulation.running) == (303, {1})
    assert (await person.send("/first-steps/simulated/end")).status_code == 303
    assert simulation.running == set()
    simulation.full = True
    refused = await person.send("/first-steps/simulated")
    assert refused.status_code == 409
    assert "Too many are simulated." in refused.text


async def test_a_message_is_sent_once_and_followed_to_its_answer(
    web: Web, simulation: PlayedSimulation
) -> None:
    await connect(web)
    person = await Person.signed_in(web)
    page = (await person.look("/first-steps")).text
    assert '<strong dir="auto">&lt;b&gt;kitchen</strong> is online.' in page
    (once,) = re.findall(r'name="once" value="([^"]+)"', page)
    form = {"once": once, "to": " +15553334444 ", "body": "Hello!", "sim": ""}
    sent = await person.send("/first-steps/send", form)
    again = await person.send("/first-steps/send", form)
    assert sent.status_code == 303
    assert sent.headers["location"] == again.headers["location"]
    at = sent.headers["location"].removeprefix("/console")
    assert "to +15553334444 · Sending" in (await person.look(at)).text
    answer = {"address": "+15553334444", "body": "<script>hi", "date": 1_800_000_000_000}
    await web.call("POST", "/webhook", {"org_id": "myorg", "messages": [answer]})
    part = (await person.look(at.replace("first-steps", "first-steps/progress"))).text
    assert "&lt;script&gt;hi" in part
    assert "<html" not in part
    assert "You are done" in part
    assert "X-Secret-Key: $PHONEGATE_SECRET" in part


async def test_a_refused_message_is_shown_again(web: Web, simulation: PlayedSimulation) -> None:
    await connect(web)
    person = await Person.signed_in(web)
    refused = await person.send("/first-steps/send", {"to": "my mother", "body": "Hello & bye"})
    assert refused.status_code == 400
    assert "my mother" in refused.text
    assert "Hello &amp; bye" in refused.text
    assert (await person.look("/first-steps?message=99999")).status_code == 200
    assert (await person.look("/first-steps?message=x")).status_code == 200


async def test_a_key_without_its_scope_does_not_get_there(
    web: Web, simulation: PlayedSimulation
) -> None:
    made = await web.call("POST", "/keys/myorg", {"name": "reader", "scopes": ["read"]})
    person = await Person.signed_in(web, made.json["key"], org="")
    await person.look("/first-steps", 403)
    assert (await person.send("/first-steps/simulated")).status_code == 403
    assert simulation.running == set()
