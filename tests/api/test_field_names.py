"""Fields that nobody knows: slips of the pen are refused, a client's own are taken and named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import CONVERTER
from phonegate.api.field_names import MAX_IGNORED, UnknownFields, names_what_it_ignores
from phonegate.api.keys_api import NewKey
from phonegate.api.messages_types import Send, SendItem, Webhook
from phonegate.api.sms_types import SmsSend
from phonegate.typed_json.fields import fields_of
from tests.api.conftest import (
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.api.mcp.test_api import make_agent

SMS = {"to": "+15553334444", "body": "now"}
SEND = f"/send/{ORG}"


async def send(web: Web, body: dict[str, Any]) -> Reply:
    return await web.call("POST", SEND, body)


@pytest.mark.parametrize(
    ("slip", "field"),
    [
        ("sendAt", "send_at"),
        ("SendAt", "send_at"),
        ("send-at", "send_at"),
        ("SEND_AT", "send_at"),
        ("_sendat", "send_at"),
        ("TTL", "ttl"),
        ("Sim", "sim"),
        ("onUncertain", "on_uncertain"),
        ("secretKey", "secret_key"),
        ("Messages", "messages"),
        *(("send at", "send_at"), ("send_at ", "send_at"), ("send.at", "send_at")),
        *(("sned_at", "send_at"), ("SendAtt", "send_at"), ("sendt", "send_at")),
        *(("priorty", "priority"), ("prioritx", "priority")),
        *(("on_uncertian", "on_uncertain"), ("onuncertain?", "on_uncertain")),
        ("message", "messages"),
    ],
)
async def test_a_slip_of_the_pen_sends_nothing(web: Web, slip: str, field: str) -> None:
    reply = await send(web, {**SMS, slip: "2027-01-01T00:00:00Z"})
    question = f"is no field of this request; did you mean {field}?"
    assert (reply.status, reply.json["detail"]) == (400, f"{slip} {question}")
    assert reply.fields == {slip: question}
    assert web.phones.pushed == []


@pytest.mark.parametrize(
    "own", ["sim2", "ttls", "too", "bodys", "send", "sendto", "prior", "x" * 61]
)
async def test_what_is_no_slip_is_taken(web: Web, own: str) -> None:
    reply = await send(web, {**SMS, own: 1})
    assert (reply.status, reply.json["ignored"]) == (
        200,
        [own[:60] + "…" if len(own) > 60 else own],
    )


async def test_each_slip_is_named_where_it_stands(web: Web) -> None:
    items = [SMS, {**SMS, "sendAt": 1}, {"To": "+15553334444", "body": "x"}]
    reply = await send(web, {"messages": items, "TTL": 60})
    assert reply.status == 400
    assert reply.fields == {
        "TTL": "is no field of this request; did you mean ttl?",
        "messages[1].sendAt": "is no field of this request; did you mean send_at?",
        "messages[2].To": "is no field of this request; did you mean to?",
        "messages[2].to": "is required",
    }
    assert reply.json["detail"].endswith("did you mean ttl? (3 more in errors.)")


async def test_fields_of_a_client_s_own_are_taken_and_named(web: Web) -> None:
    items = [SMS, {**SMS, "note": 1}]
    reply = await send(web, {"messages": items, "schedule": "tomorrow", "a\nb": None})
    assert reply.status == 200
    assert reply.json["queued"] == 2
    assert reply.json["ignored"] == ["schedule", "a?b", "messages[1].note"]


async def test_the_answer_to_what_is_all_known_is_as_it_was(web: Web) -> None:
    assert b"ignored" not in (await send(web, {**SMS, "secret_key": SECRET})).data
    assert b"ignored" not in (await send(web, {"messages": [SMS]})).data


async def test_what_is_named_is_bounded(web: Web) -> None:
    reply = await send(web, {**SMS, **{f"x{n}" + "y" * 200: n for n in range(100)}})
    assert len(reply.json["ignored"]) == MAX_IGNORED
    assert max(map(len, reply.json["ignored"])) <= 61


async def test_a_replayed_answer_names_them_too(web: Web) -> None:
    key = {"Idempotency-Key": "k"}
    first = await web.call("POST", SEND, {**SMS, "note": 1}, headers=key)
    again = await web.call("POST", SEND, {**SMS, "note": 1}, headers=key)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_sms_send_asks_as_strictly(web: Web) -> None:
    body = {"from_phone_number": "+1234567890", "to_phone_number": "+1555123456", "message": "x"}
    reply = await web.call("POST", "/sms/send?org_id=" + ORG, {**body, "mediaUrls": []})
    assert reply.fields == {"mediaUrls": "is no field of this request; did you mean media_urls?"}
    reply = await web.call("POST", "/sms/send?org_id=" + ORG, {**body, "media_url": "x"})
    assert reply.fields == {"media_url": "is no field of this request; did you mean media_urls?"}
    # It takes the org in its body too, under that name alone.
    reply = await web.call("POST", "/sms/send", {**body, "org_id": ORG, "orgId": ORG})
    assert reply.fields == {"orgId": "is no field of this request; did you mean org_id?"}
    reply = await web.call("POST", "/sms/send", {**body, "org_id": ORG})
    assert reply.json["code"] == "not_found"  # no assistant has the number


async def test_where_unknown_fields_are_refused_a_slip_is_told_as_one(web: Web) -> None:
    reply = await web.call("POST", f"/keys/{ORG}", {"name": "x", "Scopes": ["send"], "color": 1})
    assert reply.fields == {
        "Scopes": "is no field of this request; did you mean scopes?",
        "color": "is no field of this request",
    }
    limits = {"name": "x", "limits": {"perHour": 1}}
    reply = await web.call("POST", f"/keys/{ORG}", limits)
    assert reply.fields == {"limits.perHour": "is no field of this request; did you mean per_hour?"}


async def test_what_a_phone_reports_is_taken_whatever_it_adds(web: Web) -> None:
    sms = {"address": "+15551112222", "body": "x", "simSlot": 0, "Date": 1, "extra": 1}
    body = {"org_id": ORG, "secret_key": SECRET, "messages": [sms], "deviceId": "d", "more": 1}
    reply = await web.call("POST", "/webhook", body, secret=None)
    assert (reply.status, reply.json) == (200, {"ok": True, "org_id": ORG, "stored": 1})


@pytest.mark.parametrize(
    ("query", "field"),
    [("sinceId=5", "since_id"), ("LIMIT=1", "limit"), ("secretKey=x", "secret_key")],
)
async def test_a_slip_in_a_query_is_refused(web: Web, query: str, field: str) -> None:
    reply = await web.call("GET", f"/messages/{ORG}?{query}&_=17")
    name = query.partition("=")[0]
    assert reply.status == 400
    assert reply.fields == {name: f"is no parameter of this address; did you mean {field}?"}
    assert (await web.call("GET", f"/messages/{ORG}?_=17&utm=x")).status == 200


async def test_a_tool_s_arguments_too(web: Web) -> None:
    agent = await make_agent(web)
    for slip in ("sendAt", "sned_at", "send at"):
        arguments = {**SMS, slip: "2027-01-01T00:00:00Z"}
        call = {"name": "send_sms", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        assert "did you mean send_at?" in (await agent.post(message)).data.decode()
    assert web.phones.pushed == []


def test_only_what_is_asked_for_openly_is_documented_as_ignored() -> None:
    assert names_what_it_ignores(Send)
    assert names_what_it_ignores(SmsSend)
    assert not names_what_it_ignores(NewKey)
    assert not names_what_it_ignores(Webhook)
    assert not names_what_it_ignores(None)


SPELLINGS = st.sampled_from([f.name for f in fields_of(SendItem)]).flatmap(
    lambda name: st.builds(
        lambda upper, marks: "".join(
            mark + (c.upper() if up else c) for c, up, mark in zip(name, upper, marks, strict=True)
        ),
        st.lists(st.booleans(), min_size=len(name), max_size=len(name)),
        st.lists(st.sampled_from(["", "_", "-"]), min_size=len(name), max_size=len(name)),
    )
)


@given(SPELLINGS)
def test_every_spelling_of_a_field_is_the_field_or_a_slip(name: str) -> None:
    found = UnknownFields()
    found.look({"messages": [{name: 1}]}, Send)
    known = name in {f.name for f in fields_of(SendItem)}
    assert [p.field for p in found.problems] == ([] if known else [f"messages[0].{name}"])
    assert found.ignored == []


LETTERS = "".join(sorted(set("".join(f.name for f in fields_of(SendItem)))))


@given(
    st.sampled_from([f.name for f in fields_of(SendItem) if len(f.name) > 4]),
    st.data(),
)
def test_one_slip_in_a_long_name_is_one(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(LETTERS))
    slips = (
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at:],
        name[:at] + letter + name[at + 1 :],
        name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    )
    for slip in set(slips) - {name}:
        found = UnknownFields()
        found.look({"messages": [{slip: 1}]}, Send)
        assert [p.field for p in found.problems] == [f"messages[0].{slip}"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "to", "To", "x"]) | st.text(), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_whatever_comes_is_known_a_slip_or_ignored(value: Any) -> None:
    found = UnknownFields()
    found.look(value, Send)
    if isinstance(value, dict):
        told = len(found.problems) + len(found.ignored)
        assert told >= min(len(value.keys() - {f.name for f in fields_of(Send)}), MAX_IGNORED)


@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1), st.lists(st.text()))
def test_they_join_an_answer_that_is_an_object(answer: dict[str, int], ignored: list[str]) -> None:
    text = CONVERTER.naming(answer, ignored)
    clean = [name.encode("utf-8", "replace").decode() for name in ignored]
    assert json.loads(text)["ignored"] == clean
    assert CONVERTER.naming(b"[1]", ignored) == b"[1]"
