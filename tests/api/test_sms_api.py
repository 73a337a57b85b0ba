"""`POST /sms/send`: its fixed words, and what stands beside them."""

from typing import Any

import pytest

from phonegate.domain.carrier import CarrierFault, CarrierRefusal, NotTaken
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import Message, PageQuery
from phonegate.model.phones import Sim
from tests.api.conftest import (
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.captured_logs import capture_logs

SENDER = "+1234567890"
SIM = Sim(slot=0, number="+15551112222")
GOOD = {"from_phone_number": SENDER, "to_phone_number": "+1555123456", "message": "Hello"}
FORM = "Use E.164 format (e.g., +1234567890)"


@pytest.fixture
async def key(web: Web) -> str:
    """An API key of an org with an assistant that sends from `SENDER`."""
    assistant = {
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": [SENDER],
        "credentials": {"api_key": "KEY0123456789"},
    }
    added = await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    assert added.status == 201, added.data
    made = await web.call("POST", f"/keys/{ORG}", {"name": "app"})
    return str(made.json["key"])


async def post(web: Web, key: str, body: Any = GOOD, **headers: str) -> Reply:
    sent = {
        "Authorization": f"Bearer {key}",
        **{n.replace("_", "-"): v for n, v in headers.items()},
    }
    return await web.call("POST", "/sms/send", body, secret=None, headers=sent)


async def stored(web: Web) -> list[Message]:
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    return await web.database.read(lambda tx: tx.messages.page(org.id, PageQuery()))


async def test_a_success_has_the_seed_s_four_keys(web: Web, key: str) -> None:
    reply = await post(web, key)
    (sent,) = web.carrier.taken
    assert (reply.status, reply.json) == (
        200,
        {
            "success": True,
            "message_id": f"SM{1:032}",
            "message": "SMS sent successfully via telnyx",
            "provider": "telnyx",
        },
    )
    assert (sent.sender, sent.recipient, sent.body) == (SENDER, "+1555123456", "Hello")
    (message,) = await stored(web)
    assert (message.carrier_id, message.provider) == (f"SM{1:032}", "telnyx")
    assert sent.callback_url is not None
    assert f"/callbacks/telnyx/{message.assistant}/" in sent.callback_url


@pytest.mark.parametrize("field", ["from_phone_number", "to_phone_number"])
@pytest.mark.parametrize(
    "value", ["(123) 456-7890", "123-456-7890", "1234567890", "+0123", "", "+", 5, True, [], "+1\n"]
)
async def test_a_wrong_number_is_refused_in_the_seed_s_words(
    web: Web, key: str, field: str, value: object
) -> None:
    reply = await post(web, key, {**GOOD, field: value})
    assert (reply.status, reply.json["detail"]) == (400, f"Invalid {field} format. {FORM}")
    assert (reply.json["code"], set(reply.fields)) == ("bad_input", {field})
    assert web.carrier.taken == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": ""}, "message"),
        ({"message": " \n "}, "message"),
        ({"message": "x" * 1601}, "message"),
        ({"message": None}, "message"),
        ({"media_urls": "https://e.com/a"}, "media_urls"),
        ({"media_urls": ["https://e.com/a"] * 11}, "media_urls"),
        ({"media_urls": ["https://e.com/a", "e.com/b"]}, "media_urls[1]"),
        ({"media_urls": ["ftp://e.com/a"]}, "media_urls[0]"),
        ({"media_urls": ["https://"]}, "media_urls[0]"),
        ({"media_urls": ["https://e.com:0/"]}, "media_urls[0]"),
        ({"media_urls": ["https://e.com:99999/"]}, "media_urls[0]"),
        ({"media_urls": ["https://e.com/a b"]}, "media_urls[0]"),
        ({"media_urls": ["https://user@/a"]}, "media_urls[0]"),
        ({"media_urls": ["https://[::1/a"]}, "media_urls[0]"),
        ({"media_urls": ["https://e.com/" + "x" * 2048]}, "media_urls[0]"),
        ({"media_urls": [None]}, "media_urls[0]"),
        ({"ttl": 0}, "ttl"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"send_at": NOW + 400 * 86_400_000}, "send_at"),
    ],
)
async def test_what_is_wrong_is_named(
    web: Web, key: str, change: dict[str, Any], field: str
) -> None:
    reply = await post(web, key, {**GOOD, **change})
    assert (reply.status, set(reply.fields)) == (400, {field})
    assert await stored(web) == []


@pytest.mark.parametrize("field", list(GOOD))
async def test_each_required_field_is_asked_for(web: Web, key: str, field: str) -> None:
    reply = await post(web, key, {name: GOOD[name] for name in GOOD if name != field})
    assert (reply.status, reply.fields) == (400, {field: "is required"})


async def test_the_longest_message_and_most_media_pass(web: Web, key: str) -> None:
    urls = [f"https://example.com:8443/{n}?a=b&c=%20#d" for n in range(9)]
    urls.append("HTTP://user:pass@[2001:db8::1]/picture")
    reply = await post(web, key, {**GOOD, "message": "x" * 1600, "media_urls": urls})
    assert reply.status == 200
    assert web.carrier.taken[0].media_urls == tuple(urls)
    reply = await post(web, key, {**GOOD, "media_urls": []})
    assert reply.status == 200
    assert (await stored(web))[1].media_urls is None


async def test_a_number_of_nobody_is_404_in_the_seed_s_words(web: Web, key: str) -> None:
    reply = await post(web, key, {**GOOD, "from_phone_number": "+19998887777"})
    assert (reply.status, reply.json["code"]) == (404, "not_found")
    assert reply.json["detail"] == "No assistant found for phone number +19998887777"


async def test_a_refusal_is_500_in_the_seed_s_words_and_says_more(web: Web, key: str) -> None:
    web.carrier.answers = [
        CarrierRefusal(CarrierFault(code="40300", text="Blocked due to STOP message"))
    ]
    with capture_logs() as lines:
        reply = await post(web, key)
    assert [one["code"] for one in lines if one["event"] == "request"] == ["provider_failed"]
    (message,) = await stored(web)
    assert (reply.status, reply.json) == (
        500,
        {
            "ok": False,
            "detail": "Failed to send SMS via telnyx",
            "code": "provider_failed",
            "provider": "telnyx",
            "provider_code": "40300",
            "reason": "40300: Blocked due to STOP message",
            "id": message.id,
        },
    )
    assert (message.status, message.error) == ("failed", "40300: Blocked due to STOP message")


async def test_a_busy_carrier_says_when_to_come_again(web: Web, key: str) -> None:
    web.carrier.answers = [NotTaken("too many", retry_after_s=61.2)]
    reply = await post(web, key)
    assert (reply.status, reply.headers["Retry-After"]) == (500, "62")


@pytest.mark.parametrize("bearer", ["YOUR_API_KEY", "", "pgk_nothing"])
async def test_without_a_right_key_it_is_401(web: Web, key: str, bearer: str) -> None:
    assert key
    reply = await post(web, bearer)
    assert (reply.status, reply.json["code"]) == (401, "unauthorized")


async def test_a_key_without_the_scope_is_403(web: Web, key: str) -> None:
    assert key
    made = await web.call("POST", f"/keys/{ORG}", {"name": "reader", "scopes": ["read"]})
    reply = await post(web, made.json["key"])
    assert (reply.status, reply.json["code"]) == (403, "forbidden")
    assert web.carrier.taken == []


async def test_a_repeat_under_a_key_gets_the_first_answer(web: Web, key: str) -> None:
    first = await post(web, key, Idempotency_Key="a")
    again = await post(web, key, Idempotency_Key='"a"')
    assert (again.status, again.data) == (first.status, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(web.carrier.taken) == 1
    changed = await post(web, key, {**GOOD, "message": "Other"}, Idempotency_Key="a")
    assert (changed.status, changed.json["code"]) == (422, "idempotency_key_reused")
    await post(web, key, Idempotency_Key="b")
    assert len(web.carrier.taken) == 2


async def test_a_failure_under_a_key_is_kept_too(web: Web, key: str) -> None:
    web.carrier.answers = [CarrierRefusal(CarrierFault(code="1", text="no"))]
    first = await post(web, key, Idempotency_Key="a")
    again = await post(web, key, Idempotency_Key="a")
    assert first.status == again.status == 500
    assert first.data == again.data
    assert web.carrier.taken == []


async def test_a_message_for_later_waits(web: Web, key: str) -> None:
    reply = await post(web, key, {**GOOD, "send_at": NOW + 60_000, "ttl": 60})
    (message,) = await stored(web)
    assert reply.json == {
        "success": True,
        "message_id": str(message.id),
        "message": "SMS accepted, waiting to be sent via telnyx",
        "provider": "telnyx",
    }
    assert (message.status, message.expires_at) == ("queued", NOW + 120_000)


async def test_a_sim_sends_by_its_phone(web: Web, key: str) -> None:
    def connect(tx: Any) -> int:
        phone = tx.phones.connect(tx.orgs.get(ORG).id, "device-1", NOW)
        return int(phone.id)

    phone = await web.database.write(connect)
    web.phones.phones.append(OnlinePhone(phone=phone, device_id="device-1", name=None, sims=(SIM,)))
    body = {**GOOD, "from_phone_number": SIM.number}
    reply = await post(web, key, body, Idempotency_Key="a")
    again = await post(web, key, body, Idempotency_Key="a")
    (message,) = await stored(web)
    assert reply.json == {
        "success": True,
        "message_id": str(message.id),
        "message": "SMS sent successfully via phone",
        "provider": "phone",
    }
    assert again.data == reply.data
    assert [pushed.id for pushed in web.phones.pushed] == [message.id]
    reply = await post(web, key, {**body, "media_urls": ["https://e.com/a"]})
    assert (reply.status, set(reply.fields)) == (400, {"media_urls"})


async def test_an_org_that_is_named_by_who_is_not_of_it_is_in_no_line(web: Web) -> None:
    with capture_logs() as lines:
        await web.call("POST", f"/sms/send?org_id={SECRET}", {}, secret="some-other-secret")
        await web.call("POST", f"/sms/send?org_id={ORG}", {})
    told = [line for line in lines if line["event"] == "request"]
    assert [line["query"] for line in told] == ["org_id=***", f"org_id={ORG}"]
