"""Webhooks by the third-party API of SMS Gateway for Android."""

from typing import Any

import pytest

from phonegate.model.webhooks import Webhook
from tests.api.conftest import ORG, Web
from tests.api.dialects.smsgate.client import Client, basic, online_phone

URL = "http://192.168.178.20:8123/api/webhook/abc"


async def webhooks(web: Web) -> list[Webhook]:
    return await web.services.webhooks.of_org(1)


async def test_a_webhook_is_made_listed_and_removed(client: Client) -> None:
    phone = await online_phone(client.web)
    wanted = {"id": "ha-1", "url": URL, "event": "sms:received", "deviceId": str(phone)}
    made = await client.call("POST", "/webhooks", wanted)
    assert (made.status, made.json) == (201, wanted)
    assert (await client.call("GET", "/webhooks")).json == [wanted]
    (stored,) = await webhooks(client.web)
    assert (stored.shape, stored.events, stored.phone) == (
        "smsgate",
        ("message.received",),
        phone,
    )
    assert (await client.call("DELETE", "/webhooks/ha-1")).status == 204
    assert (await client.call("DELETE", "/webhooks/ha-1")).status == 204
    assert (await client.call("GET", "/webhooks")).json == []


async def test_the_same_id_again_changes_it(client: Client) -> None:
    await client.call("POST", "/webhooks", {"id": "ha-1", "url": URL, "event": "sms:received"})
    (before,) = await webhooks(client.web)
    wanted = {"id": "ha-1", "url": f"{URL}d", "event": "sms:failed"}
    assert (await client.call("POST", "/webhooks", wanted)).json == wanted
    (after,) = await webhooks(client.web)
    assert (after.id, after.url, after.client_event) == (before.id, wanted["url"], "sms:failed")
    assert after.events == ("message.failed", "message.expired")


async def test_one_without_an_id_gets_one(client: Client) -> None:
    wanted = {"id": None, "url": URL, "event": "system:ping"}
    made = (await client.call("POST", "/webhooks", wanted)).json
    assert len(made["id"]) == 21
    assert (await client.call("DELETE", f"/webhooks/{made['id']}")).status == 204
    assert await webhooks(client.web) == []


async def test_all_have_one_key_which_outlives_them(web: Web) -> None:
    client, keys = Client(web), set()
    for n in range(2):
        body = {"id": f"ha-{n}", "url": URL, "event": "sms:received"}
        await client.call("POST", "/webhooks", body)
        keys |= {one.secret for one in await webhooks(web)}
        await client.call("DELETE", f"/webhooks/ha-{n}")
    assert keys == {(await client.call("GET", "/settings")).json["webhooks"]["signing_key"]}
    for n in range(2):
        body = {"id": f"ha-{n}", "url": URL, "event": "sms:received"}
        await client.call("POST", "/webhooks", body)
    await client.call("PATCH", "/settings", {"webhooks": {"signing_key": "my-own-key"}})
    assert [one.secret for one in await webhooks(web)] == ["my-own-key"] * 2
    first, _ = await webhooks(web)
    rotated = await web.call("POST", f"/webhooks/{ORG}/{first.id}/rotate")
    assert [one.secret for one in await webhooks(web)] == [rotated.json["secret"]] * 2


async def test_those_of_the_gateways_own_api(web: Web) -> None:
    client = Client(web)
    for shape in ("smsgate", "standard"):
        body = {"url": URL, "events": ["message.sent"], "shape": shape}
        assert (await web.call("POST", f"/webhooks/{ORG}", body)).status == 201
    (shown,) = (await client.call("GET", "/webhooks")).json
    assert shown == {"id": "1", "url": URL, "event": "sms:sent"}
    for id_ in ("1", "2"):
        assert (await client.call("DELETE", f"/webhooks/{id_}")).status == 204
    assert [one.id for one in await webhooks(web)] == [2], "only one of its own shape"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": URL}, "event"),
        ({"url": URL, "event": "sms:lost"}, "event"),
        ({"url": "ftp://x", "event": "sms:sent"}, "url"),
        ({"url": "http://169.254.169.254/", "event": "sms:sent"}, "url"),
        ({"url": URL, "event": "sms:sent", "deviceId": "77"}, "deviceId"),
        ({"url": URL, "event": "sms:sent", "id": "x" * 37}, "id"),
    ],
)
async def test_what_is_wrong_is_named(web: Web, body: dict[str, Any], field: str) -> None:
    reply = await Client(web).call("POST", "/webhooks", body)
    assert (reply.status, list(reply.json["data"])) == (400, [field])
    assert await webhooks(web) == []


async def test_a_key_that_only_sends_makes_none(web: Web) -> None:
    _, text = await web.services.accounts.keys.add(1, "app", ["send"])
    client = Client(web, headers=basic(ORG, text))
    body = {"url": URL, "event": "sms:received"}
    assert (await client.call("POST", "/webhooks", body)).status == 403
