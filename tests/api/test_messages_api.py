"""The public routes, by the letter of their page."""

import json
import threading
from typing import Any

import pytest
import trio
import trio.testing

from phonegate.api import messages_examples
from phonegate.api.endpoint import Example
from phonegate.api.message_text import rows_text
from phonegate.api.messages_types import CancelAnswer
from phonegate.api.openapi.schema import schema_of
from phonegate.domain import delivery
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import PageQuery
from phonegate.model.phones import Kind, Sim
from phonegate.model.principal import Principal
from tests.api.conftest import (
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.captured_logs import capture_logs
from tests.json_schema import validator
from tests.patience import PATIENCE_S

SIM = Sim(slot=0, number="+15551112222", carrier="AT&T")
SMS = {"address": "+15551112222", "body": "hello", "date": 1700000000000, "sim_slot": 0}
YEAR_MS = 365 * 24 * 3_600_000


async def connect(web: Web, *sims: Sim) -> int:
    """A phone with these SIMs, known to the store and online."""
    org = await org_id(web)
    stored = await web.database.write(lambda tx: tx.phones.connect(org, "device-1", NOW))
    await web.database.write(lambda tx: tx.phones.report_sims(org, stored.id, sims, NOW))
    web.phones.phones.append(
        OnlinePhone(phone=stored.id, device_id="device-1", name=None, sims=sims)
    )
    return stored.id


async def org_id(web: Web) -> int:
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    return org.id


async def stored(web: Web) -> int:
    """How many messages the org has."""
    org = await org_id(web)
    return len(await web.database.read(lambda tx: tx.messages.page(org, PageQuery(limit=1000))))


async def run(web: Web, method: str, example: Example) -> Reply:
    raw = None if example.body is None else example.body.encode()
    return await web.call(method, example.path, raw=raw, headers=dict(example.headers), secret=None)


def webhook(**changes: Any) -> dict[str, Any]:
    return {"org_id": ORG, "secret_key": SECRET, "messages": [SMS], **changes}


async def test_the_page_s_webhook_works_as_printed_and_creates_its_org(web: Web) -> None:
    (example,) = messages_examples.WEBHOOK
    reply = await run(web, "POST", example)
    assert (reply.status, reply.data.decode()) == (200, example.answer)


async def test_a_push_to_an_unknown_org_creates_it(web: Web) -> None:
    body = webhook(org_id="new-org", secret_key="another-secret-9")
    reply = await web.call("POST", "/webhook", body, secret=None)
    assert reply.json == {"ok": True, "org_id": "new-org", "stored": 1}
    reply = await web.call("GET", "/messages/new-org/another-secret-9", secret=None)
    assert reply.json["count"] == 1


async def test_a_refused_push_creates_no_org(web: Web) -> None:
    body = webhook(org_id="new-org", messages=[{"address": 5}])
    assert (await web.call("POST", "/webhook", body, secret=None)).status == 400
    assert await web.database.read(lambda tx: tx.orgs.get("new-org")) is None


async def test_a_repeated_push_is_stored_once(web: Web) -> None:
    await web.call("POST", "/webhook", webhook())
    reply = await web.call("POST", "/webhook", webhook())
    assert reply.json == {"ok": True, "org_id": ORG, "stored": 0, "duplicates": 1}
    assert await stored(web) == 1


async def test_a_push_keeps_every_field(web: Web) -> None:
    sms = {**SMS, "id": 77, "sim": "+15550001111", "extra": {"ignored": [1]}, "body": "é😀\n"}
    await web.call("POST", "/webhook", webhook(messages=[sms], device_id="d"))
    (shown,) = (await web.call("GET", f"/messages/{ORG}")).json["messages"]
    assert shown == {
        "id": shown["id"],
        "direction": "in",
        "address": "+15551112222",
        "body": "é😀\n",
        "status": "received",
        "created_at": "2027-01-15T08:00:00.000Z",
        "sim_slot": 0,
        "sim": "+15550001111",
        "date": 1700000000000,
        "sent_at": None,
        "delivered_at": None,
        "error": None,
        "segments": 1,
        "provider": "phone",
        "media_urls": None,
        "send_at": None,
        "expires_at": None,
        "waiting_for": None,
        "key": None,
    }


async def test_an_empty_sms_and_an_alphanumeric_sender_are_stored(web: Web) -> None:
    sms = {"address": "AMAZON", "body": ""}
    reply = await web.call("POST", "/webhook", webhook(messages=[sms]))
    assert reply.json["stored"] == 1


async def test_one_message_that_cant_be_read_costs_the_others_nothing(web: Web) -> None:
    sms = [None, {"address": "+1"}, SMS, {"address": "+1", "body": ["x"]}]
    reply = await web.call("POST", "/webhook", webhook(messages=sms))
    assert reply.json == {
        "ok": True,
        "org_id": ORG,
        "stored": 1,
        "refused": 3,
        "errors": [
            {"field": "messages[0]", "problem": "must be an object"},
            {"field": "messages[1].body", "problem": "is missing"},
            {"field": "messages[3].body", "problem": "must be text"},
        ],
    }
    assert await stored(web) == 1
    assert web.services.cleaned["entry"] == 3


async def test_phones_with_long_names_are_told_apart(web: Web) -> None:
    for letter in "aba":
        await web.call("POST", "/webhook", webhook(device_id="fcm:" + letter * 148))
    assert await stored(web) == 2


async def test_a_field_given_twice_in_a_received_message_costs_the_others_nothing(
    web: Web,
) -> None:
    twice = '{"address":"+1","body":"x","date":1,"date":1700000000000}'
    text = f'{{"org_id":"{ORG}","secret_key":"{SECRET}","messages":[{json.dumps(SMS)},{twice}]}}'
    reply = await web.call("POST", "/webhook", raw=text.encode())
    assert (reply.status, reply.json["stored"]) == (200, 2)
    page = await web.call("GET", f"/messages/{ORG}")
    assert page.json["messages"][1]["date"] == 1_700_000_000_000


async def test_a_push_of_which_nothing_can_be_read_is_refused(web: Web) -> None:
    reply = await web.call("POST", "/webhook", webhook(messages=[5, {"from": "+1", "text": "x"}]))
    assert (reply.status, reply.fields) == (
        400,
        {"messages[0]": "must be an object", "messages[1].body": "is missing"},
    )
    assert await stored(web) == 0


async def test_what_decorates_a_received_message_costs_nothing(web: Web) -> None:
    odd: dict[str, Any] = {
        "address": None,
        "body": "a\0b\ud83d",
        "sim_slot": "x",
        "sim": [],
        "date": 1_700_000_000,
        "id": {},
        "media_urls": "https://example.com/image.jpg",
    }
    reply = await web.call("POST", "/webhook", webhook(messages=[odd, SMS], device_id=["x"]))
    assert (reply.status, reply.json["stored"]) == (200, 2)
    page = await web.call("GET", f"/messages/{ORG}")
    first = page.json["messages"][0]
    assert (first["address"], first["body"]) == ("", "a\ufffdb\ufffd")
    assert (first["sim_slot"], first["sim"], first["date"]) == (None, None, 1_700_000_000_000)
    assert first["media_urls"] == ["https://example.com/image.jpg"]
    assert {"text", "slot", "sim", "date", "id"} <= set(web.services.cleaned)


async def test_an_api_key_makes_the_org_id_unnecessary(web: Web) -> None:
    _, key = await web.services.accounts.keys.add(await org_id(web), "phone")
    body = {"messages": [SMS]}
    headers = {"Authorization": f"Bearer {key}"}
    reply = await web.call("POST", "/webhook", body, secret=None, headers=headers)
    assert reply.json == {"ok": True, "org_id": ORG, "stored": 1}
    reply = await web.call("POST", "/webhook", body)
    assert (reply.status, reply.fields) == (400, {"org_id": "is required"})


async def test_the_page_s_forms_of_reading_messages_work(web: Web) -> None:
    await web.call("POST", "/webhook", webhook())
    for example in messages_examples.MESSAGES:
        reply = await run(web, "GET", example)
        assert reply.status == 200
        assert set(reply.json) == {"org_id", "count", "messages"}
        assert reply.json["org_id"] == ORG
        assert reply.json["count"] == len(reply.json["messages"])
    first = (await run(web, "GET", messages_examples.MESSAGES[0])).json
    assert first["count"] == 1
    assert {"id", "direction", "address", "body", "status", "created_at"} <= set(
        first["messages"][0]
    )


async def test_messages_are_filtered(web: Web) -> None:
    await connect(web, SIM)
    sms = [{"address": f"+1555000000{n}", "body": f"word{n} x", "date": n} for n in range(5)]
    sms[0]["sim"] = "+15551112222"
    await web.call("POST", "/webhook", webhook(messages=sms))
    await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "y", "sim": 0})

    async def bodies(query: str) -> list[str]:
        reply = await web.call("GET", f"/messages/{ORG}?{query}")
        assert reply.status == 200, reply.data
        return [message["body"] for message in reply.json["messages"]]

    everything = await web.call("GET", f"/messages/{ORG}")
    ids = [message["id"] for message in everything.json["messages"]]
    assert ids == sorted(ids)
    assert await bodies("limit=2") == ["word4 x", "y"]
    assert await bodies(f"limit=2&since_id={ids[1]}") == ["word2 x", "word3 x"]
    assert await bodies(f"limit=2&before_id={ids[2]}") == ["word0 x", "word1 x"]
    assert await bodies("direction=out") == ["y"]
    assert await bodies("direction=out&status=sending") == ["y"]
    assert await bodies("sim=+15551112222") == await bodies("sim=%2B15551112222")
    assert await bodies("sim=+15551112222&direction=in") == ["word0 x"]
    assert await bodies("sim=0") == ["word0 x", "y"]
    assert await bodies("address=+15550000003") == ["word3 x"]
    assert await bodies("q=word2") == ["word2 x"]
    assert await bodies("q=x+wor*") == [f"word{n} x" for n in range(5)]
    assert await bodies("unknown=1&limit=1") == ["y"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("since_id=-1", "since_id"),
        (f"since_id={2**63}", "since_id"),
        ("since_id=" + "9" * 5000, "since_id"),
        ("before_id=0", "before_id"),
        ("direction=both", "direction"),
        ("status=lost", "status"),
        ("sim=x", "sim"),
        ("address=", "address"),
        ("address=%00", "address"),
        ("q=", "q"),
        ("q=%22*(", "q"),
        ("q=%F0%9F%91%8D", "q"),
        ("q=%E2%82%AC%20!", "q"),
        ("q=a%00", "q"),
        ("q=" + "x" * 201, "q"),
    ],
)
async def test_a_wrong_filter_is_named(web: Web, query: str, field: str) -> None:
    reply = await web.call("GET", f"/messages/{ORG}?{query}")
    assert (reply.status, list(reply.fields)) == (400, [field])


async def test_every_wrong_filter_is_named_at_once(web: Web) -> None:
    reply = await web.call("GET", f"/messages/{ORG}?limit=0&direction=x&sim=y")
    assert list(reply.fields) == ["limit", "direction", "sim"]


@pytest.mark.parametrize("query", ["q=%ff", "%ff=1", "&".join(f"a{n}=1" for n in range(51))])
async def test_a_query_that_cannot_be_read_is_refused(web: Web, query: str) -> None:
    assert (await web.call("GET", f"/messages/{ORG}?{query}")).status == 400


async def test_one_message_is_read_by_its_id(web: Web) -> None:
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    for path in (f"/messages/{ORG}/id/{message_id}", f"/messages/{ORG}/{SECRET}/id/{message_id}"):
        reply = await web.call("GET", path)
        assert set(reply.json) == {"org_id", "message"}
        assert reply.json["message"]["id"] == message_id
        assert reply.json["message"]["waiting_for"] == "phone"


@pytest.mark.parametrize(
    ("message_id", "status"),
    [("999", 404), (str(2**63 - 1), 404), (str(2**63), 400), ("0", 400), ("-5", 400), ("x", 400)],
)
async def test_a_message_that_is_not_there(web: Web, message_id: str, status: int) -> None:
    for method in ("GET", "DELETE"):
        reply = await web.call(method, f"/messages/{ORG}/id/{message_id}")
        assert reply.status == status
        assert list(reply.fields) == (["id"] if status == 400 else [])


async def test_another_org_s_message_is_not_there(web: Web) -> None:
    await web.make_org("other", "another-secret-9")
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    for method in ("GET", "DELETE"):
        path = f"/messages/other/id/{message_id}"
        assert (await web.call(method, path, secret="another-secret-9")).status == 404


async def test_the_page_s_sends_work_as_printed(web: Web) -> None:
    await connect(web, SIM)
    for example in messages_examples.SEND:
        reply = await run(web, "POST", example)
        assert reply.status == 200
        assert set(reply.json) == {"ok", "device_online", "queued", "results"}
        results = reply.json["results"]
        assert (reply.json["ok"], reply.json["device_online"]) == (True, True)
        assert reply.json["queued"] == len(results)
        assert all(set(r) == {"id", "to", "status"} for r in results)
        assert {r["status"] for r in results} == {"sending"}
    assert [(m.address, m.body) for m in web.phones.pushed] == [
        ("+15553334444", "sent from the API"),
        ("+15553334444", "a"),
        ("+15553335555", "b"),
    ]
    assert {m.sim for m in web.phones.pushed} == {"+15551112222"}


async def test_a_text_is_as_long_as_its_org_allows(web: Web) -> None:
    def fields(reply: Reply) -> list[tuple[str, str]]:
        return [(one["field"], one["problem"]) for one in reply.json["errors"]]

    async def send(body: str) -> Reply:
        return await web.call("POST", f"/send/{ORG}", {"to": "24273", "body": body})

    assert fields(await send("x" * 1_601)) == [
        ("body", "has 1601 characters, at most 1600 are allowed")
    ]
    # However long the org's own are.
    assert fields(await send("x" * 39_016)) == [
        ("body", "has 39016 characters, at most 39015 are allowed")
    ]
    org = await web.services.accounts.orgs.named(ORG)
    await web.services.org_options.set(org.id, max_characters=5_000)
    reply = await send("x" * 5_000)
    assert reply.status == 200
    (sent,) = (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"]
    assert (len(sent["body"]), sent["segments"]) == (5_000, 33)
    assert fields(await send("x" * 5_001)) == [
        ("body", "has 5001 characters, at most 5000 are allowed")
    ]
    some = [{"to": "24273", "body": "x" * length} for length in (1, 5_001, 2, 6_000)]
    reply = await web.call("POST", f"/send/{ORG}", {"messages": some})
    assert [name for name, _ in fields(reply)] == ["messages[1].body", "messages[3].body"]
    await web.services.org_options.set(org.id, max_characters=39_015)
    assert (await send("x" * 39_015)).status == 200
    assert fields(await send("{" * 19_381)) == [
        ("body", "takes 256 segments, at most 255 are allowed")
    ]
    assert (await send("{" * 19_380)).status == 200
    await web.services.org_options.set(org.id, max_characters=100)
    assert fields(await send("x" * 101)) == [
        ("body", "has 101 characters, at most 100 are allowed")
    ]


async def test_without_a_phone_a_send_is_queued(web: Web) -> None:
    reply = await web.call("POST", f"/send/{ORG}", {"to": "24273", "body": "x" * 1600})
    message_id = reply.json["results"][0]["id"]
    assert reply.json == {
        "ok": True,
        "device_online": False,
        "queued": 1,
        "results": [{"id": message_id, "to": "24273", "status": "queued"}],
    }


async def test_a_send_that_waits_for_pacing_says_how_long(web: Web) -> None:
    await connect(web, SIM)
    web.phones.full = True
    body = {"messages": [{"to": "+15553334444", "body": "x"}] * 3}
    reply = await web.call("POST", f"/send/{ORG}", body)
    etas = [result["eta_s"] for result in reply.json["results"]]
    assert all(isinstance(eta, int) and eta > 0 for eta in etas)
    assert etas == sorted(etas)


async def test_a_batch_s_options_are_for_all_and_an_item_s_own_come_first(web: Web) -> None:
    body = {
        "sim": "1",
        "ttl": 60,
        "priority": 5,
        "on_uncertain": "resend",
        "send_at": "2027-01-15T09:00:00Z",
        "messages": [
            {"to": "+15553334444", "body": "a"},
            {
                "to": "+15553334444",
                "body": "b",
                "sim": "+15551112222",
                "ttl": 120,
                "priority": 0,
                "on_uncertain": "hold",
                "send_at": (NOW + 7_200_000) // 1000,
            },
        ],
    }
    reply = await web.call("POST", f"/send/{ORG}", body)
    org = await org_id(web)
    found = [
        await web.database.read(lambda tx, i=r["id"]: tx.messages.find(org, i))  # type: ignore[misc]
        for r in reply.json["results"]
    ]
    hour = 3_600_000
    assert [
        (m.sim_selector, m.priority, m.on_uncertain, m.held_until, m.expires_at) for m in found if m
    ] == [
        ("1", 5, "resend", NOW + hour, NOW + hour + 60_000),
        ("+15551112222", 0, "hold", NOW + 2 * hour, NOW + 2 * hour + 120_000),
    ]


async def test_a_time_in_the_past_sends_now(web: Web) -> None:
    await connect(web, SIM)
    body = {"to": "+15553334444", "body": "x", "send_at": "2020-01-01T00:00:00+01:00"}
    reply = await web.call("POST", f"/send/{ORG}", body)
    assert reply.json["results"][0]["status"] == "sending"


async def test_a_refused_time_is_said_with_its_bound_or_its_form(web: Web) -> None:
    item = {"to": "+15553334444", "body": "x", "send_at": NOW + YEAR_MS + 1}
    reply = await web.call("POST", f"/send/{ORG}", item)
    assert reply.json["detail"] == "send_at is more than a year (365 days) ahead."
    reply = await web.call("POST", f"/send/{ORG}", {**item, "send_at": "soon"})
    assert "YYYY-MM-DDTHH:MM:SSZ, or epoch seconds" in reply.json["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": None}, "to"),
        ({"to": 15553334444}, "to"),
        ({"to": "+"}, "to"),
        ({"to": "\ud83d"}, "to"),
        ({"body": ""}, "body"),
        ({"body": "x" * 1601}, "body"),
        ({"body": "x\x00"}, "body"),
        ({"body": "\udfff"}, "body"),
        ({"body": ["x"]}, "body"),
        ({"sim": "x"}, "sim"),
        ({"sim": True}, "sim"),
        ({"sim": -1}, "sim"),
        ({"sim": 10**400}, "sim"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": 30 * 86_400 + 1}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": "60"}, "ttl"),
        ({"ttl": 1.5}, "ttl"),
        ({"priority": 128}, "priority"),
        ({"priority": -129}, "priority"),
        ({"on_uncertain": "maybe"}, "on_uncertain"),
        ({"send_at": "2030-01-31T08:00:00"}, "send_at"),
        ({"send_at": NOW + YEAR_MS + 1}, "send_at"),
        ({"send_at": -1}, "send_at"),
        ({"secret_key": 5}, "secret_key"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
async def test_a_wrong_option_is_named(web: Web, changes: dict[str, Any], field: str) -> None:
    item = {"to": "+15553334444", "body": "x", **changes}
    reply = await web.call("POST", f"/send/{ORG}", item)
    assert (reply.status, list(reply.fields)) == (400, [field])
    if field != "secret_key":
        batch = {"messages": [{"to": "+15553334444", "body": "x"}, item]}
        reply = await web.call("POST", f"/send/{ORG}", batch)
        assert (reply.status, list(reply.fields)) == (400, [f"messages[1].{field}"])
    assert await stored(web) == 0


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["to", "body"]),
        ({"to": "+15553334444"}, ["body"]),
        ({"messages": None, "body": "x"}, ["to"]),
        ({"messages": []}, ["messages"]),
        ({"messages": {}}, ["messages"]),
        ({"messages": [5, None]}, ["messages[0]", "messages[1]"]),
        ({"messages": [{"to": "+15553334444", "body": "x"}], "to": "+15553334444"}, ["to"]),
    ],
    ids=str,
)
async def test_a_send_is_one_message_or_a_batch(
    web: Web, body: dict[str, Any], fields: list[str]
) -> None:
    reply = await web.call("POST", f"/send/{ORG}", body)
    assert (reply.status, list(reply.fields)) == (400, fields)


async def test_500_messages_pass_and_501_do_not(web: Web) -> None:
    item = {"to": "+15553334444", "body": "x"}
    reply = await web.call("POST", f"/send/{ORG}", {"messages": [item] * 501})
    assert (reply.status, list(reply.fields)) == (400, ["messages"])
    reply = await web.call("POST", f"/send/{ORG}", {"messages": [item] * 500})
    assert (reply.status, reply.json["queued"]) == (200, 500)
    reply = await web.call("POST", "/webhook", webhook(messages=[SMS] * 501))
    assert (reply.status, list(reply.fields)) == (400, ["messages"])


async def test_an_unknown_sim_beside_known_ones_is_named_with_them(web: Web) -> None:
    await connect(web, SIM)
    item = {"to": "+15553334444", "body": "x"}
    for body, field in (
        ({**item, "sim": "+15559990000"}, "sim"),
        ({"messages": [item, {**item, "sim": "+15559990000"}]}, "messages[1].sim"),
        ({"messages": [item, item], "sim": 3}, "sim"),
    ):
        reply = await web.call("POST", f"/send/{ORG}", body)
        assert (reply.status, reply.json["code"]) == (404, "unknown_sim")
        assert list(reply.fields) == [field]
        assert "+15551112222" in reply.json["detail"]
    assert await stored(web) == 0


@pytest.mark.parametrize("second", ["abc-1", '"abc-1"'])
async def test_a_send_under_an_idempotency_key_happens_once(web: Web, second: str) -> None:
    body = {"to": "+15553334444", "body": "x"}
    one = await web.call("POST", f"/send/{ORG}", body, headers={"Idempotency-Key": "abc-1"})
    two = await web.call(
        "POST",
        f"/send/{ORG}/{SECRET}",
        {**body, "secret_key": SECRET},
        secret=None,
        headers={"Idempotency-Key": second},
    )
    assert (one.status, two.status) == (200, 200)
    assert one.data == two.data
    assert "Idempotent-Replayed" not in one.headers
    assert two.headers["Idempotent-Replayed"] == "true"
    assert await stored(web) == 1


async def test_another_send_under_the_same_key_is_refused(web: Web) -> None:
    headers = {"Idempotency-Key": "abc-1"}
    body = {"to": "+15553334444", "body": "x"}
    await web.call("POST", f"/send/{ORG}", body, headers=headers)
    reply = await web.call("POST", f"/send/{ORG}", {**body, "body": "y"}, headers=headers)
    assert (reply.status, reply.json["code"]) == (422, "idempotency_key_reused")
    assert await stored(web) == 1


async def test_keys_of_two_orgs_have_nothing_to_do_with_each_other(web: Web) -> None:
    await web.make_org("other", "another-secret-9")
    headers = {"Idempotency-Key": "abc-1"}
    body = {"to": "+15553334444", "body": "x"}
    one = await web.call("POST", f"/send/{ORG}", body, headers=headers)
    two = await web.call("POST", "/send/other", body, headers=headers, secret="another-secret-9")
    assert one.json["results"][0]["id"] != two.json["results"][0]["id"]


async def test_many_sends_at_once_under_one_key_send_once(web: Web) -> None:
    replies: list[Reply] = []

    async def send() -> None:
        headers = {"Idempotency-Key": "abc-1"}
        body = {"to": "+15553334444", "body": "x"}
        replies.append(await web.call("POST", f"/send/{ORG}", body, headers=headers))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(send)
    assert {reply.status for reply in replies} <= {200, 409}
    assert len({reply.data for reply in replies if reply.status == 200}) == 1
    assert await stored(web) == 1


@pytest.mark.parametrize("key", ["", '"open', "k" * 256])
async def test_a_malformed_key_is_named(web: Web, key: str) -> None:
    body = {"to": "+15553334444", "body": "x"}
    reply = await web.call("POST", f"/send/{ORG}", body, headers={"Idempotency-Key": key})
    assert (reply.status, list(reply.fields)) == (400, ["Idempotency-Key"])


async def test_a_queued_message_is_cancelled(web: Web) -> None:
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    reply = await web.call("DELETE", f"/messages/{ORG}/id/{message_id}")
    assert (reply.status, reply.json) == (
        200,
        {"ok": True, "id": message_id, "status": "cancelled"},
    )
    again = await web.call("DELETE", f"/messages/{ORG}/{SECRET}/id/{message_id}", secret=None)
    assert again.json == reply.json


@pytest.mark.parametrize("status", [202, 409])
async def test_a_message_that_a_phone_holds_is_asked_back(web: Web, status: int) -> None:
    await connect(web, SIM)
    web.phones.can_cancel = status == 202
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    reply = await web.call("DELETE", f"/messages/{ORG}/id/{message_id}")
    assert reply.status == status
    if status == 202:
        assert reply.json == {"ok": True, "id": message_id, "status": "sending"}


async def test_a_sent_message_is_past_recall(web: Web) -> None:
    phone = await connect(web, SIM)
    org = await org_id(web)
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    await web.database.write(
        lambda tx: delivery.apply_result(
            tx,
            org,
            phone,
            message_id,
            success=True,
            error=None,
            segments=1,
            uncertain=False,
            now=NOW,
        )
    )
    reply = await web.call("DELETE", f"/messages/{ORG}/id/{message_id}")
    assert (reply.status, reply.json["code"]) == (409, "conflict")
    shown = (await web.call("GET", f"/messages/{ORG}/id/{message_id}")).json["message"]
    assert (shown["status"], shown["sent_at"]) == ("sent", "2027-01-15T08:00:00.000Z")


async def test_sims_are_listed_as_on_the_page(web: Web) -> None:
    (example,) = messages_examples.SIMS
    reply = await run(web, "GET", example)
    assert reply.json == {"online_devices": 0, "live_sims": [], "known_sims": []}
    await connect(web, SIM)
    reply = await run(web, "GET", example)
    assert reply.data.decode() == example.answer
    web.phones.phones.clear()
    reply = await web.call("GET", f"/sims/{ORG}/{SECRET}", secret=None)
    assert reply.json["live_sims"] == []
    assert reply.json["known_sims"] == [{"slot": 0, "number": "+15551112222", "carrier": "AT&T"}]


async def test_full_calls_of_one_org_take_turns_and_keep_no_other_waiting(
    web: Web, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await org_id(web)
    await web.make_org("other", SECRET)
    begun, go_on = list[int](), trio.Event()
    send = web.services.sending.send

    async def held(sender: Principal, *args: Any, **kwargs: Any) -> Any:
        begun.append(sender.org)
        if sender.org == mine:
            await go_on.wait()
        return await send(sender, *args, **kwargs)

    monkeypatch.setattr(web.services.sending, "send", held)
    full = {"messages": [{"to": "+15553334444", "body": "hi"}] * 500}
    statuses = list[int]()

    async def call() -> None:
        statuses.append((await web.call("POST", f"/send/{ORG}", full)).status)

    for _ in range(4):
        nursery.start_soon(call)
    while len(begun) < 2:
        await trio.testing.wait_all_tasks_blocked()
    reply = await web.call("POST", "/send/other", full)
    assert (reply.status, len(begun)) == (200, 3)
    go_on.set()
    with trio.fail_after(PATIENCE_S):
        while len(statuses) < 4:
            await trio.testing.wait_all_tasks_blocked()
    assert statuses == [200] * 4


async def test_a_page_is_written_in_another_thread_than_that_of_all_links(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.call("POST", "/webhook", webhook(), secret=None)
    written: list[int] = []

    def noting(*page: Any, **bounds: Any) -> bytes | None:
        written.append(threading.get_ident())
        return rows_text(*page, **bounds)

    monkeypatch.setattr("phonegate.api.message_text.rows_text", noting)
    reply = await web.call("GET", f"/messages/{ORG}")
    assert (reply.status, reply.json["count"]) == (200, 1)
    assert len(written) == 1
    assert threading.get_ident() not in written


async def test_the_log_holds_no_number(web: Web) -> None:
    with capture_logs() as lines:
        await web.call("GET", f"/messages/{ORG}?sim=%2B15551112222&address=%2B1555&limit=5")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["query"] == "***&***&limit=5"
    assert line["org"] == ORG


async def test_a_number_that_people_write_is_refused_with_what_is_wrong(web: Web) -> None:
    reply = await web.call("POST", f"/send/{ORG}", {"to": "+1 555 333 4444", "body": "x"})
    assert (reply.status, reply.json["detail"]) == (
        400,
        "to must be a number like +15553334444 (E.164), or a short code: "
        "leave out its spaces, dashes, dots and brackets.",
    )


async def test_a_sim_is_named_as_its_phone_writes_its_number_or_as_in_e164(web: Web) -> None:
    written = "+1 (555) 000-0001"
    await connect(web, SIM, Sim(slot=1, number=written))
    body = {"to": "+15553334444", "body": "x"}
    for sim in (written, "+15550000001", "15550000001"):
        reply = await web.call("POST", f"/send/{ORG}", {**body, "sim": sim})
        assert reply.status == 200
    # The phone is told its number as it wrote it.
    assert [(m.sim, m.sim_slot) for m in web.phones.pushed] == [(written, 1)] * 3
    for sim in ("%2B15550000001", "15550000001", "%2B1%20(555)%20000-0001"):
        reply = await web.call("GET", f"/messages/{ORG}?sim={sim}")
        assert reply.json["count"] == 3
    # However many zeros a national number begins with, nobody here knows its country.
    reply = await web.call("POST", f"/send/{ORG}", {**body, "sim": "05550000001"})
    assert (reply.status, reply.json["code"]) == (404, "unknown_sim")


@pytest.mark.parametrize(
    ("kind", "acks", "status"),
    [
        ("link", True, "cancelled"),
        ("link", False, "uncertain"),
        # It says that it has a message after it has sent it.
        ("smsgate", True, "uncertain"),
    ],
)
async def test_what_a_phone_took_along_unacknowledged_is_taken_back(
    web: Web,
    kind: Kind,
    acks: bool,  # noqa: FBT001 - a parameter of the test
    status: str,
) -> None:
    phone = await connect(web, SIM)
    await web.database.write(lambda tx: tx.phones.describe(phone, acks=acks, now=NOW))
    await web.database.write(lambda tx: tx.phones.came_by(phone, kind, None))
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    message_id = sent.json["results"][0]["id"]
    web.phones.phones.clear()
    reply = await web.call("DELETE", f"/messages/{ORG}/id/{message_id}")
    assert (reply.status, reply.json["status"]) == (200, status)
    validator(schema_of(CancelAnswer)).validate(reply.json)
    shown = await web.call("GET", f"/messages/{ORG}/id/{message_id}")
    assert shown.json["message"]["error"].startswith("cancelled by its sender")


async def test_a_message_waits_for_a_sim_that_no_phone_has_any_more(web: Web) -> None:
    phone = await connect(web, SIM)
    web.phones.full = True
    sent = await web.call(
        "POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x", "sim": SIM.number}
    )
    message_id = sent.json["results"][0]["id"]
    other = Sim(slot=0, number="+15550000009")
    web.phones.phones.clear()
    org = await org_id(web)

    async def waiting_for() -> list[str]:
        page = await web.call("GET", f"/messages/{ORG}")
        one = await web.call("GET", f"/messages/{ORG}/id/{message_id}")
        return [page.json["messages"][0]["waiting_for"], one.json["message"]["waiting_for"]]

    assert await waiting_for() == ["phone"] * 2
    web.phones.phones.append(OnlinePhone(phone=9, device_id="b", name=None, sims=(other,)))
    assert await waiting_for() == ["phone"] * 2
    await web.database.write(lambda tx: tx.phones.report_sims(org, phone, [other], NOW))
    assert await waiting_for() == ["sim"] * 2
