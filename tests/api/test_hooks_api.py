"""Hooks over HTTP as their orgs make, show, change and try them."""

from typing import Any

import pytest

from phonegate.domain.hooks.ready_mappings import READY_MAPPINGS
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.principal import Scope
from phonegate.model.times import iso
from tests.api.conftest import NOW, ORG, PUBLIC_URL, Reply, Web, build_web

MAPPING: dict[str, Any] = {"to": ["{to}"], "text": "{text}"}
NEW: dict[str, Any] = {"name": "program", "mapping": MAPPING}
HIDDEN = "Bearer hunter2-hunter2-9f3a"
UNVERIFIED = {"kind": "none", "secret": None, "header": None, "timestamp_header": None}


async def call(web: Web, method: str, path: str = "", body: Any = None, **how: Any) -> Reply:
    return await web.call(method, f"/hooks/of/{ORG}{path}", body, **how)


async def make(web: Web, **fields: Any) -> dict[str, Any]:
    how: dict[str, Any] = {}
    if "headers" in fields:
        how = {"headers": fields.pop("headers"), "secret": None}
    reply = await call(web, "POST", body=NEW | fields, **how)
    assert reply.status == 201, reply.data
    made: dict[str, Any] = reply.json
    return made


async def key_of(web: Web, *scopes: Scope, **fields: Any) -> tuple[str, dict[str, str]]:
    body = {"name": "agent", "scopes": list(scopes)} | fields
    made = (await web.call("POST", f"/keys/{ORG}", body)).json
    return made["id"], {"Authorization": f"Bearer {made['key']}"}


async def attempt(web: Web, mapping: Any, sample: Any) -> Reply:
    return await web.call("POST", f"/hooks/try/{ORG}", {"mapping": mapping, "sample": sample})


async def test_a_hook_is_made_shown_changed_and_removed(web: Web) -> None:
    made = await make(web, verification={"kind": "header", "secret": HIDDEN})
    assert set(made) == {"ok", "url", "hook"}
    assert made["url"].startswith(f"{PUBLIC_URL}/hooks/pgh_") or "/hooks/pgh_" in made["url"]
    shown = made["hook"]
    assert shown == {
        "id": shown["id"],
        "name": "program",
        "mapping": {
            "to": ["{to}"],
            "text": "{text}",
            "when": [],
            "sender": None,
            "max_characters": 640,
            "repeat_s": 10,
            "answer": "json",
        },
        "verification": UNVERIFIED | {"kind": "header", "secret": "…9f3a"},
        "key": None,
        "created_at": iso(NOW),
        "enabled": True,
        "disabled_at": None,
        "disabled_reason": None,
        "calls": 0,
        "last_used_at": None,
        "last": None,
    }
    at = f"/{shown['id']}"
    assert (await call(web, "GET", at)).json == {"ok": True, "hook": shown}
    listed = await call(web, "GET")
    assert listed.json == {"org_id": ORG, "count": 1, "hooks": [shown]}
    mapping = {
        "to": ["+15553334444"],
        "text": "x",
        "when": ["a"],
        "sender": "+15551112222",
        "max_characters": 70,
        "repeat_s": 0,
        "answer": "supabase",
    }
    change = {"name": "other", "mapping": mapping, "verification": {"kind": "none"}}
    changed = await call(web, "PATCH", at, change)
    assert changed.json["hook"] == shown | change | {"verification": UNVERIFIED}
    assert (await call(web, "PATCH", at, {"name": "third"})).json["hook"]["mapping"] == mapping
    assert (await call(web, "DELETE", at)).json == {"ok": True, "id": shown["id"]}
    for method, path in (("GET", at), ("DELETE", at), ("PATCH", at), ("POST", f"{at}/rotate")):
        gone = await call(web, method, path, {} if method == "PATCH" else None)
        assert (gone.status, gone.json["code"]) == (404, "not_found")


async def test_its_secret_and_url_never_come_back(web: Web) -> None:
    made = await make(web, verification={"kind": "header", "secret": HIDDEN})
    at, token = f"/{made['hook']['id']}", made["url"].rsplit("/", 1)[1]
    replies = [
        await call(web, "GET"),
        await call(web, "GET", at),
        await call(web, "PATCH", at, {"name": "x"}),
        await call(web, "POST", f"{at}/rotate"),
    ]
    for reply in replies:
        assert reply.status == 200
        assert "hunter2" not in reply.data.decode()
        assert token not in reply.data.decode()
    assert replies[-1].json["url"] != made["url"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"mapping": {"to": ["+1555", "{a"], "text": "{"}}, {"mapping.to[1]", "mapping.text"}),
        ({"mapping": MAPPING | {"when": ["a b"]}}, {"mapping.when[0]"}),
        ({"mapping": MAPPING | {"sender": "shop"}}, {"mapping.sender"}),
        ({"mapping": MAPPING | {"wen": ["a"]}}, {"mapping.wen"}),
        ({"verification": {"kind": "hmac", "secret": "a"}}, {"verification.header"}),
        ({"verification": {"kind": "standard"}}, {"verification.secret"}),
        ({"verification": {"kind": "other"}}, {"verification.kind"}),
        ({"key": "nonesuch"}, {"key"}),
        ({"name": ""}, {"name"}),
    ],
)
async def test_every_wrong_field_is_named(web: Web, fields: Any, wrong: set[str]) -> None:
    made = await make(web)
    for method, path in (("POST", ""), ("PATCH", f"/{made['hook']['id']}")):
        if method == "PATCH" and "key" in fields:
            continue
        reply = await call(web, method, path, (NEW if method == "POST" else {}) | fields)
        assert (reply.status, set(reply.fields)) == (400, wrong), reply.data
    assert (await call(web, "GET")).json["count"] == 1


async def test_one_needs_to_send_to_have_a_hook_send(web: Web) -> None:
    at = f"/{(await make(web))['hook']['id']}"
    _, headers = await key_of(web, "manage", "read")
    asked: list[tuple[str, str, Any]] = [
        ("POST", "", NEW),
        ("PATCH", at, {"name": "x"}),
        ("POST", f"{at}/rotate", None),
    ]
    for method, path, body in asked:
        reply = await call(web, method, path, body, secret=None, headers=headers)
        assert (reply.status, reply.json["code"]) == (403, "forbidden")


async def test_one_of_a_key_is_its_own_and_no_other_key_s(web: Web) -> None:
    (mine, headers), (other, others) = [await key_of(web, "manage", "send") for _ in range(2)]
    made = await make(web, headers=headers)
    assert made["hook"]["key"] == mine
    at = f"/{made['hook']['id']}"
    for method, path, body in (("PATCH", at, {"name": "x"}), ("POST", f"{at}/rotate", None)):
        assert (await call(web, method, path, body, secret=None, headers=others)).status == 403
        assert (await call(web, method, path, body, secret=None, headers=headers)).status == 200
        assert (await call(web, method, path, body)).status == 200
    reply = await call(web, "POST", "", NEW | {"key": mine}, secret=None, headers=others)
    assert reply.status == 403
    # What an org has made belongs to the key that changes it, whose holder may know its URL.
    orgs = (await make(web))["hook"]
    changed = await call(web, "PATCH", f"/{orgs['id']}", {"name": "x"}, secret=None, headers=others)
    assert changed.json["hook"]["key"] == other


async def test_one_whose_key_is_gone_is_theirs_who_enable_it(web: Web) -> None:
    key, _ = await key_of(web, "send", limits={"per_day": 3})
    made = (await make(web, key=key))["hook"]
    assert made["key"] == key
    await web.call("DELETE", f"/keys/{ORG}/{key}")
    shown = (await call(web, "GET", f"/{made['id']}")).json["hook"]
    assert shown["enabled"] is False
    enabled = (await call(web, "PATCH", f"/{made['id']}", {"enabled": True})).json["hook"]
    assert (enabled["enabled"], enabled["key"]) == (True, None)


@pytest.mark.parametrize("scopes", [("read",), ("manage", "read")])
async def test_a_key_that_may_not_send_can_bind_none(web: Web, scopes: tuple[Scope, ...]) -> None:
    key, _ = await key_of(web, *scopes)
    assert (await call(web, "POST", "", NEW | {"key": key})).fields.keys() == {"key"}


async def test_an_org_has_so_many_and_no_more(web: Web) -> None:
    bounded = build_web(web.database, rate_limits=RateLimits(Bounds(org_webhooks=2)))
    for _ in range(2):
        await make(bounded)
    reply = await call(bounded, "POST", body=NEW)
    assert (reply.status, reply.json["code"]) == (409, "org_full")


async def test_a_mapping_is_tried_without_sending(web: Web) -> None:
    reply = await attempt(web, MAPPING, {"to": ["+15553334444", "12345"], "text": "ж" * 71})
    assert reply.json == {
        "ok": True,
        "sends": True,
        "reason": None,
        "to": ["+15553334444", "12345"],
        "text": "ж" * 71,
        "characters": 71,
        "segments": 2,
    }
    held = await attempt(web, MAPPING | {"when": ["a == b"]}, {"a": "c"})
    assert (held.json["sends"], held.json["to"], held.json["text"]) == (False, [], None)
    assert "a == b" in held.json["reason"]
    assert (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"] == []
    assert (await call(web, "GET")).json["count"] == 0


@pytest.mark.parametrize(
    ("mapping", "sample", "field"),
    [
        (MAPPING, {"text": "x"}, "mapping.to"),
        (MAPPING, {"to": "abc", "text": "x"}, "mapping.to"),
        (MAPPING, {"to": "+15553334444"}, "mapping.text"),
        (MAPPING | {"text": "{"}, {}, "mapping.text"),
    ],
)
async def test_a_trial_names_what_fails(web: Web, mapping: Any, sample: Any, field: str) -> None:
    reply = await attempt(web, mapping, sample)
    assert (reply.status, set(reply.fields)) == (400, {field}), reply.data


async def test_ready_made_mappings_are_listed_with_samples(web: Web) -> None:
    found = (await web.call("GET", f"/hooks/ready/{ORG}")).json
    assert [one["name"] for one in found["mappings"]] == [one.name for one in READY_MAPPINGS]
    for one in found["mappings"]:
        tried = await attempt(web, one["mapping"], one["sample"])
        assert tried.json["sends"] is True, one["name"]
