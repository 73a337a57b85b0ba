from typing import Any

import pytest

from tests.api.conftest import ORG, SECRET, Web


async def make(web: Web, body: dict[str, Any], **how: Any) -> Any:
    return await web.call("POST", f"/keys/{ORG}", body, **how)


@pytest.mark.usefixtures("notes_waited_for")
async def test_a_key_is_made_listed_used_and_revoked(web: Web) -> None:
    made = await make(web, {"name": "billing", "scopes": ["read"]})
    assert made.status == 201
    assert set(made.json) == {"ok", "id", "key", "name", "scopes"}
    assert made.json["key"].startswith("pgk_")
    assert made.json["scopes"] == ["read"]
    bearer = {"Authorization": f"Bearer {made.json['key']}"}
    used = await web.call("GET", f"/messages/{ORG}", secret=None, headers=bearer)
    assert used.status == 200
    listed = await web.call("GET", f"/keys/{ORG}")
    assert listed.json == {
        "org_id": ORG,
        "count": 1,
        "keys": [
            {
                "id": made.json["id"],
                "name": "billing",
                "scopes": ["read"],
                "created_at": "2027-01-15T08:00:00.000Z",
                "last_used_at": "2027-01-15T08:00:00.000Z",
            }
        ],
    }
    assert made.json["key"] not in listed.data.decode()
    gone = await web.call("DELETE", f"/keys/{ORG}/{made.json['id']}")
    assert (gone.status, gone.json) == (200, {"ok": True, "id": made.json["id"], "cancelled": 0})
    used = await web.call("GET", f"/messages/{ORG}", secret=None, headers=bearer)
    assert used.status == 401


async def test_a_key_without_scopes_may_do_all(web: Web) -> None:
    made = await make(web, {"name": "all"})
    assert made.json["scopes"] == ["send", "read", "manage"]


async def test_the_secret_may_stand_in_the_body(web: Web) -> None:
    made = await make(web, {"name": "all", "secret_key": SECRET}, secret=None)
    assert made.status == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x\x00"}, "name"),
        ({"name": "x\n"}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": "send"}, "scopes"),
        ({"name": "x", "scopes": ["send", "all"]}, "scopes[1]"),
        ({"name": "x", "scopes": ["send"] * 5}, "scopes"),
        ({"name": "x", "scope": ["send"]}, "scope"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named(web: Web, body: dict[str, Any], field: str) -> None:
    reply = await make(web, body)
    assert (reply.status, list(reply.fields)) == (400, [field])


async def test_a_key_grants_no_more_than_it_has(web: Web) -> None:
    key = (await make(web, {"name": "m", "scopes": ["manage"]})).json["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    reply = await make(web, {"name": "x"}, secret=None, headers=bearer)
    assert (reply.status, reply.json["code"]) == (403, "forbidden")
    reply = await make(web, {"name": "x", "scopes": ["manage"]}, secret=None, headers=bearer)
    assert reply.status == 201


@pytest.mark.parametrize("key_id", ["nosuchid", "%00", "é", "x" * 300, "a%2Fb"])
async def test_a_key_that_is_not_there(web: Web, key_id: str) -> None:
    assert (await web.call("DELETE", f"/keys/{ORG}/{key_id}")).status == 404


async def test_another_org_s_key_is_not_there(web: Web) -> None:
    await web.make_org("other", "another-secret-9")
    made = await make(web, {"name": "x"})
    path = f"/keys/other/{made.json['id']}"
    assert (await web.call("DELETE", path, secret="another-secret-9")).status == 404
    assert (await web.call("GET", f"/keys/{ORG}")).json["count"] == 1
