"""Assistants are made for each provider, changed, tried and removed by hand."""

import re
from typing import Any

import pytest

from phonegate.carriers.registry import CARRIERS, PROVIDERS, check_credentials
from phonegate.config.settings import AssistantSettings
from phonegate.domain.assistant_sync import sync_declared
from phonegate.domain.carrier import CarrierFault, CarrierRefusal
from phonegate.pages.console.programs.assistants import spoken
from tests.api.conftest import NOW, ORG, PUBLIC_URL, Web
from tests.pages.console.conftest import Person

SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "89abcdef0123456789abcdef01234f2a"
NUMBER = "+15551110001"
FIELDS = {
    "provider": "twilio",
    "name": "support",
    "phone_numbers": f"{NUMBER}\r\n+15551110002",
    "credentials.account_sid": SID,
    "credentials.auth_token": TOKEN,
    "credentials.messaging_service_sid": "",
}


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


async def the_assistant(web: Web) -> dict[str, Any]:
    listed = await web.call("GET", "/assistants?org_id=myorg")
    assert listed.json["count"] == 1
    found: dict[str, Any] = listed.json["assistants"][0]
    return found


async def test_each_provider_asks_for_the_fields_that_it_declares(person: Person) -> None:
    for provider in PROVIDERS:
        page = (await person.look(f"/assistants/new?provider={provider}")).text
        asked = re.findall(r'name="credentials\.(\w+)" type="(\w+)"', page)
        fields = CARRIERS[provider].fields if provider in CARRIERS else ()
        assert asked == [(one.name, "password" if one.secret else "text") for one in fields]
    await person.look("/assistants/new?provider=fax", 404)


def test_names_of_credentials_are_spoken_as_people_do() -> None:
    assert [spoken(one) for one in ("account_sid", "api_key", "messaging_profile_id")] == [
        "Account SID",
        "API key",
        "Messaging profile ID",
    ]


async def test_an_assistant_is_made_and_shows_what_to_enter_at_the_carrier(
    web: Web, person: Person
) -> None:
    assert "No assistants yet" in (await person.look("/assistants")).text
    wrong = await person.send("/assistants", {**FIELDS, "credentials.account_sid": "AC1"})
    assert wrong.status_code == 400
    assert "Must be AC and 32 hexadecimal digits." in wrong.text
    assert 'value="AC1"' in wrong.text
    assert TOKEN not in wrong.text
    made = await person.send("/assistants", FIELDS)
    assert made.status_code == 303, made.text
    one = await the_assistant(web)
    assert one["phone_numbers"] == [NUMBER, "+15551110002"]
    page = await person.look(f"/assistants/{one['id']}")
    assert one["callback_url"].startswith(PUBLIC_URL)
    assert f"<code>{one['callback_url']}</code>" in page.text
    assert "…4f2a" in page.text
    assert TOKEN not in page.text


async def test_what_is_left_empty_stays_and_what_is_optional_can_be_taken_away(
    web: Web, person: Person
) -> None:
    service = "MG0123456789abcdef0123456789abcdef"
    await person.send("/assistants", {**FIELDS, "credentials.messaging_service_sid": service})
    one = await the_assistant(web)
    form = await person.look(f"/assistants/{one['id']}/change")
    assert "It is …4f2a now" in form.text
    assert form.text.count('name="remove_credential"') == 1
    changes = {"name": "sales", "phone_numbers": NUMBER, "credentials.auth_token": ""}
    taken = {**changes, "remove_credential": "messaging_service_sid"}
    assert (await person.send(f"/assistants/{one['id']}", taken)).status_code == 303
    changed = await the_assistant(web)
    assert (changed["name"], changed["phone_numbers"]) == ("sales", [NUMBER])
    assert set(changed["credentials"]) == {"account_sid", "auth_token"}
    answer = await person.send(f"/assistants/{one['id']}", {**changes, "phone_numbers": "+1 5"})
    assert "“+1 5” must be a number" in answer.text


async def test_one_of_the_file_is_shown_and_not_changed(web: Web, person: Person) -> None:
    declared = AssistantSettings(
        org=ORG,
        name="file",
        provider="twilio",
        phone_numbers=(NUMBER,),
        credentials={"account_sid": SID, "auth_token": TOKEN},
    )
    await web.database.write(lambda tx: sync_declared(tx, [declared], check_credentials, NOW))
    one = await the_assistant(web)
    page = await person.look(f"/assistants/{one['id']}")
    assert "gateway.toml" in page.text
    assert "/remove" not in page.text
    await person.look(f"/assistants/{one['id']}/change", 409)
    assert (await person.send(f"/assistants/{one['id']}/remove")).status_code == 409
    await the_assistant(web)


async def test_a_test_is_sent_once_however_often_its_form_comes(web: Web, person: Person) -> None:
    await person.send("/assistants", FIELDS)
    id_ = (await the_assistant(web))["id"]
    page = await person.look(f"/assistants/{id_}")
    once = re.search(r'name="once" value="([^"]+)"', page.text)
    assert once is not None
    form = {
        "from_phone_number": NUMBER,
        "to_phone_number": "+15553334444",
        "message": "a\r\nb",
        "once": once[1],
    }
    for _ in range(2):
        sent = await person.send(f"/assistants/{id_}/test", form)
        assert sent.status_code == 303, sent.text
    assert [(one.sender, one.body) for one in web.carrier.taken] == [(NUMBER, "a\nb")]
    said = await person.look(f"/assistants/{id_}")
    assert "SMS sent successfully via twilio." in said.text
    web.carrier.answers.append(CarrierRefusal(CarrierFault(code="21610", text="Opted out.")))
    refused = await person.send(f"/assistants/{id_}/test", {**form, "once": "another-one-12345"})
    assert "Twilio: 21610: Opted out." in refused.text
    assert "a\nb</textarea>" in refused.text.replace("\r\n", "\n")
    foreign = {**form, "from_phone_number": "+15559999999", "once": "x"}
    assert "no such number" in (await person.send(f"/assistants/{id_}/test", foreign)).text
    assert len(web.carrier.taken) == 1


async def test_an_assistant_is_removed_after_a_question(web: Web, person: Person) -> None:
    own = {"provider": "phone", "name": "shop", "phone_numbers": NUMBER}
    assert (await person.send("/assistants", own)).status_code == 303
    one = await the_assistant(web)
    assert (
        "Remove the assistant shop?" in (await person.look(f"/assistants/{one['id']}/remove")).text
    )
    await person.send(f"/assistants/{one['id']}/remove")
    assert (await web.call("GET", "/assistants?org_id=myorg")).json["count"] == 0
