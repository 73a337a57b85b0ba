"""The screens of hooks: chosen, tried, made, changed, and their URL that is shown once."""

import html
import json
import re
from typing import Any

import pytest

from phonegate.api.main_pipeline import build_pipeline
from phonegate.config.settings import HttpSettings
from phonegate.domain.hooks.ready_mappings import READY_MAPPINGS, ReadyMapping
from phonegate.pages.app import build_whole_app
from tests.api.conftest import ORG, Web, database, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]

SAMPLE = {"to": "+15553334444", "text": "Your <b>table</b> is ready"}
FIELDS = {
    "name": "shop",
    "mapping.to": "{to}",
    "mapping.text": "{text}",
    "mapping.when": "",
    "mapping.sender": "",
    "mapping.max_characters": "640",
    "mapping.repeat_s": "10",
    "mapping.answer": "json",
    "verification.kind": "none",
    "verification.secret": "",
    "verification.header": "",
    "verification.timestamp_header": "",
    "key": "",
    "sample": json.dumps(SAMPLE),
}
VERIFIED = {"verification.kind": "header", "verification.secret": "Bearer 9b1c7d2e-4f2a"}


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


async def the_hook(web: Web) -> dict[str, Any]:
    listed = await web.call("GET", f"/hooks/of/{ORG}")
    assert listed.json["count"] == 1
    found: dict[str, Any] = listed.json["hooks"][0]
    return found


async def test_a_hook_is_made_and_its_url_is_shown_once(web: Web, person: Person) -> None:
    assert "No hooks yet" in (await person.look("/hooks")).text
    made = await person.send("/hooks", FIELDS | VERIFIED | {"ready": "json"})
    assert made.status_code == 200, made.text
    url = re.search(r"/hooks/pgh_[A-Za-z0-9]{32}", made.text)
    assert url is not None
    assert "Enter this address where your program calls one" in made.text
    assert made.headers["Cache-Control"] == "no-store"
    hook = await the_hook(web)
    assert (hook["name"], hook["mapping"]["to"]) == ("shop", ["{to}"])
    assert hook["verification"]["kind"] == "header"
    for path in ("/hooks", f"/hooks/{hook['id']}", f"/hooks/{hook['id']}/change"):
        page = (await person.look(path)).text
        assert "pgh_" not in page
        assert "9b1c7d2e" not in page
    bearer = {"Authorization": "Bearer 9b1c7d2e-4f2a"}
    called = await web.call("POST", url[0], SAMPLE, secret=None, headers=bearer)
    assert called.json["sent"] is True
    assert "1 message" in (await person.look("/hooks")).text


@pytest.mark.parametrize("ready", READY_MAPPINGS, ids=lambda one: one.name)
async def test_each_ready_made_mapping_fills_in_its_form(
    web: Web, person: Person, ready: ReadyMapping
) -> None:
    assert f"ready={ready.name}" in (await person.look("/hooks/new")).text
    form = await person.look(f"/hooks/new?ready={ready.name}")
    values = dict(
        re.findall(r'<(?:input|select)[^>]* name="([^"]+)"[^>]*? value="([^"]*)"', form.text)
    )
    assert values["name"] == ready.title
    areas = dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n([^<]*)</textarea>', form.text))
    assert (areas["mapping.to"] == "") == ready.needs_recipient
    assert json.loads(html.unescape(areas["sample"])) == ready.sample
    assert (
        f'<option value="{ready.verification if ready.always_signs else "none"}" selected>'
        in form.text
    )


async def test_a_mapping_is_tried_before_it_is_saved(web: Web, person: Person) -> None:
    tried = await person.send("/hooks/try", FIELDS)
    assert tried.status_code == 200, tried.text
    assert "It would send 1 SMS of 26 characters to 1 number." in tried.text
    assert "Your &lt;b&gt;table&lt;/b&gt; is ready" in tried.text
    assert 'value="shop"' in tried.text
    held = await person.send("/hooks/try", FIELDS | {"mapping.when": "a == b, c"})
    assert "Its condition does not hold: a == b, c" in held.text
    assert (await web.call("GET", f"/hooks/of/{ORG}")).json["count"] == 0
    assert (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"] == []


@pytest.mark.parametrize(
    ("path", "fields", "shown"),
    [
        ("/hooks/try", {"sample": "{"}, 'href="#f-sample"'),
        ("/hooks/try", {"sample": ""}, 'href="#f-sample"'),
        ("/hooks/try", {"mapping.to": "{phone}"}, 'href="#f-mapping-to"'),
        ("/hooks/try", {"mapping.text": "{"}, 'href="#f-mapping-text"'),
        ("/hooks", {"mapping.text": "{"}, 'href="#f-mapping-text"'),
        ("/hooks", {"mapping.when": "a\nb c"}, 'href="#f-mapping-when"'),
        ("/hooks", {"name": ""}, 'href="#f-name"'),
        ("/hooks", {"mapping.max_characters": "x"}, 'href="#f-mapping-max_characters"'),
        ("/hooks", {"verification.kind": "hmac"}, 'href="#f-verification-secret"'),
        ("/hooks", {"key": "nonesuch"}, 'href="#f-key"'),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    web: Web, person: Person, path: str, fields: dict[str, str], shown: str
) -> None:
    answer = await person.send(path, FIELDS | {"name": "<i>shop"} | fields)
    assert answer.status_code == 400, answer.text
    assert shown in answer.text
    if "name" not in fields:
        assert 'value="&lt;i&gt;shop"' in answer.text
    assert (await web.call("GET", f"/hooks/of/{ORG}")).json["count"] == 0


async def test_a_hook_is_changed_and_keeps_the_secret_that_is_not_shown(
    web: Web, person: Person
) -> None:
    await person.send("/hooks", FIELDS | VERIFIED | {"mapping.when": "a == b\nc"})
    hook = await the_hook(web)
    at = f"/hooks/{hook['id']}"
    form = (await person.look(f"{at}/change")).text
    assert "a == b\nc</textarea>" in form
    tried = await person.send("/hooks/try", FIELDS | {"hook": str(hook["id"])})
    assert f'action="/console{at}"' in tried.text
    fields = FIELDS | {"name": "other", "verification.kind": "header", "mapping.to": "12345"}
    assert (await person.send(at, fields)).status_code == 303
    changed = await the_hook(web)
    assert changed["verification"] == hook["verification"]
    assert (changed["name"], changed["mapping"]["to"]) == ("other", ["12345"])
    assert changed["mapping"]["when"] == []
    assert (await person.send(at, FIELDS)).status_code == 303
    assert (await the_hook(web))["verification"]["kind"] == "none"
    wrong = await person.send(at, FIELDS | {"mapping.text": "{"})
    assert (wrong.status_code, 'href="#f-mapping-text"' in wrong.text) == (400, True)


async def test_it_is_disabled_enabled_given_another_url_and_removed(
    web: Web, person: Person
) -> None:
    await person.send("/hooks", FIELDS)
    hook = await the_hook(web)
    at = f"/hooks/{hook['id']}"
    await person.send(f"{at}/disable")
    assert "It was disabled by a person." in (await person.look(at)).text
    await person.send(f"{at}/enable")
    assert (await the_hook(web))["enabled"] is True
    assert "stops working at once" in (await person.look(f"{at}/rotate")).text
    assert "pgh_" in (await person.send(f"{at}/rotate")).text
    assert "Remove the hook shop?" in (await person.look(f"{at}/remove")).text
    await person.send(f"{at}/remove")
    assert (await web.call("GET", f"/hooks/of/{ORG}")).json["count"] == 0


async def test_it_is_said_where_the_owner_has_switched_hooks_off(web: Web) -> None:
    assert "switched hooks off" not in (await (await Person.signed_in(web)).look("/hooks")).text
    http = HttpSettings()
    pipeline = build_pipeline(web.services, http)
    web.app = build_whole_app(web.services, http, pipeline, dialects=("generic",))
    person = await Person.signed_in(web)
    assert "switched hooks off" in (await person.look("/hooks")).text


async def test_a_hook_can_be_bound_by_a_key(web: Web, person: Person) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "alerts", "limits": {"per_day": 5}})
    key = made.json["id"]
    form = await person.look("/hooks/new?ready=json")
    assert f'<option value="{key}">alerts</option>' in form.text
    await person.send("/hooks", FIELDS | {"key": key})
    assert (await the_hook(web))["key"] == key
