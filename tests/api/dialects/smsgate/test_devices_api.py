"""Phones, health and settings by the third-party API of SMS Gateway for Android."""

import pytest

from phonegate.domain.managed_phones import Signs
from phonegate.model.phones import Health
from tests.api.conftest import ORG, Web
from tests.api.dialects.smsgate.client import BASE, Client, basic, online_phone


async def test_devices(client: Client) -> None:
    phone = await online_phone(client.web)
    for path in ("/devices", "/device"):
        (shown,) = (await client.call("GET", path)).json
        assert shown == {
            "id": str(phone),
            "name": f"phone {phone}",
            "createdAt": "2027-01-15T07:59:00.000Z",
            "updatedAt": "2027-01-15T07:59:00.000Z",
            "lastSeen": "2027-01-15T07:59:00.000Z",
            "simCards": [{"slotIndex": 0, "simNumber": 1, "phoneNumber": "+15551112222"}],
        }


async def test_a_device_is_forgotten(client: Client) -> None:
    phone = await online_phone(client.web)
    assert (await client.call("DELETE", f"/devices/{phone}")).status == 204
    assert client.web.phones.expelled == [phone]
    for id_ in (phone, "x", "0", "9" * 30):
        reply = await client.call("DELETE", f"/devices/{id_}")
        assert (reply.status, set(reply.json)) == (404, {"message"})


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/startup"])
async def test_health_needs_no_credential_below_a_base(web: Web, path: str) -> None:
    reply = await web.call("GET", f"{BASE}{path}", secret=None)
    assert reply.status == 200
    assert reply.json["status"] == "pass"
    assert list(reply.json["checks"]) == ["messages:gateway"]


async def test_health_at_the_root_is_that_of_the_app(web: Web) -> None:
    phone = await online_phone(web)
    web.phones.known_signs[phone] = Signs(heard_s=1, health=Health(battery=17, charging=True))
    shown = (await Client(web, base="").call("GET", "/health")).json
    version = tuple(map(int, shown["version"].split(".")))
    assert version >= (1, 74, 1)
    assert shown["status"] == "pass"
    assert {
        name: (one["status"], one["observedValue"]) for name, one in shown["checks"].items()
    } == {
        "messages:gateway": ("pass", 1),
        "connection:status": ("pass", 1),
        "battery:level": ("warn", 17),
        "battery:charging": ("pass", 3),
    }
    own = await web.call("GET", "/health", secret=None)
    assert set(own.json) == {"ok", "version", "uptime_s"}
    wrong = await web.call("GET", "/health", secret=None, headers=basic(ORG, "wrong-secret-123"))
    assert (wrong.status, set(wrong.json)) == (401, {"message"})


async def test_the_key_that_signs_is_shown_and_set(client: Client) -> None:
    first = (await client.call("GET", "/settings")).json
    assert (await client.call("GET", "/settings")).json == first
    assert len(first["webhooks"]["signing_key"]) >= 32
    wanted = {"webhooks": {"signing_key": "my-own-signing-key"}}
    for method in ("PATCH", "PUT"):
        reply = await client.call(method, "/settings", wanted)
        assert (reply.status, reply.json) == (200, wanted)
    assert (await client.call("GET", "/settings")).json == wanted
    other = await client.call("PATCH", "/settings", {"messages": {"limit_value": 5}})
    assert (other.status, set(other.json)) == (501, {"message"})
    short = await client.call("PATCH", "/settings", {"webhooks": {"signing_key": "short"}})
    assert (short.status, set(short.json["data"])) == (400, {"webhooks.signing_key"})


async def test_there_are_no_logs(client: Client) -> None:
    reply = await client.call("GET", "/logs?from=2027-01-01T00:00:00Z")
    assert (reply.status, set(reply.json)) == (501, {"message"})


async def test_errors_below_a_base_are_in_its_words(web: Web) -> None:
    for path, status in (("/none", 404), ("/messages", 401)):
        reply = await web.call("GET", f"{BASE}{path}", secret=None)
        assert (reply.status, set(reply.json)) == (status, {"message"})
    assert reply.headers["www-authenticate"].startswith("Basic")
    reply = await Client(web).call("PUT", "/messages", {})
    assert (reply.status, set(reply.json)) == (405, {"message"})
