"""By what a conversation is answered: SIMs, numbers of carriers, and what the last message used."""

import re

from phonegate.domain.carrier import CarrierFault, CarrierRefusal
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import Sim
from phonegate.pages.console.sending.senders import Sender, again, asked, usual
from tests.api.conftest import ORG, Web, known_phone
from tests.pages.console.conftest import Person
from tests.pages.console.conversations.test_bubbles import message
from tests.pages.console.conversations.test_thread import ANN, receive

NUMBER = "+1234567890"
SELECTED = re.compile(r'<option value="([^"]*)" selected>')


async def add_assistant(web: Web) -> None:
    assistant = {
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": [NUMBER],
        "credentials": {"api_key": "KEY0123456789"},
    }
    added = await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    assert added.status == 201, added.data


async def test_an_answer_by_a_carriers_number_and_the_next_by_the_same(web: Web) -> None:
    await add_assistant(web)
    await receive(web, "Hello")
    person = await Person.signed_in(web)
    page = (await person.look(f"/conversations/{ANN}")).text
    assert f'<option value="from:{NUMBER}"' in page
    form = {"body": "By the carrier", "sender": f"from:{NUMBER}", "key": "one-key-of-a-draft"}
    first = await person.send(f"/conversations/{ANN}/send", form, script=True)
    other = {**form, "body": "And more", "key": "another"}
    await person.send(f"/conversations/{ANN}/send", other, script=True)
    second = await person.send(f"/conversations/{ANN}/send", form, script=True)
    assert first.json()["id"] == second.json()["id"]
    assert "By the carrier" in first.json()["html"]
    assert len(web.carrier.taken) == 2
    page = (await person.look(f"/conversations/{ANN}")).text
    assert SELECTED.findall(page) == [f"from:{NUMBER}"]


async def test_what_a_carrier_refuses_is_said_and_stands_in_the_conversation(web: Web) -> None:
    await add_assistant(web)
    await receive(web, "Hello")
    person = await Person.signed_in(web)
    web.carrier.answers.append(
        CarrierRefusal(CarrierFault(code="40300", text="The recipient has opted out with STOP."))
    )
    form = {"body": "Anyone?", "sender": f"from:{NUMBER}", "key": "k"}
    answer = await person.send(f"/conversations/{ANN}/send", form)
    assert answer.status_code == 500
    alert = re.search(r'role="alert">([^<]*)<', answer.text)
    assert alert is not None
    assert "opted out with STOP" in alert[1]
    assert "Not sent" in answer.text
    assert "/again" in answer.text


async def test_a_key_that_may_not_write_to_a_party_is_refused_in_words(web: Web) -> None:
    await receive(web, "Hello")
    limits = {"to": ["+15550001111"]}
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "k", "scopes": ["send", "read"], "limits": limits}
    )
    person = await Person.signed_in(web, made.json["key"], org="")
    answer = await person.send(f"/conversations/{ANN}/send", {"body": "Hi", "key": "k"})
    assert answer.status_code == 403, re.findall(r'role="alert"[^>]*>([^<]*)<', answer.text)
    assert "may not send to that recipient" in answer.text
    assert ">Hi</textarea>" in answer.text


async def test_when_it_would_leave_is_estimated(web: Web) -> None:
    phone = await known_phone(web.database)
    person = await Person.signed_in(web)

    async def seconds(**query: str) -> object:
        answer = await person.client.get("/console/estimate", params=query)
        return answer.json()["eta_s"]

    assert await seconds(sender="", segments="1") is None
    sims = (Sim(slot=0, number="+15551112222"),)
    web.phones.phones.append(OnlinePhone(phone=phone, device_id="a", name=None, sims=sims))
    assert await seconds(sender="sim:+15551112222", segments="3") is not None
    assert await seconds(sender=f"from:{NUMBER}") == 0
    assert await seconds(sender="sim:nonsense", segments="x") is None


def test_the_last_way_is_the_usual_one() -> None:
    sim, slot = Sender(value="sim:+1555", label="a"), Sender(value="sim:1", label="b")
    by_sim = message(sim="+1555", sim_slot=0)
    by_slot = message(sim_slot=1)
    carrier = message(provider="twilio", sim="+1999")
    assert usual([by_sim, by_slot], [sim, slot]) == slot
    assert usual([by_slot, by_sim], [sim, slot]) == sim
    assert usual([message()], [sim, slot]) is None
    found = usual([by_sim, carrier], [sim])
    assert found is not None
    assert found.value == "from:+1999"
    assert [again(one) for one in (by_sim, by_slot, carrier, message())] == [
        "sim:+1555",
        "sim:1",
        "from:+1999",
        "",
    ]


def test_each_choice_has_its_endpoint() -> None:
    assert asked("", ANN, "Hi", None) == ("send_sms", {"to": ANN, "body": "Hi"})
    endpoint, body = asked("sim:1", ANN, "Hi", "2026-12-24T18:00:00+00:00")
    assert (endpoint, body["sim"], body["send_at"]) == (
        "send_sms",
        "1",
        "2026-12-24T18:00:00+00:00",
    )
    endpoint, body = asked("from:+1999", ANN, "Hi", None)
    assert (endpoint, body["from_phone_number"]) == ("send_sms_from_number", "+1999")
