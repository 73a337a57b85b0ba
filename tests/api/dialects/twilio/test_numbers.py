"""Numbers, and what is called for them, by Twilio's API."""

import pytest

from phonegate.http import hmac_state
from phonegate.model.twilio_ids import number_sid
from phonegate.model.webhooks import Webhook
from tests.api.conftest import ORG, Reply, Web
from tests.api.dialects.twilio.calls import NUMBER, call, online

URL = "http://192.168.1.5/sms?a=1"
OTHER = "+15550000002"
ASSISTANT = {
    "name": "support",
    "provider": "twilio",
    "phone_numbers": [OTHER],
    "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32},
}


@pytest.fixture
async def site(web: Web) -> Web:
    online(web)
    return web


async def hooks(web: Web) -> list[Webhook]:
    return await web.services.webhooks.of_org(1)


async def update(web: Web, **form: str) -> Reply:
    path = f"IncomingPhoneNumbers/{number_sid(1, NUMBER)}.json"
    return await call(web, "POST", path, form)


async def test_numbers_are_those_of_sims_and_assistants(site: Web) -> None:
    assert (await site.call("POST", f"/assistants?org_id={ORG}", ASSISTANT)).status == 201
    reply = await call(site, "GET", "IncomingPhoneNumbers.json")
    found = reply.json["incoming_phone_numbers"]
    assert [one["phone_number"] for one in found] == [OTHER, NUMBER]
    assert [one["friendly_name"] for one in found] == ["support", "desk"]
    assert [one["capabilities"]["mms"] for one in found] == [True, False]
    for one in found:
        alone = await call(site, "GET", one["uri"])
        assert alone.json == one
    pages = await call(site, "GET", "IncomingPhoneNumbers.json?PageSize=1")
    assert len(pages.json["incoming_phone_numbers"]) == 1
    following = await call(site, "GET", pages.json["next_page_uri"])
    assert following.json["incoming_phone_numbers"] == found[1:]
    assert following.json["next_page_uri"] is None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("PhoneNumber=%2B15551112222", 1),
        ("PhoneNumber=1112222", 1),
        ("PhoneNumber=%2B15559", 0),
        ("FriendlyName=desk", 1),
        ("FriendlyName=other", 0),
    ],
)
async def test_a_number_is_found(site: Web, query: str, count: int) -> None:
    reply = await call(site, "GET", f"IncomingPhoneNumbers.json?{query}")
    assert len(reply.json["incoming_phone_numbers"]) == count


async def test_an_address_for_received_messages_is_a_webhook(site: Web) -> None:
    made = await site.call("POST", f"/keys/{ORG}", {"name": "x"})
    key = made.json["key"]
    path = f"IncomingPhoneNumbers/{number_sid(1, NUMBER)}.json"
    reply = await call(site, "POST", path, {"SmsUrl": URL}, token=key)
    assert (reply.status, reply.json["sms_url"], reply.json["sms_method"]) == (200, URL, "POST")
    (hook,) = await hooks(site)
    assert (hook.shape, hook.sim, hook.events) == ("twilio", NUMBER, ("message.received",))
    assert hook.signing_state == hmac_state.state_of(key.encode())
    changed = await update(site, SmsUrl="http://192.168.1.5/other", SmsMethod="GET")
    assert (changed.json["sms_url"], changed.json["sms_method"]) == (
        "http://192.168.1.5/other",
        "GET",
    )
    assert [one.id for one in await hooks(site)] == [hook.id]
    # What is not named stays.
    assert (await update(site, FriendlyName="x")).json["sms_url"] == "http://192.168.1.5/other"
    assert (await update(site, SmsUrl="")).json["sms_url"] == ""
    assert await hooks(site) == []
    assert (await update(site, SmsUrl="")).status == 200


async def test_a_disabled_one_is_called_again(site: Web) -> None:
    await update(site, SmsUrl=URL)
    (hook,) = await hooks(site)
    await site.database.write(
        lambda tx: tx.webhooks.set(hook.id, disabled_at=1, disabled_reason="It failed.")
    )
    await update(site, SmsUrl=URL)
    assert [one.disabled_at for one in await hooks(site)] == [None]


async def test_an_address_for_states_is_another(site: Web) -> None:
    both = await update(site, SmsUrl=URL, StatusCallback="http://192.168.1.5/states")
    assert both.json["status_callback"] == "http://192.168.1.5/states"
    received, reported = await hooks(site)
    assert "message.delivered" in reported.events
    assert "message.received" not in reported.events
    await update(site, StatusCallback="")
    assert [one.id for one in await hooks(site)] == [received.id]


async def test_one_that_was_made_otherwise_is_shown(site: Web) -> None:
    body = {"url": URL, "events": ["message.received"], "sim": NUMBER, "shape": "twilio"}
    assert (await site.call("POST", f"/webhooks/{ORG}", body)).status == 201
    body |= {"url": f"{URL}/states", "events": ["message.delivered"]}
    assert (await site.call("POST", f"/webhooks/{ORG}", body)).status == 201
    reply = await call(site, "GET", "IncomingPhoneNumbers.json")
    (shown,) = reply.json["incoming_phone_numbers"]
    assert (shown["sms_url"], shown["status_callback"]) == (URL, f"{URL}/states")


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"SmsUrl": "nonsense"}, 21402),
        ({"SmsUrl": "http://127.0.0.1/x"}, 21402),
        ({"SmsUrl": URL, "SmsMethod": "PUT"}, 21403),
        ({"StatusCallback": "nonsense"}, 21609),
        ({"SmsUrl": f"http://a/{'x' * 4000}"}, 21402),
        ({"SmsUrl": URL, "StatusCallback": "http://127.0.0.1/x"}, 21609),
    ],
)
async def test_a_wrong_address_is_refused(site: Web, form: dict[str, str], code: int) -> None:
    reply = await update(site, **form)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert await hooks(site) == []


async def test_it_needs_a_manager_and_a_number(site: Web) -> None:
    made = await site.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send", "read"]})
    path = f"IncomingPhoneNumbers/{number_sid(1, NUMBER)}.json"
    reply = await call(site, "POST", path, {"SmsUrl": URL}, token=made.json["key"])
    assert (reply.status, reply.json["code"]) == (403, 20006)
    for method in ("GET", "POST"):
        missing = await call(site, method, f"IncomingPhoneNumbers/{number_sid(2, NUMBER)}.json")
        assert (missing.status, missing.json["code"]) == (404, 20404)


async def test_addresses_are_shown_to_those_who_may_manage(site: Web) -> None:
    """They often have a secret in them."""
    await update(site, SmsUrl=URL, StatusCallback=URL)
    made = await site.call("POST", f"/keys/{ORG}", {"name": "n", "scopes": ["read"]})
    reader = made.json["key"]
    shown = await call(site, "GET", "IncomingPhoneNumbers.json", token=reader)
    [one] = shown.json["incoming_phone_numbers"]
    assert (one["sms_url"], one["status_callback"]) == ("", "")
    alone = await call(site, "GET", one["uri"], token=reader)
    assert alone.json["sms_url"] == ""
    own = await call(site, "GET", one["uri"])
    assert (own.json["sms_url"], own.json["status_callback"]) == (URL, URL)
