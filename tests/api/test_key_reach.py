"""How far an API key reaches: what it has sent, what it reads, and what ends with it."""

import json
from typing import Any

import pytest

from phonegate.domain import delivery
from phonegate.domain.delivery import WITHDRAWN_AT_ONCE
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.sending import Outgoing
from phonegate.model.phones import Sim
from phonegate.model.refusals import Unauthorized
from phonegate.model.states import Cause
from phonegate.model.times import iso
from phonegate.store.tables import Tables
from tests.api.conftest import (
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.api.test_limits import Agent, agent

SIM = "+15551112222"
FRIEND, OTHER = "+15553334444", "+15559990000"
LATER = iso(NOW + 86_400_000)


async def make_key(web: Web, *scopes: str) -> Agent:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "app", "scopes": list(scopes) or None})
    assert made.status == 201, made.data
    return Agent(web, made.json["id"], made.json["key"])


async def receive(web: Web, *texts: tuple[str, str]) -> None:
    sms = [{"address": address, "body": body} for address, body in texts]
    reply = await web.call("POST", "/webhook", {"org_id": ORG, "messages": sms})
    assert reply.status == 200


async def send(key: Agent, to: str = FRIEND, body: str = "x", **more: Any) -> int:
    reply = await key.call("POST", f"/send/{ORG}", {"to": to, "body": body, **more})
    assert reply.status == 200, reply.data
    id_: int = reply.json["results"][0]["id"]
    return id_


async def message(web: Web, id_: int) -> dict[str, Any]:
    found: dict[str, Any] = (await web.call("GET", f"/messages/{ORG}/id/{id_}")).json["message"]
    return found


def ids(reply: Reply) -> list[int]:
    assert reply.status == 200, reply.data
    assert reply.json["count"] == len(reply.json["messages"])
    return [one["id"] for one in reply.json["messages"]]


# -- who sent it


async def test_a_message_names_the_key_that_sent_it(web: Web) -> None:
    key = await make_key(web, "send")
    first = await send(key)
    body = {"from_phone_number": SIM, "to_phone_number": FRIEND, "message": "x"}
    web.phones.phones.append(
        OnlinePhone(phone=1, device_id="a", name=None, sims=(Sim(slot=0, number=SIM),))
    )
    second = await key.call("POST", f"/sms/send?org_id={ORG}", body)
    assert second.status == 200, second.data
    await web.call("POST", f"/send/{ORG}", {"to": FRIEND, "body": "by the owner"})
    await receive(web, (FRIEND, "answer"))
    page = await web.call("GET", f"/messages/{ORG}")
    assert [one["key"] for one in page.json["messages"]] == [key.id, key.id, None, None]
    assert (await message(web, first))["key"] == key.id
    assert ids(await web.call("GET", f"/messages/{ORG}?key={key.id}")) == [1, 2]
    assert ids(await web.call("GET", f"/messages/{ORG}?key={key.id}&status=queued")) == [1]
    assert ids(await web.call("GET", f"/messages/{ORG}?key={key.id}&direction=in")) == []
    assert ids(await web.call("GET", f"/messages/{ORG}?key=nobody")) == []


async def test_a_message_through_a_carrier_names_its_key_too(web: Web) -> None:
    assistant = {
        "name": "shop",
        "provider": "twilio",
        "phone_numbers": ["+1234567890"],
        "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32},
    }
    await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    key = await make_key(web, "send")
    body = {"from_phone_number": "+1234567890", "to_phone_number": FRIEND, "message": "x"}
    for more in ({}, {"send_at": LATER}):
        assert (await key.call("POST", f"/sms/send?org_id={ORG}", body | more)).status == 200
    page = await web.call("GET", f"/messages/{ORG}")
    assert [one["key"] for one in page.json["messages"]] == [key.id, key.id]
    gone = await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    assert gone.json["cancelled"] == 1
    assert [(await message(web, n))["status"] for n in (1, 2)] == ["sending", "cancelled"]


# -- revoking it


async def test_what_a_revoked_key_has_waiting_is_cancelled(web: Web) -> None:
    key, other = await make_key(web, "send"), await make_key(web, "send")
    holding = await agent(web, {"hold": True})
    for who in (key, other, holding):
        await send(who)
        await send(who, send_at=LATER)
    gone = await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    assert (gone.status, gone.json) == (200, {"ok": True, "id": key.id, "cancelled": 2})
    held = await web.call("DELETE", f"/keys/{ORG}/{holding.id}")
    assert held.json["cancelled"] == 2
    states = [(await message(web, n))["status"] for n in range(1, 7)]
    assert states == ["cancelled"] * 2 + ["queued"] * 2 + ["cancelled"] * 2
    assert (await message(web, 1))["error"] == "its API key was revoked"
    assert (await web.call("DELETE", f"/keys/{ORG}/{key.id}")).status == 404


async def test_what_a_revoked_key_has_waiting_may_be_kept(web: Web) -> None:
    key = await make_key(web, "send")
    await send(key, send_at=LATER)
    wrong = await web.call("DELETE", f"/keys/{ORG}/{key.id}?keep_queued=maybe")
    assert (wrong.status, list(wrong.fields)) == (400, ["keep_queued"])
    gone = await web.call("DELETE", f"/keys/{ORG}/{key.id}?keep_queued=true")
    assert gone.json == {"ok": True, "id": key.id, "cancelled": 0}
    assert (await message(web, 1))["status"] == "queued"
    assert (await message(web, 1))["key"] == key.id


async def test_a_long_queue_is_cancelled_too(web: Web) -> None:
    key = await make_key(web, "send")
    texts = [{"to": FRIEND, "body": "x"}] * (WITHDRAWN_AT_ONCE // 2)
    for _ in range(4):
        assert (await key.call("POST", f"/send/{ORG}", {"messages": texts})).status == 200
    gone = await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    assert gone.json["cancelled"] == 4 * len(texts) == 2 * WITHDRAWN_AT_ONCE
    assert ids(await web.call("GET", f"/messages/{ORG}?status=queued")) == []
    counts = await web.database.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"cancelled": 2 * WITHDRAWN_AT_ONCE}
    assert await web.database.read(lambda tx: tx.keys.ended(2 * NOW)) is None


async def test_to_revoke_a_key_twice_goes_on_cancelling(web: Web) -> None:
    key = await make_key(web, "send")
    for _ in range(2):
        await send(key)
    path = f"/keys/{ORG}/{key.id}"

    # As a crash leaves it.
    def crash(tx: Tables) -> None:
        found = tx.keys.get(key.id)
        assert found is not None
        tx.keys.remove(found.org, key.id)
        tx.keys.end(key.id, NOW)

    await web.database.write(crash)
    assert await web.database.read(lambda tx: tx.messages.has_of_key(1, key.id))
    assert await web.services.accounts.keys.revoke(2, key.id) is None
    assert (await web.call("DELETE", f"{path}?keep_queued=true")).status == 404
    assert (await message(web, 1))["status"] == "queued"
    gone = await web.call("DELETE", path)
    assert (gone.status, gone.json) == (200, {"ok": True, "id": key.id, "cancelled": 2})
    assert (await message(web, 1))["error"] == "its API key was revoked"
    assert (await web.call("DELETE", path)).status == 404


async def test_a_send_that_is_under_way_while_its_key_is_revoked_is_refused(web: Web) -> None:
    key = await make_key(web, "send")
    principal = await web.services.accounts.authentication.authenticate(
        key.key, org_name=ORG, address="203.0.113.9", scope="send"
    )
    await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    with pytest.raises(Unauthorized, match="was revoked"):
        await web.services.sending.send(principal, [Outgoing(to=FRIEND, body="x")])
    assert ids(await web.call("GET", f"/messages/{ORG}")) == []


async def test_what_is_on_a_phone_already_is_left(web: Web) -> None:
    sims = (Sim(slot=0, number=SIM),)
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
    key = await make_key(web, "send")
    await send(key)
    gone = await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    assert gone.json["cancelled"] == 0
    assert (await message(web, 1))["status"] == "sending"


# -- copies


@pytest.mark.parametrize("limit", ["per_hour", "per_day"])
async def test_a_copy_counts_as_a_message(web: Web, limit: str) -> None:
    sims = (Sim(slot=0, number=SIM),)
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
    key = await agent(web, {limit: 3})
    for _ in range(2):
        await send(key, on_uncertain="resend")
    await lose(web, 1)
    assert (await message(web, 3))["key"] == key.id
    refused = await key.sends("send_sms")
    assert refused.json["code"] in {"key_limit_reached", "batch_over_key_limit"}
    await lose(web, 2)
    lost = await message(web, 2)
    assert lost["status"] == "uncertain"
    assert lost["error"] == ("it vanished; not sent again: its API key has sent as many as it may")
    assert ids(await web.call("GET", f"/messages/{ORG}")) == [1, 2, 3]


async def test_a_revoked_key_has_no_copies(web: Web) -> None:
    sims = (Sim(slot=0, number=SIM),)
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
    key = await make_key(web, "send")
    await send(key, on_uncertain="resend")
    await web.call("DELETE", f"/keys/{ORG}/{key.id}")
    await lose(web, 1)
    assert (await message(web, 1))["error"] == (
        "it vanished; not sent again: its API key was revoked"
    )
    assert ids(await web.call("GET", f"/messages/{ORG}")) == [1]


async def lose(web: Web, id_: int) -> None:
    """A phone took it and vanished."""
    (org,) = [one.id for one in await web.services.accounts.orgs.all()]

    def op(tx: Any) -> None:
        found = tx.messages.find(org, id_)
        delivery.give_up(tx, found, Cause.LOST_TRACK, "it vanished", NOW)

    await web.database.write(op)


# -- cancelling


async def test_a_key_with_limits_cancels_what_it_sent_itself(web: Web) -> None:
    key, free = await agent(web, {"to": ["+1555*"]}), await make_key(web, "send")
    mine = await send(key)
    theirs = await send(free, send_at=LATER)
    by_owner = await web.call("POST", f"/send/{ORG}", {"to": FRIEND, "body": "x"})
    for id_ in (theirs, by_owner.json["results"][0]["id"]):
        reply = await key.call("DELETE", f"/messages/{ORG}/id/{id_}")
        assert (reply.status, reply.json["code"]) == (403, "forbidden")
        assert (await message(web, id_))["status"] == "queued"
    assert (await key.call("DELETE", f"/messages/{ORG}/id/{mine}")).status == 200
    assert (await key.call("DELETE", f"/messages/{ORG}/id/99")).status == 404
    assert (await free.call("DELETE", f"/messages/{ORG}/id/{theirs}")).status == 200


# -- reading


async def test_a_key_sees_the_messages_of_those_it_may(web: Web) -> None:
    key = await agent(web, {"from": ["+15553*", "+491701234567"]})
    await receive(web, (FRIEND, "hello"), (OTHER, "hello"), ("BANK", "hello"))
    await receive(web, ("+491701234567", "hello"), ("15553334444", "hello"))
    await web.call("POST", f"/send/{ORG}", {"to": OTHER, "body": "hello"})
    await web.call("POST", f"/send/{ORG}", {"to": FRIEND, "body": "hello"})
    seen = [1, 4, 7]
    for query in ("", "?since_id=0", "?q=hello", "?q=hel*", "?since_id=0&q=hello", "?limit=500"):
        assert ids(await key.call("GET", f"/messages/{ORG}{query}")) == seen, query
    for query, expected in (
        (f"?address={OTHER.replace('+', '%2B')}", []),
        (f"?address={FRIEND.replace('+', '%2B')}", [1, 7]),
        ("?address=BANK", []),
        ("?direction=in", [1, 4]),
        ("?direction=out", [7]),
        ("?status=received", [1, 4]),
        ("?status=queued", [7]),
        ("?since_id=1&limit=1", [4]),
        ("?before_id=7&limit=1", [4]),
        ("?q=hello&address=BANK", []),
        ("?status=queued&q=hello", [7]),
        ("?waiting_for=approval", []),
    ):
        assert ids(await key.call("GET", f"/messages/{ORG}{query}")) == expected, query
    for id_ in range(1, 8):
        reply = await key.call("GET", f"/messages/{ORG}/id/{id_}")
        assert reply.status == (200 if id_ in seen else 404)
        # A message that it can't see is as one that is not there.
        if id_ not in seen:
            cancelled = await key.call("DELETE", f"/messages/{ORG}/id/{id_}")
            assert (cancelled.status, cancelled.json["code"]) == (404, "not_found")
    assert reply_of(await rpc(key, "get_messages", q="hello")) == seen
    assert (await rpc(key, "get_message", id=3))["isError"]
    reply = await rpc(key, "wait_for_reply", since_id=1, timeout_s=1)
    assert reply["structuredContent"]["message"]["id"] == 4


def reply_of(result: dict[str, Any]) -> list[int]:
    return [one["id"] for one in result["structuredContent"]["messages"]]


async def rpc(key: Agent, tool: str, **arguments: Any) -> Any:
    params = {"name": tool, "arguments": arguments}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"MCP-Protocol-Version": "2025-11-25"}
    reply = await key.call("POST", "/mcp", call, **headers)
    assert reply.status == 200, reply.data
    return reply.json["result"]


async def test_codes_are_hidden_wherever_the_key_reads(web: Web) -> None:
    key = await agent(web, {"codes": "hidden"})
    await receive(web, ("BANK", "Use 493021 to sign in"), (FRIEND, "Your code: 771204"))
    await receive(web, (FRIEND, "meet at 1830, table 4411"))
    page = await key.call("GET", f"/messages/{ORG}")
    texts = [one["body"] for one in page.json["messages"]]
    assert texts == ["Use ****** to sign in", "Your code: ******", "meet at 1830, table 4411"]
    for found in (
        page.data.decode(),
        (await key.call("GET", f"/messages/{ORG}/id/1")).data.decode(),
        (await key.call("GET", f"/messages/{ORG}?q=sign")).data.decode(),
        json.dumps(await rpc(key, "get_messages")),
        json.dumps(await rpc(key, "get_message", id=2)),
        json.dumps(await rpc(key, "wait_for_reply", since_id=0)),
    ):
        assert "493021" not in found
        assert "771204" not in found
    owner = await web.call("GET", f"/messages/{ORG}/id/1")
    assert owner.json["message"]["body"] == "Use 493021 to sign in"


async def test_a_search_tells_nothing_of_hidden_codes(web: Web) -> None:
    key = await agent(web, {"codes": "hidden"})
    await receive(web, ("BANK", "Your code is QWERTY or 493021, https://b.example/zebra"))
    answers = set()
    for word in ("493021", "4*", "111111", "9*", "%EF%BC%94%EF%BC%99%EF%BC%93*", "code%204*"):
        reply = await key.call("GET", f"/messages/{ORG}?q={word}")
        assert (reply.status, list(reply.fields)) == (400, ["q"])
        answers.add(reply.data)
    assert len(answers) == 1
    for word in ("qwerty", "qwe*", "zebra", "z*"):
        assert ids(await key.call("GET", f"/messages/{ORG}?q={word}")) == []
        assert ids(await key.call("GET", f"/messages/{ORG}?since_id=0&q={word}")) == []
        assert ids(await web.call("GET", f"/messages/{ORG}?q={word}")) == [1]
    await web.database.write(lambda tx: tx.word_index.add_missing(100))
    for word in ("qwerty", "qwe*", "zebra", "z*"):
        assert ids(await key.call("GET", f"/messages/{ORG}?q={word}")) == []
    assert ids(await key.call("GET", f"/messages/{ORG}?q=code")) == [1]


# -- being a phone


async def test_a_key_of_a_phone_pushes_and_does_nothing_else(web: Web) -> None:
    made = await make_key(web, "phone")
    sms = {"messages": [{"address": FRIEND, "body": "hi"}]}
    assert (await made.call("POST", "/webhook", sms)).json["stored"] == 1
    for method, path, body in (
        ("GET", f"/messages/{ORG}", None),
        ("GET", f"/sims/{ORG}", None),
        ("POST", f"/send/{ORG}", {"to": FRIEND, "body": "x"}),
        ("GET", f"/keys/{ORG}", None),
    ):
        reply = await made.call(method, path, body)
        assert (reply.status, reply.json["code"]) == (403, "forbidden")
    assert (await (await make_key(web, "manage")).call("POST", "/webhook", sms)).status == 200
    assert (await (await make_key(web, "send", "read")).call("POST", "/webhook", sms)).status == 403


async def test_a_key_that_may_manage_makes_keys_of_phones(web: Web) -> None:
    manager = await make_key(web, "manage")
    made = await manager.call("POST", f"/keys/{ORG}", {"name": "p", "scopes": ["phone"]})
    assert (made.status, made.json["scopes"]) == (201, ["phone"])
    assert (await make_key(web)).id


async def test_a_key_with_limits_is_no_phone(web: Web) -> None:
    body = {"name": "x", "scopes": ["phone"], "limits": {"hold": True}}
    reply = await web.call("POST", f"/keys/{ORG}", body)
    assert (reply.status, list(reply.fields)) == (400, ["scopes"])
    assert SECRET not in reply.data.decode()
