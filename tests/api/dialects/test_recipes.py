"""Each recipe of docs/recipes.md: the requests that its program makes of the printed settings."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from phonegate.api.table import build_table
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import Sim
from phonegate.model.twilio_ids import account_sid
from tests.api.conftest import ORG, SECRET, Web
from tests.recipes.programs import PROGRAMS
from tests.recipes.recipe import (
    ACCOUNT,
    GATEWAY,
    HOOK,
    KEY,
    SIM,
    TWILIO,
    Answer,
    Message,
    Program,
    Request,
    Way,
)
from tests.recipes.recipe import ORG as PRINTED_ORG

SERVED = {one.name for one in build_table().dialects}
WAYS = [(program, way) for program in PROGRAMS for way in program.ways if way.dialect in SERVED]


def ways_of(wanted: Callable[[Program, Way], bool]) -> pytest.MarkDecorator:
    found = [one for one in WAYS if wanted(*one)]
    names = [f"{program.name}, {way.title}" for program, way in found]
    return pytest.mark.parametrize(("program", "way"), found, ids=names)


async def make_key(web: Web, scopes: tuple[str, ...]) -> str:
    sims = (Sim(slot=0, number=SIM),)
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
    made = await web.call("POST", f"/keys/{ORG}", {"name": "program", "scopes": list(scopes)})
    assert made.status == 201, made.data
    key: str = made.json["key"]
    return key


async def make_hook(web: Web, name: str) -> str:
    """Makes a hook as the page says. Returns its address."""
    ready = await web.call("GET", f"/hooks/ready/{ORG}?name={name}")
    (found,) = ready.json["mappings"]
    made = await web.call("POST", f"/hooks/of/{ORG}", {"name": name, "mapping": found["mapping"]})
    assert made.status == 201, made.data
    url: str = made.json["url"]
    return url


async def entered(web: Web, way: Way) -> dict[str, str]:
    """The settings as a person enters them: with the own key, account and hook."""
    values = {KEY: await make_key(web, way.scopes), ACCOUNT: account_sid(1)}
    if way.hook is not None:
        values[HOOK] = await make_hook(web, way.hook)
    settings = {}
    for name, value in way.settings.items():
        for printed, own in values.items():
            value = value.replace(printed, own)  # noqa: PLW2901
        settings[name] = value
    assert PRINTED_ORG == ORG
    return settings


async def ask(web: Web, request: Request) -> Answer:
    url = request.url
    for base in (GATEWAY, TWILIO):
        url = url.removeprefix(base)
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers: Mapping[str, str] = {"User-Agent": "program/1", **request.headers}
    reply = await web.call(
        request.method, path, secret=None, headers=dict(headers), raw=request.body
    )
    return Answer(status=reply.status, body=reply.data)


async def stored(web: Web) -> list[tuple[str, str]]:
    answer = await web.call("GET", f"/messages/{ORG}?limit=1000")
    return [(one["address"], one["body"]) for one in answer.json["messages"]]


@ways_of(lambda *_: True)
async def test_the_program_succeeds_and_the_sms_is_as_printed(
    web: Web, program: Program, way: Way
) -> None:
    settings = await entered(web, way)
    requests = way.build(settings, Message())
    for request in requests[:-1]:
        answer = await ask(web, request)
        assert answer.ok, answer
    answer = await ask(web, requests[-1])
    assert way.succeeds(answer), answer
    assert await stored(web) == [(to, way.text) for to in way.to]


AWKWARD = 'Disk "db-1" is down & out:\n100 % = ü {x} 🎉'
"""What a program that fills a template badly would break."""

UNESCAPED = {"Keycloak, JSON", "listmonk, "}
"""Programs that can't write it: as the recipe says, or since their texts are HTML."""


@ways_of(
    lambda program, way: (
        f"{program.name}, {way.title}" not in UNESCAPED and way.text == Message().text
    )
)
async def test_a_text_of_any_kind_arrives_whole(web: Web, program: Program, way: Way) -> None:
    for request in way.build(await entered(web, way), Message(text=AWKWARD)):
        answer = await ask(web, request)
    assert way.succeeds(answer), answer
    assert await stored(web) == [(to, AWKWARD) for to in way.to]


@ways_of(lambda _, way: way.hook is None)
async def test_a_wrong_key_is_no_success(web: Web, program: Program, way: Way) -> None:
    settings = {name: value.replace(KEY, "pgk_wrong") for name, value in way.settings.items()}
    settings = {n: value.replace(ACCOUNT, account_sid(1)) for n, value in settings.items()}
    requests = way.build(settings, Message())
    answer = await ask(web, requests[-1])
    assert answer.status >= 400, answer
    assert not _succeeds(way, answer)
    assert await stored(web) == []


def _succeeds(way: Way, answer: Answer) -> bool:
    try:
        return way.succeeds(answer)
    except (KeyError, json.JSONDecodeError):
        return False


def test_the_secret_of_the_tests_is_none_of_a_recipe() -> None:
    everything: Any = [way.settings for _, way in WAYS]
    assert SECRET not in str(everything)
