import json
from typing import Any

import pytest

from phonegate.config.settings import AssistantSettings
from tests.api.conftest import (
    ORG,
    PUBLIC_URL,
    Reply,
    Web,
)
from tests.captured_logs import capture_logs

SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "89abcdef-the-secret-token-4f2a"
NUMBER = "+15551234567"
NEW: dict[str, Any] = {
    "name": "support",
    "provider": "twilio",
    "phone_numbers": [NUMBER],
    "credentials": {"account_sid": SID, "auth_token": TOKEN},
}


async def call(web: Web, method: str, path: str = "", body: Any = None, **more: Any) -> Reply:
    return await web.call(method, f"/assistants{path}?org_id={ORG}", body, **more)


async def make(web: Web, **changes: Any) -> Any:
    reply = await call(web, "POST", body=NEW | changes)
    assert reply.status == 201, reply.data
    return reply.json["assistant"]


async def token_of(web: Web, id_: int) -> str:
    found = await web.database.read(lambda tx: tx.assistants.get(id_))
    assert found is not None
    return found.token


async def test_an_assistant_is_made_read_and_removed_with_nothing_but_an_api_key(web: Web) -> None:
    key = (await web.call("POST", f"/keys/{ORG}", {"name": "k", "scopes": ["manage"]})).json["key"]
    bearer: dict[str, Any] = {"secret": None, "headers": {"Authorization": f"Bearer {key}"}}
    made = await web.call("POST", "/assistants", NEW, **bearer)
    assert made.status == 201
    assistant = made.json["assistant"]
    assert made.json == {"ok": True, "assistant": assistant}
    id_ = assistant["id"]
    assert assistant == {
        "id": id_,
        "name": "support",
        "provider": "twilio",
        "phone_numbers": [NUMBER],
        "credentials": {"account_sid": "…cdef", "auth_token": "…4f2a"},
        "created_at": "2027-01-15T08:00:00.000Z",
        "callback_url": f"{PUBLIC_URL}/callbacks/twilio/{id_}/{await token_of(web, id_)}",
        "from_file": False,
    }
    listed = await web.call("GET", "/assistants", **bearer)
    assert listed.json == {"org_id": ORG, "count": 1, "assistants": [assistant]}
    read = await web.call("GET", f"/assistants/{id_}", **bearer)
    assert read.json == {"ok": True, "assistant": assistant}
    gone = await web.call("DELETE", f"/assistants/{id_}", **bearer)
    assert (gone.status, gone.json) == (200, {"ok": True, "id": id_})
    assert (await web.call("GET", f"/assistants/{id_}", **bearer)).status == 404
    assert (await web.call("GET", "/assistants", **bearer)).json["count"] == 0


async def test_the_org_s_secret_needs_the_org_beside_it(web: Web) -> None:
    assert (await call(web, "GET")).status == 200
    alone = await web.call("GET", "/assistants")
    assert alone.status in (400, 401)
    assert "org_id" in alone.json["detail"]
    inside = await web.call("POST", "/assistants", {"org_id": ORG, "name": "support"})
    assert inside.fields["org_id"] == "is no field of this body; give it in the query"
    twice = await web.call("GET", f"/assistants?org_id={ORG}&org_id={ORG}")
    assert (twice.status, list(twice.fields)) == (400, ["org_id"])


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": "x" * 101}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"provider": "pigeon"}, ["provider"]),
        ({"phone_numbers": []}, ["phone_numbers"]),
        ({"phone_numbers": NUMBER}, ["phone_numbers"]),
        ({"phone_numbers": [NUMBER, "5551234567"]}, ["phone_numbers[1]"]),
        ({"phone_numbers": [NUMBER, NUMBER]}, ["phone_numbers[1]"]),
        ({"phone_numbers": [f"+1555{n:07}" for n in range(51)]}, ["phone_numbers"]),
        ({"credentials": None}, ["credentials.account_sid", "credentials.auth_token"]),
        ({"credentials": {"account_sid": SID}}, ["credentials.auth_token"]),
        ({"credentials": [TOKEN]}, ["credentials"]),
        ({"credentials": {"auth_token": {"a": TOKEN}}}, ["credentials"]),
        ({"credentials": {TOKEN: "x"}}, ["credentials"]),
        ({"credentials": {"x" * 51: "x"}}, ["credentials"]),
        ({"credentials": {f"x{n}": "x" for n in range(11)}}, ["credentials"]),
        ({"provider": "phone"}, ["credentials"]),
        ({"phone_number": NUMBER}, ["phone_number"]),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named_and_no_credential_shown(
    web: Web, changes: dict[str, Any], fields: list[str]
) -> None:
    reply = await call(web, "POST", body=NEW | changes)
    assert (reply.status, list(reply.fields)) == (400, fields)
    assert TOKEN not in reply.data.decode()
    assert (await call(web, "GET")).json["count"] == 0


async def test_a_number_of_another_assistant_is_a_conflict_that_names_it(web: Web) -> None:
    first = await make(web)
    reply = await call(web, "POST", body=NEW)
    assert (reply.status, reply.json["code"]) == (409, "conflict")
    assert NUMBER in reply.json["detail"]
    second = await make(web, phone_numbers=["+15551234568"])
    body = {"phone_numbers": [NUMBER]}
    reply = await call(web, "PATCH", f"/{second['id']}", body)
    assert (reply.status, reply.json["code"]) == (409, "conflict")
    assert (await call(web, "GET")).json["assistants"] == [first, second]


async def test_a_change_touches_what_it_names(web: Web) -> None:
    made = await make(web)
    path = f"/{made['id']}"
    named = await call(web, "PATCH", path, {"name": "sales", "phone_numbers": None})
    assert (named.status, named.json["assistant"]) == (200, made | {"name": "sales"})
    rotated = await call(web, "PATCH", path, {"credentials": {"auth_token": "0123456789-new1"}})
    assert rotated.json["assistant"]["credentials"] == {
        "account_sid": "…cdef",
        "auth_token": "…new1",
    }
    numbers = await call(web, "PATCH", path, {"phone_numbers": ["+15550001111"]})
    assert numbers.json["assistant"]["phone_numbers"] == ["+15550001111"]
    assert (await call(web, "PATCH", path, {})).json == numbers.json
    back = await call(web, "PATCH", path, {"credentials": rotated.json["assistant"]["credentials"]})
    assert set(back.fields) == {"credentials.account_sid", "credentials.auth_token"}
    other = await call(web, "PATCH", path, {"provider": "telnyx"})
    assert (other.status, list(other.fields)) == (400, ["provider"])
    assert (await call(web, "GET", path)).json == numbers.json


@pytest.mark.parametrize("id_", ["0", "999", "-1", "1.0", "x", "%00", "9" * 30, "%d9%a1"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_one_that_is_not_there(web: Web, method: str, id_: str) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    reply = await call(web, method, f"/{id_}", body)
    assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_org_s_assistant_is_not_there(web: Web, method: str) -> None:
    await web.make_org("other", "another-secret-9")
    made = await make(web)
    body = {"name": "x"} if method == "PATCH" else None
    path = f"/assistants/{made['id']}?org_id=other"
    assert (await web.call(method, path, body, secret="another-secret-9")).status == 404
    assert (await call(web, "GET")).json["assistants"] == [made]


async def test_one_that_the_file_declares_is_read_only_and_says_where(web: Web) -> None:
    await web.services.assistants.sync(
        [AssistantSettings(org=ORG, name="shop", provider="phone", phone_numbers=(NUMBER,))]
    )
    (shown,) = (await call(web, "GET")).json["assistants"]
    assert (shown["from_file"], shown["credentials"], shown["callback_url"]) == (True, {}, None)
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        reply = await call(web, method, f"/{shown['id']}", body)
        assert (reply.status, reply.json["code"]) == (409, "conflict")
        assert "configuration file" in reply.json["detail"]
    assert (await call(web, "GET")).json["assistants"] == [shown]


async def test_no_credential_and_no_token_reaches_the_log(web: Web) -> None:
    with capture_logs() as lines:
        made = await make(web)
        await call(web, "PATCH", f"/{made['id']}", {"credentials": {"auth_token": TOKEN + "b"}})
        await call(web, "POST", body=NEW)
        await call(web, "POST", body=NEW | {"credentials": {"auth_token": TOKEN + "\n"}})
    text = json.dumps(lines, default=str)
    assert f'"/assistants/{made["id"]}"' in text
    for secret in (TOKEN, SID, await token_of(web, made["id"])):
        assert secret not in text
