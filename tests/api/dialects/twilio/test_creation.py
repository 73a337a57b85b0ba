"""Sending by Twilio's API."""

from typing import Any

import pytest

from phonegate.domain.carrier import CarrierFault, CarrierRefusal
from phonegate.http import hmac_state
from phonegate.model.twilio_ids import account_sid, message_sid
from tests.api.conftest import NOW, ORG, SECRET, Web
from tests.api.dialects.twilio.calls import NUMBER, TO, basic, call, create, online

SERVICE = "MG" + "0" * 32

KEYS = [
    "body",
    "num_segments",
    "direction",
    "from",
    "to",
    "date_updated",
    "price",
    "error_message",
    "uri",
    "account_sid",
    "num_media",
    "status",
    "messaging_service_sid",
    "sid",
    "date_sent",
    "date_created",
    "error_code",
    "price_unit",
    "api_version",
    "subresource_uris",
]


@pytest.fixture
async def site(web: Web) -> Web:
    online(web)
    return web


async def test_a_message_is_sent_and_answered_in_twilios_words(site: Web) -> None:
    reply = await create(site, Body="Grüße 😀")
    assert (reply.status, reply.headers["content-type"]) == (201, "application/json")
    assert list(reply.json) == KEYS
    uri = f"/2010-04-01/Accounts/{account_sid(1)}/Messages/{message_sid(1)}"
    assert reply.json == {
        "body": "Grüße 😀",
        "num_segments": "1",
        "direction": "outbound-api",
        "from": NUMBER,
        "to": TO,
        "date_updated": "Fri, 15 Jan 2027 08:00:00 +0000",
        "price": None,
        "error_message": None,
        "uri": f"{uri}.json",
        "account_sid": account_sid(1),
        "num_media": "0",
        "status": "sending",
        "messaging_service_sid": None,
        "sid": message_sid(1),
        "date_sent": None,
        "date_created": "Fri, 15 Jan 2027 08:00:00 +0000",
        "error_code": None,
        "price_unit": "USD",
        "api_version": "2010-04-01",
        "subresource_uris": {"media": f"{uri}/Media.json", "feedback": f"{uri}/Feedback.json"},
    }
    assert [(one.address, one.body) for one in site.phones.pushed] == [(TO, "Grüße 😀")]


@pytest.mark.parametrize("named", [{"MessagingServiceSid": SERVICE}, {"From": SERVICE}])
async def test_a_messaging_service_is_any_sim(site: Web, named: dict[str, str]) -> None:
    form: dict[str, Any] = {"From": None, **named}
    reply = await create(site, **form)
    assert (reply.status, reply.json["messaging_service_sid"]) == (201, SERVICE)
    assert site.phones.pushed[0].sim_selector == ""


async def test_one_for_later_is_scheduled(site: Web) -> None:
    reply = await create(site, ScheduleType="fixed", SendAt="2027-01-15T09:00:00Z")
    assert (reply.status, reply.json["status"]) == (201, "scheduled")
    found = await call(site, "GET", f"Messages/{reply.json['sid']}.json")
    assert found.json["status"] == "scheduled"
    assert not site.phones.pushed


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"To": None}, 21604),
        ({"To": "hello"}, 21211),
        ({"To": "+1555 333 4444, +15553334445"}, 21211),
        ({"To": "whatsapp:+15553334444"}, 21211),
        ({"From": None}, 21603),
        ({"From": "+15550009999"}, 21606),
        ({"From": "whatsapp:+15551112222"}, 63007),
        ({"Body": None}, 21602),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"MediaUrl": "ftp://a/b"}, 21620),
        ({"StatusCallback": "nonsense"}, 21609),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ScheduleType": "fixed"}, 35111),
        ({"ScheduleType": "fixed", "SendAt": "2020-01-01T00:00:00Z"}, 35114),
        ({"ScheduleType": "fixed", "SendAt": "2027-01-15T08:00:00Z"}, 35114),
        ({"ContentSid": "HX" + "0" * 32}, 21655),
    ],
)
async def test_what_is_wrong_has_twilios_number(site: Web, form: dict[str, Any], code: int) -> None:
    reply = await create(site, **form)
    assert reply.json == {
        "code": code,
        "message": reply.json["message"],
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": 400,
    }
    assert reply.status == 400
    assert not site.phones.pushed


async def test_what_waits_for_approval_is_accepted(site: Web) -> None:
    body = {"name": "x", "scopes": ["send", "read"], "limits": {"hold": True}}
    key = (await site.call("POST", f"/keys/{ORG}", body)).json["key"]
    reply = await create(site, token=key)
    assert (reply.status, reply.json["status"]) == (201, "accepted")
    found = await call(site, "GET", f"Messages/{reply.json['sid']}.json")
    assert found.json["status"] == "accepted"
    assert not site.phones.pushed


async def test_the_limits_of_a_key_hold(site: Web) -> None:
    limits = {"to": ["+4915*"], "per_hour": 1}
    made = await site.call(
        "POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send"], "limits": limits}
    )
    key = made.json["key"]
    other = await create(site, token=key)
    assert (other.status, other.json["code"]) == (400, 21408)
    assert (await create(site, token=key, To="+491512345678")).status == 201
    spent = await create(site, token=key, To="+491512345678")
    assert (spent.status, spent.json["code"]) == (429, 20429)
    assert int(spent.headers["retry-after"]) > 0


async def test_who_is_not_known_is_told_so(site: Web) -> None:
    reply = await create(site, token="wrong-secret-123")
    assert (reply.status, reply.json["code"]) == (401, 20003)
    assert reply.headers["www-authenticate"].startswith("Basic")
    nobody = await site.call("GET", "/2010-04-01/Accounts.json", secret=None)
    assert (nobody.status, nobody.json["code"]) == (401, 20003)


async def test_what_the_gateway_lacks_of_twilio_says_so(site: Web) -> None:
    reply = await call(site, "POST", "Calls.json", {"To": "+15553334444"})
    assert (reply.status, reply.json["code"]) == (404, 20404)
    assert "This is a phonegate gateway" in reply.json["message"]
    assert "/docs" not in reply.json["message"]


async def test_an_account_of_another_is_not_there(site: Web) -> None:
    await site.make_org("other", "other-secret-123")
    for account in (account_sid(2), account_sid(99), "nonsense", "other"):
        reply = await call(site, "GET", "Messages.json", account=account)
        assert (reply.status, reply.json["code"]) == (404, 20404)
    assert (await call(site, "GET", "Messages.json", account=ORG)).status == 200


@pytest.mark.parametrize("user", [ORG, account_sid(1)])
async def test_the_secret_goes_with_either_name(site: Web, user: str) -> None:
    headers = {"Authorization": basic(user, SECRET)}
    reply = await site.call("GET", "/2010-04-01/Accounts.json", secret=None, headers=headers)
    assert [one["sid"] for one in reply.json["accounts"]] == [account_sid(1)]


async def test_a_callback_is_signed_by_the_token_of_the_request(site: Web) -> None:
    url = "http://192.168.1.5/cb?x=1"
    made = await site.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send"]})
    key = made.json["key"]
    assert (await create(site, token=key, StatusCallback=url)).status == 201
    stored = await site.database.read(lambda tx: tx.messages.find(1, 1))
    assert stored is not None
    assert stored.status_callback is not None
    assert stored.status_callback.url == url
    assert stored.status_callback.sign == hmac_state.state_of(key.encode())


async def test_a_secret_that_could_be_guessed_signs_nothing(site: Web) -> None:
    assert (await create(site, StatusCallback="http://192.168.1.5/cb")).status == 201
    stored = await site.database.read(lambda tx: tx.messages.find(1, 1))
    assert stored is not None
    assert stored.status_callback is not None
    assert stored.status_callback.sign is None


async def test_a_repeat_is_answered_with_its_text_which_is_not_kept(site: Web) -> None:
    headers = {
        "Authorization": basic(account_sid(1), SECRET),
        "Idempotency-Key": "k1",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    path = f"/2010-04-01/Accounts/{account_sid(1)}/Messages.json"
    raw = b"To=%2B15553334444&From=%2B15551112222&Body=quixotic"
    replies = [
        await site.call("POST", path, secret=None, headers=headers, raw=raw) for _ in range(2)
    ]
    assert [one.json["body"] for one in replies] == ["quixotic"] * 2
    assert replies[0].json == replies[1].json
    assert len(site.phones.pushed) == 1
    kept = await site.database.read(
        lambda tx: tx.messages._connection.execute("SELECT body FROM replies").fetchall()
    )
    assert kept
    assert b"quixotic" not in kept[0][0]


async def test_json_is_taken_too(site: Web) -> None:
    headers = {"Authorization": basic(account_sid(1), SECRET)}
    path = f"/2010-04-01/Accounts/{account_sid(1)}/Messages"
    body = {"To": TO, "MessagingServiceSid": SERVICE, "Body": "hi", "SmartEncoded": True}
    reply = await site.call("POST", path, body, secret=None, headers=headers)
    assert (reply.status, reply.json["body"]) == (201, "hi")


@pytest.fixture
async def carrier(site: Web) -> str:
    """The number of an assistant whose carrier takes messages."""
    number = "+15550000002"
    account = {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32}
    assistant = {"name": "a", "provider": "twilio", "credentials": account}
    made = await site.call(
        "POST", f"/assistants?org_id={ORG}", {**assistant, "phone_numbers": [number]}
    )
    assert made.status == 201
    return number


async def test_an_assistants_number_sends_by_its_carrier(site: Web, carrier: str) -> None:
    reply = await create(site, From=carrier, MediaUrl=["https://example.com/a.jpg"])
    assert (reply.status, reply.json["from"], reply.json["num_media"]) == (201, carrier, "1")
    (taken,) = site.carrier.taken
    assert (taken.recipient, taken.body) == (TO, "hello")
    assert not site.phones.pushed


async def test_what_a_carrier_refuses_is_refused_for_good(site: Web, carrier: str) -> None:
    faults = [CarrierFault(code=code, text="No.") for code in ("21610", None)]
    site.carrier.answers += [CarrierRefusal(fault) for fault in faults]
    reply = await create(site, From=carrier)
    assert (reply.status, reply.json["code"]) == (400, 21610)
    assert "No." in reply.json["message"]
    other = await create(site, From=carrier)
    assert (other.status, other.json["code"]) == (400, 21612)
    found = await call(site, "GET", f"Messages/{message_sid(1)}.json")
    assert (found.json["status"], found.json["error_code"]) == ("failed", 30008)


async def test_times_are_those_of_the_store(site: Web) -> None:
    await create(site)
    stored = await site.database.read(lambda tx: tx.messages.find(1, 1))
    assert stored is not None
    assert stored.created_at == NOW
