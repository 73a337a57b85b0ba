"""The generic API over the whole web: what it sends, for whom, and what it answers."""

import base64
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from phonegate.domain.carrier import (
    CarrierError,
    CarrierFault,
    CarrierMessage,
    CarrierRefusal,
)
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import PageQuery
from phonegate.model.phones import Sim
from tests.api.conftest import NOW, ORG, SECRET, Reply, Web
from tests.api.dialects.generic.senders import (
    CARRIER,
    OTHER,
    TO,
    make_key,
    stored,
    stored_whole,
    with_carrier,
)
from tests.captured_logs import capture_logs

TEXT = "Backup of db-1 failed"
GOOD = {"to": TO, "text": TEXT}
LINK = f"/sms?{urlencode(GOOD)}"
PRIVATE = (TEXT, TO, TO[1:], SECRET)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def post(web: Web, body: Any = GOOD, path: str = "/sms", **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await web.call("POST", path, body, secret=None, headers={**basic(ORG, SECRET), **sent})


# --- Who may send, and by which way


async def test_a_link_sends_for_a_key_that_can_do_no_more(web: Web) -> None:
    key = await make_key(web, "send")
    ways: list[tuple[str, dict[str, str]]] = [
        (f"{LINK}&key={key}", {}),
        (f"{LINK}&TOKEN={key}", {}),
        (f"{LINK}&access_token={key}", {}),
        (f"{LINK}&user=any&password={key}", {}),
        (f"{LINK}&u=any&h={key}", {}),
        (LINK, {"X-API-Key": key}),
        (LINK, {"Authorization": f"Bearer {key}"}),
        (LINK, basic("any", key)),
        (LINK, basic(key, "")),
    ]
    for path, headers in ways:
        reply = await web.call("GET", path, secret=None, headers=headers)
        assert reply.status == 200, (path, headers, reply.data)
    assert await stored(web) == [(TO, TEXT)] * len(ways)


async def test_a_link_sends_for_no_one_else(web: Web) -> None:
    wide = await make_key(web, "send", "read")
    for path, headers in (
        (f"{LINK}&key={wide}", {}),
        (LINK, {"X-API-Key": wide}),
        (LINK, basic(ORG, SECRET)),
        (f"{LINK}&user={ORG}&password={SECRET}", {}),
        (LINK, {"X-Secret-Key": SECRET}),
    ):
        reply = await web.call("GET", path, secret=None, headers=headers)
        assert reply.status in (401, 403), (path, headers)
        assert reply.json["status"] == "failed"
    assert await stored(web) == []


@pytest.mark.parametrize("name", ["key", "api-key", "Api_Key", "secretKey", "pass"])
async def test_nor_does_a_secret_in_the_address_of_a_post(web: Web, name: str) -> None:
    wide = await make_key(web, "send", "read")
    for query in ({name: wide}, {"user": ORG, name: SECRET}):
        path = f"/sms?{urlencode(query)}"
        reply = await web.call("POST", path, GOOD, secret=None)
        assert reply.status in (401, 403)
    # In the body it is nobody's to see.
    reply = await web.call("POST", "/sms", {**GOOD, "user": ORG, name: SECRET}, secret=None)
    assert reply.status == 200
    assert await stored(web) == [(TO, TEXT)]


async def test_a_key_needs_the_scope_send(web: Web) -> None:
    key = await make_key(web, "read")
    reply = await web.call("POST", "/sms", GOOD, secret=None, headers={"X-API-Key": key})
    assert (reply.status, reply.json["code"]) == (403, "forbidden")
    assert await stored(web) == []


async def test_a_limited_key_is_as_limited_here(web: Web) -> None:
    limits = {"to": ["+1555333*"], "per_hour": 1}
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "n", "scopes": ["send"], "limits": limits}
    )
    key = {"X-API-Key": made.json["key"]}
    reply = await web.call("GET", f"/sms?to={OTHER[1:]}&text=x", secret=None, headers=key)
    assert (reply.status, reply.json["code"]) == (403, "recipient_not_allowed")
    assert [error["field"] for error in reply.json["errors"]] == ["to"]
    assert (await web.call("GET", LINK, secret=None, headers=key)).status == 200
    reply = await web.call("GET", LINK, secret=None, headers=key)
    assert (reply.status, reply.json["code"]) == (429, "key_limit_reached")
    assert reply.json["limit"] == "per_hour"
    assert reply.headers["Retry-After"]


async def test_a_head_never_sends(web: Web) -> None:
    key = await make_key(web, "send")
    reply = await web.call("HEAD", f"{LINK}&key={key}", secret=None)
    assert (reply.status, reply.data) == (405, b"")
    assert "HEAD" not in reply.headers["Allow"]
    assert await stored(web) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Purpose": "preview"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
async def test_a_browser_that_looks_ahead_sends_nothing(web: Web, headers: dict[str, str]) -> None:
    key = await make_key(web, "send")
    reply = await web.call("GET", f"{LINK}&key={key}", secret=None, headers=headers)
    assert reply.status == 403
    assert await stored(web) == []


async def test_a_page_of_another_site_sends_nothing(web: Web) -> None:
    key = await make_key(web, "send")
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for headers in (image, link, {"Origin": "https://evil.example"}):
        reply = await web.call("GET", f"{LINK}&key={key}", secret=None, headers=headers)
        assert (reply.status, reply.json["code"]) == (403, "foreign_page")
    assert await stored(web) == []


# --- What is sent


async def test_each_recipient_gets_one(web: Web) -> None:
    numbers = f"{TO}, 0015552223333;(1) 555 333-4444,+1 (555) 222 3333 , 12345"
    reply = await post(web, {"phone": numbers, "msg": TEXT})
    assert reply.status == 200
    assert await stored(web) == [(TO, TEXT), (OTHER, TEXT), ("12345", TEXT)]
    assert reply.json["ids"] == [one["id"] for one in reply.json["results"]]
    assert reply.json["id"] == reply.json["ids"][0]
    assert [one["to"] for one in reply.json["results"]] == [TO, OTHER, "12345"]


async def test_a_number_without_a_country_is_one_of_the_org_s(web: Web) -> None:
    national = {"mobile": "0171 5550123", "text": TEXT}
    reply = await post(web, national)
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "to")
    await web.services.org_options.set(1, default_country="DE")
    assert (await post(web, national)).status == 200
    assert (await post(web, path="/sms?to=+15553334444&text=x")).status == 200
    assert [to for to, _ in await stored(web)] == ["+491715550123", TO]


async def test_what_stands_beside_the_text_counts(web: Web) -> None:
    web.phones.full = True
    sim = Sim(slot=1, number="+15551112222")
    web.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(sim,)))
    extras = {"sim": "1", "ttl": "60", "send_at": str(NOW + 60_000), "priority": "high"}
    assert (await post(web, {**GOOD, **extras})).status == 200
    assert (await post(web, path=f"/sms?{urlencode(extras)}")).status == 200
    found = await web.database.read(lambda tx: tx.messages.page(1, PageQuery()))
    assert len(found) == 2
    for message in found:
        assert (message.sim_selector, message.priority) == ("1", 1)
        assert (message.held_until, message.expires_at) == (NOW + 60_000, NOW + 120_000)


async def test_a_sender_that_is_a_name_leaves_the_choice(web: Web) -> None:
    assert (await post(web, {**GOOD, "from": "Alarms"})).status == 200
    reply = await post(web, {**GOOD, "from": "+15559990000"})
    assert (reply.status, reply.json["code"]) == (404, "unknown_sim")
    assert await stored(web) == [(TO, TEXT)]


async def test_a_title_stands_before_the_text(web: Web) -> None:
    await post(web, {"to": TO, "title": " Disk ", "message": "full"})
    await post(web, {"to": TO, "subject": "Disk full"})
    assert await stored(web) == [(TO, "Disk\nfull"), (TO, "Disk full")]


async def test_a_long_text_is_sent_in_parts(web: Web) -> None:
    assert (await post(web, {"to": TO, "text": "x" * 39_015})).status == 200
    reply = await post(web, {"to": TO, "text": "x" * 39_016})
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "text")


async def test_a_key_makes_a_repeat_harmless_and_a_client_s_own_id_does_not(web: Web) -> None:
    first = await post(web, Idempotency_Key="a")
    again = await post(web, Idempotency_Key="a")
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Content-Type"] == "application/json"
    other = await post(web, {**GOOD, "text": "another"}, Idempotency_Key="a")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert await stored(web) == [(TO, TEXT)]
    text = await post(web, Idempotency_Key="b", Accept="text/plain")
    again = await post(web, Idempotency_Key="b", Accept="text/plain")
    assert again.data == text.data
    assert again.headers["Content-Type"].startswith("text/plain")
    for _ in range(2):
        await post(web, {**GOOD, "id": "7", "oid": "7"})
    assert len(await stored(web)) == 4


# --- What is answered


async def test_an_answer_is_json_or_a_line_of_text(web: Web) -> None:
    reply = await post(web)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json == {
        "ok": True,
        "status": "queued",
        "id": 1,
        "ids": [1],
        "results": [{"id": 1, "to": TO, "status": "queued"}],
        "message": "OK",
    }
    for n, reply in enumerate(
        (
            await post(web, path="/sms?responsetype=text"),
            await post(web, {**GOOD, "format": "text"}),
            await post(web, Accept="text/plain"),
        ),
        2,
    ):
        assert reply.data == f"OK; ID={n}".encode()
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    reply = await post(web, {"to": [TO, OTHER], "text": "x"}, Accept="text/plain, */*")
    assert reply.data == b"OK; ID=5,6"


async def test_what_waits_for_approval_says_so(web: Web) -> None:
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "n", "scopes": ["send"], "limits": {"hold": True}}
    )
    reply = await web.call(
        "POST", "/sms", GOOD, secret=None, headers={"X-API-Key": made.json["key"]}
    )
    assert reply.json["results"] == [
        {"id": 1, "to": TO, "status": "queued", "waiting_for": "approval"}
    ]
    assert (await stored_whole(web))[0]["waiting_for"] == "approval"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"text": "x"}, ["to"]),
        ({}, ["to", "text"]),
        ({"recipent": TO, "mesage": "x"}, ["to", "text"]),
        ({"to": TO}, ["text"]),
        ({"to": TO, "text": " "}, ["text"]),
        ({"to": ["hello", TO, "+0"], "text": "x"}, ["to", "to"]),
        ({"to": TO, "text": "x", "ttl": 0}, ["ttl"]),
        ({"to": TO, "text": "x", "ttl": "5m", "send_at": "tomorrow"}, ["ttl", "send_at"]),
        ({"to": TO, "text": "x", "priority": "urgent"}, ["priority"]),
        (
            {"to": TO, "text": "x", "media_urls": ["ftp://a", "b"]},
            ["media_urls[0]", "media_urls[1]"],
        ),
        ({"to": TO, "text": "a\0b"}, ["text"]),
        ({"to": None, "text": {}}, ["text"]),
    ],
)
async def test_every_wrong_field_is_named_and_nothing_is_sent(
    web: Web, body: dict[str, Any], fields: list[str]
) -> None:
    reply = await post(web, body)
    assert reply.status == 400
    assert (reply.json["ok"], reply.json["status"]) == (False, "failed")
    assert (reply.json["code"], bool(reply.json["error"])) == ("bad_input", True)
    assert [error["field"] for error in reply.json["errors"]] == fields
    text = await post(web, body, Accept="text/plain")
    assert (text.status, text.data) == (400, f"ERROR: {reply.json['error']}".encode())
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert await stored(web) == []


@pytest.mark.parametrize(
    ("method", "headers", "raw", "status", "code"),
    [
        ("POST", basic(ORG, "wrong-secret-key"), b"to=1&text=x", 401, "unauthorized"),
        ("POST", basic("", SECRET), b"to=1&text=x", 401, "unauthorized"),
        ("POST", {}, b"to=1&text=x", 401, "unauthorized"),
        ("DELETE", {}, None, 405, "method_not_allowed"),
        ("POST", basic(ORG, SECRET), b"x" * 100_001, 413, "too_large"),
        (
            "POST",
            {**basic(ORG, SECRET), "Content-Type": "application/xml"},
            b"<sms/>",
            415,
            "unsupported_media_type",
        ),
        (
            "POST",
            {**basic(ORG, SECRET), "Content-Type": "application/json"},
            b'{"to":"1","text":"say "hi""}',
            400,
            "bad_input",
        ),
    ],
)
async def test_errors_have_one_form(
    web: Web, method: str, headers: dict[str, str], raw: bytes | None, status: int, code: str
) -> None:
    sent = {**FORM, **headers}
    reply = await web.call(method, "/sms", secret=None, headers=sent, raw=raw)
    assert (reply.status, reply.json["code"]) == (status, code)
    if status != 405:
        assert reply.json.keys() >= {"ok", "status", "error", "code"}
        assert (reply.json["ok"], reply.json["status"]) == (False, "failed")
        reply = await web.call(method, "/sms?format=text", secret=None, headers=sent, raw=raw)
        assert reply.data.startswith(b"ERROR: ")
    assert b"OK" not in reply.data
    assert await stored(web) == []


async def test_an_unknown_caller_learns_how_to_authenticate(web: Web) -> None:
    reply = await web.call("GET", LINK, secret=None)
    assert reply.headers["WWW-Authenticate"].startswith("Basic ")


def no_credit(times: int = 1) -> list[CarrierError | CarrierMessage]:
    return [CarrierRefusal(CarrierFault(code="1", text="no credit")) for _ in range(times)]


async def test_a_carrier_s_refusal_is_an_error(web: Web) -> None:
    await with_carrier(web)
    taken = await post(web, {**GOOD, "from": CARRIER})
    assert (taken.status, taken.json["ok"]) == (200, True)
    assert web.carrier.taken[0].body == TEXT
    web.carrier.answers = no_credit()
    reply = await post(web, {**GOOD, "from": "+1 (234) 567-890"})
    assert (reply.status, reply.json["status"]) == (500, "failed")
    assert reply.json["code"] == "provider_failed"
    assert "no credit" in reply.json["error"]
    for more in ({"format": "text"}, {}):
        web.carrier.answers = no_credit()
        reply = await post(web, {**GOOD, "from": CARRIER, **more}, Accept="text/plain")
        assert (reply.status, reply.data.startswith(b"ERROR: ")) == (500, True)
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_of_several_at_a_carrier_each_has_its_outcome(web: Web) -> None:
    await with_carrier(web)
    both = {"to": [TO, OTHER], "text": TEXT, "from": CARRIER}
    web.carrier.answers = no_credit()
    reply = await post(web, both)
    assert reply.status == 200
    assert [one["status"] == "failed" for one in reply.json["results"]] == [True, False]
    assert reply.json["id"] == reply.json["results"][1]["id"]
    assert reply.json["status"] != "failed"
    web.carrier.answers = no_credit()
    line = (await post(web, both, Accept="text/plain")).data.decode()
    assert line.startswith("OK; ID=")
    assert line.endswith("; FAILED=1")
    web.carrier.answers = no_credit(2)
    reply = await post(web, both)
    assert (reply.status, reply.json["ok"], reply.json["code"]) == (500, False, "provider_failed")
    web.carrier.answers = no_credit(2)
    assert (await post(web, both, Accept="text/plain")).data.startswith(b"ERROR: ")


# --- What is never shown


async def test_no_secret_no_number_and_no_text_reaches_log_or_error(web: Web) -> None:
    key = await make_key(web, "send")
    with capture_logs() as events:
        await web.call("GET", f"{LINK}&key={key}", secret=None)
        await web.call("GET", f"{LINK}&key=pgk_{SECRET}", secret=None)
        await web.call("GET", f"/sms?to=a{quote(TEXT)}&text={quote(TEXT)}&h={key}", secret=None)
        await web.call("POST", f"/sms?user={ORG}&pass={SECRET}", GOOD, secret=None)
        await post(web, {"to": TEXT, "text": {TEXT: SECRET}})
        for body in (f'{{"to":"{TO}","text":"{TEXT}" {SECRET}"}}', f'{{"{TEXT}'):
            reply = await web.call(
                "POST", "/sms", secret=None, headers=basic(ORG, SECRET), raw=body.encode()
            )
            assert reply.status == 400
            assert not any(one in reply.data.decode() for one in PRIVATE)
    assert [event["status"] for event in events if event["event"] == "request"] == [
        200,
        401,
        400,
        403,
        400,
        400,
        400,
    ]
    shown = repr(events)
    assert not [one for one in (*PRIVATE, quote(TEXT), quote(TO), key) if one in shown]
