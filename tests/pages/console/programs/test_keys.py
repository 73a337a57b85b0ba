"""API keys are made, limited and revoked by hand."""

import re

import pytest

from phonegate.store.tables import Tables
from tests.api.conftest import ORG, Web
from tests.pages.console.conftest import Person
from tests.store.conftest import outbound

FIELDS = {
    "name": "agent",
    "scopes": ["send", "read"],
    "limits.to": "+1555*\r\n12345",
    "limits.per_hour": "10",
    "limits.quiet_hours.hours": ["22:00", "07:00"],
    "limits.quiet_hours.zone": "Europe/Berlin",
    "limits.hold": "on",
    "limits.codes": "on",
}


async def the_key(web: Web) -> dict[str, object]:
    listed = await web.call("GET", f"/keys/{ORG}")
    assert listed.json["count"] == 1
    found: dict[str, object] = listed.json["keys"][0]
    return found


async def test_a_key_is_made_and_shown_once(web: Web) -> None:
    person = await Person.signed_in(web)
    empty = await person.look("/keys")
    assert "No keys yet" in empty.text
    await person.look("/keys/new")
    made = await person.send("/keys", FIELDS)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    found = re.search(r"pgk_[A-Za-z0-9_-]+", made.text)
    assert found is not None
    key = await the_key(web)
    assert key["scopes"] == ["send", "read"]
    assert key["limits"] == {
        "to": ["+1555*", "12345"],
        "per_hour": 10,
        "per_day": None,
        "quiet_hours": {"hours": "22:00-07:00", "zone": "Europe/Berlin"},
        "hold": True,
        "from": None,
        "codes": "hidden",
    }
    # The command that it comes with works as it stands, but for its host.
    assert f"Authorization: Bearer {found[0]}" in made.text.replace("&#34;", '"')
    me = await web.call("GET", "/me", secret=None, headers={"Authorization": f"Bearer {found[0]}"})
    assert me.json["key_id"] == key["id"]
    listed = await person.look("/keys")
    assert found[0] not in listed.text
    assert "Sends nothing from 22:00 to 07:00 (Europe/Berlin)." in listed.text


async def test_what_is_wrong_stands_beside_its_field_and_the_form_stays_filled_in(
    web: Web,
) -> None:
    person = await Person.signed_in(web)
    await person.look("/keys/new")
    wrong = {**FIELDS, "name": "", "limits.to": "+1555*, x<y", "limits.per_hour": "many"}
    answer = await person.send("/keys", wrong)
    assert answer.status_code == 400
    for shown in (
        'href="#f-limits-to"',
        'id="f-limits-to-problem">“x&lt;y” must be a number',
        'id="f-limits-per_hour-problem">Must be a whole number.',
        'value="many"',
        'value="22:00"',
        "+1555*, x&lt;y</textarea>",
    ):
        assert shown in answer.text
    assert (await web.call("GET", f"/keys/{ORG}")).json["count"] == 0
    # Without a scope there is no key: the API's usual scopes would be more than was ticked.
    answer = await person.send("/keys", {"name": "app"})
    assert 'href="#f-scopes"' in answer.text
    assert (await web.call("GET", f"/keys/{ORG}")).json["count"] == 0
    # A key that could lift its limits is refused in the API's own words.
    answer = await person.send("/keys", {**FIELDS, "scopes": ["manage"]})
    assert "for a key with limits" in answer.text


async def test_limits_are_changed_and_lifted(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.send("/keys", FIELDS)
    key = await the_key(web)
    page = await person.look(f"/keys/{key['id']}")
    for shown in ("+1555*\n12345</textarea>", 'value="07:00"', 'value="Europe/Berlin"'):
        assert shown in page.text
    answer = await person.send(f"/keys/{key['id']}", {"limits.per_day": "5"})
    assert answer.status_code == 303
    limits = (await the_key(web))["limits"]
    assert isinstance(limits, dict)
    assert {name: value for name, value in limits.items() if value} == {"per_day": 5}
    assert "agent: Sends at most 5 messages a day." in (await person.look("/keys")).text
    await person.send(f"/keys/{key['id']}")
    assert "limits" not in await the_key(web)
    answer = await person.send(f"/keys/{key['id']}", {"limits.from": "x"})
    assert 'id="f-limits-from-problem"' in answer.text


@pytest.mark.parametrize("keep", [False, True])
async def test_a_key_is_revoked_with_what_waits_of_it_or_without(web: Web, *, keep: bool) -> None:
    person = await Person.signed_in(web)
    await person.send("/keys", {"name": "app", "scopes": ["send"]})
    id_ = str((await the_key(web))["id"])

    def queue(tx: Tables) -> list[int]:
        org = tx.orgs.get(ORG)
        assert org is not None
        return [tx.messages.insert(outbound(org.id, key=id_)) for _ in range(2)]

    messages = await web.database.write(queue)
    assert "<strong>2 messages</strong> of it wait" in (await person.look("/keys")).text
    # To look at the question does nothing.
    question = await person.look(f"/keys/{id_}/revoke")
    assert "2 messages of it wait to be sent, and are cancelled." in question.text
    assert (await the_key(web))["id"] == id_
    answer = await person.send(f"/keys/{id_}/revoke", {"keep_queued": "on"} if keep else {})
    assert answer.headers["Location"] == "/console/keys"
    said = (await person.look("/keys")).text
    assert ("2 messages of it will not be sent" in said) is not keep
    for message in messages:
        shown = await web.call("GET", f"/messages/{ORG}/id/{message}")
        assert shown.json["message"]["status"] == ("queued" if keep else "cancelled")
    await person.look(f"/keys/{id_}", 404)


async def test_a_key_that_does_not_manage_sees_no_keys(web: Web) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "app", "scopes": ["send", "read"]})
    person = await Person.signed_in(web, secret=made.json["key"], org="")
    home = await person.look("/sessions")
    assert "/console/keys" not in home.text
    await person.look("/keys", 403)
    assert (await person.send("/keys", FIELDS)).status_code == 403


async def test_the_key_of_the_session_is_marked(web: Web) -> None:
    made = [
        await web.call("POST", f"/keys/{ORG}", {"name": name, "scopes": ["manage"]})
        for name in ("mine", "other")
    ]
    person = await Person.signed_in(web, made[0].json["key"], org="")
    page = (await person.look("/keys")).text
    assert re.findall(r">(\w+)</a> <span[^>]*>this session<", page) == ["mine"]
    # To revoke it is to sign out, and the page asks for nothing meanwhile.
    for key, signs_out in zip(made, (True, False), strict=True):
        question = (await person.look(f"/keys/{key.json['id']}/revoke")).text
        assert ("data-asked data-sign-out" in question) is signs_out
