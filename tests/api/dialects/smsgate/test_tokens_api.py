"""Tokens by the third-party API of SMS Gateway for Android, and what they reach."""

from typing import Any

import pytest

from tests.api.conftest import ORG, Web
from tests.api.dialects.smsgate.client import Client, basic

NUMBER = "+15553334444"


async def token(client: Client, *scopes: str, ttl: int = 3600) -> dict[str, Any]:
    reply = await client.call("POST", "/auth/token", {"ttl": ttl, "scopes": list(scopes)})
    assert reply.status == 201, reply.data
    found: dict[str, Any] = reply.json
    return found


def bearer(client: Client, text: str) -> Client:
    return Client(client.web, client.base, {"authorization": f"Bearer {text}"})


async def test_a_token_opens_what_it_was_given_for(client: Client) -> None:
    made = await token(client, "messages:send", "messages:read")
    assert made["expires_at"] == made["expiresAt"] == "2027-01-15T09:00:00.000Z"
    assert made["token_type"] == made["tokenType"] == "Bearer"
    assert made["access_token"] == made["accessToken"]
    assert made["refresh_token"] == made["refreshToken"]
    holder = bearer(client, made["access_token"])
    sent = await holder.sent(NUMBER)
    assert (await holder.call("GET", f"/messages/{sent['id']}")).status == 200
    for method, path in (
        ("GET", "/messages"),
        ("DELETE", f"/messages/{sent['id']}"),
        ("GET", "/devices"),
        ("GET", "/webhooks"),
        ("GET", "/inbox"),
        ("GET", "/settings"),
        ("DELETE", f"/auth/token/{made['id']}"),
    ):
        reply = await holder.call(method, path)
        assert (reply.status, set(reply.json)) == (403, {"message"}), path


async def test_a_token_with_every_scope_opens_all(client: Client) -> None:
    holder = bearer(client, (await token(client, "all:any"))["access_token"])
    for path in ("/messages", "/devices", "/webhooks", "/inbox", "/settings"):
        assert (await holder.call("GET", path)).status == 200, path


async def test_a_token_opens_nothing_else(web: Web) -> None:
    made = await token(Client(web), "all:any")
    headers = {"authorization": f"Bearer {made['access_token']}"}
    for path in (f"/phones/{ORG}", f"/messages/{ORG}/id/1", f"/keys/{ORG}"):
        assert (await web.call("GET", path, secret=None, headers=headers)).status == 401, path


async def test_a_token_is_renewed_once(client: Client) -> None:
    made = await token(client, "messages:send")
    renewing = bearer(client, made["refresh_token"])
    new = await renewing.call("POST", "/auth/token/refresh", {})
    assert new.status == 201
    await bearer(client, new.json["access_token"]).sent(NUMBER)
    again = await renewing.call("POST", "/auth/token/refresh", {})
    assert (again.status, set(again.json)) == (401, {"message"})
    assert (await renewing.send(NUMBER)).status == 401
    assert (await client.call("POST", "/auth/token/refresh", {})).status == 401


async def test_a_token_is_revoked(client: Client) -> None:
    made = await token(client, "messages:send")
    assert (await client.call("DELETE", f"/auth/token/{made['id']}")).status == 204
    assert (await client.call("DELETE", f"/auth/token/{made['id']}")).status == 404
    assert (await bearer(client, made["access_token"]).send(NUMBER)).status == 401


async def test_a_key_gives_no_more_than_it_has(web: Web) -> None:
    _, text = await web.services.accounts.keys.add(1, "app", ["send"])
    client = Client(web, headers=basic(ORG, text))
    await token(client, "messages:send")
    reply = await client.call("POST", "/auth/token", {"scopes": ["messages:list"]})
    assert (reply.status, set(reply.json)) == (403, {"message"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["messages:send"], "ttl": -1}, "ttl"),
    ],
)
async def test_what_is_wrong_is_named(web: Web, body: dict[str, Any], field: str) -> None:
    reply = await Client(web).call("POST", "/auth/token", body)
    assert (reply.status, list(reply.json["data"])) == (400, [field])


async def test_post_to_a_token_is_nothing(web: Web) -> None:
    assert (await Client(web).call("POST", "/auth/token/other", {})).status == 404
