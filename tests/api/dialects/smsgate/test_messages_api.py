"""Messages by the third-party API of SMS Gateway for Android."""

from typing import Any

import pytest

from phonegate.model.messages import NewInbound
from phonegate.model.orgs import KeyLimits
from phonegate.model.states import Cause
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, Web, known_phone
from tests.api.dialects.smsgate.client import BASE, Client, basic, online_phone

ONE, TWO = "+15553334444", "+15553335555"


async def test_a_message_to_one_number(client: Client) -> None:
    reply = await client.send(ONE, withDeliveryReport=True, isEncrypted=False, priority=0)
    sent = reply.json
    assert reply.status == 202
    assert reply.headers["location"] == f"{client.base}/messages/{sent['id']}"
    assert len(sent["id"]) == 21
    assert sent == {
        "id": sent["id"],
        "deviceId": "",
        "state": "Pending",
        "isHashed": False,
        "isEncrypted": False,
        "recipients": [{"phoneNumber": ONE, "state": "Pending"}],
        "states": {"Pending": "2027-01-15T08:00:00.000Z"},
        "createdAt": "2027-01-15T08:00:00.000Z",
    }
    found = await client.call("GET", f"/messages/{sent['id']}")
    assert found.json == sent | {"textMessage": {"text": "Hello"}}
    assert (await client.call("GET", f"/message/{sent['id']}")).json == found.json


async def test_what_older_clients_send(client: Client) -> None:
    reply = await client.call("POST", "/message", {"message": "Hi", "phoneNumbers": [ONE]})
    assert reply.status == 202
    found = await client.call("GET", f"/message/{reply.json['id']}")
    assert found.json["textMessage"] == {"text": "Hi"}


async def test_one_message_for_several_numbers(client: Client) -> None:
    sent = await client.sent(ONE, TWO, id="order-4711")
    assert sent["id"] == "order-4711"
    assert [one["phoneNumber"] for one in sent["recipients"]] == [ONE, TWO]
    (listed,) = (await client.call("GET", "/messages")).json
    assert listed == sent
    assert [one.address for one in await stored(client.web)] == [ONE, TWO]


async def test_the_same_id_again_sends_nothing(client: Client) -> None:
    await client.sent(id="order-4711")
    reply = await client.send(TWO, id="order-4711")
    assert (reply.status, set(reply.json)) == (409, {"message"})
    assert len(await stored(client.web)) == 1


async def test_it_is_given_to_a_phone(client: Client) -> None:
    phone = await online_phone(client.web)
    sent = await client.sent(simNumber=1, deviceId=str(phone), ttl=3600, priority=100)
    assert (sent["state"], sent["deviceId"]) == ("Processed", str(phone))
    (pushed,) = client.web.phones.pushed
    assert (pushed.sim, pushed.priority, pushed.expires_at) == (
        "+15551112222",
        100,
        NOW + 3_600_000,
    )
    found = (await client.call("GET", f"/messages/{sent['id']}")).json
    assert (found["state"], found["deviceId"]) == ("Processed", str(phone))


async def test_the_sim_of_a_phone_without_a_number(client: Client) -> None:
    phone = await online_phone(client.web, number=None)
    await client.sent(simNumber=1, deviceId=str(phone))
    (pushed,) = client.web.phones.pushed
    assert (pushed.phone, pushed.sim_slot) == (phone, 0)


async def test_a_phone_without_a_number_can_t_be_chosen_among_several(client: Client) -> None:
    await known_phone(client.web.database, "another")
    phone = await online_phone(client.web, number=None)
    reply = await client.send(ONE, simNumber=1, deviceId=str(phone))
    assert (reply.status, "deviceId" in reply.json["message"]) == (400, True)
    assert await stored(client.web) == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"phoneNumbers": []}, "phoneNumbers"),
        ({"phoneNumbers": [f"+1555{n:07}" for n in range(101)]}, "phoneNumbers"),
        ({"phoneNumbers": ["nobody"]}, "phoneNumbers"),
        ({"textMessage": None}, "textMessage"),
        ({"textMessage": {"text": ""}}, "textMessage.text"),
        ({"message": "Hi"}, "textMessage"),
        ({"textMessage": None, "dataMessage": {"data": "YQ==", "port": 1}}, "dataMessage"),
        ({"textMessage": None, "mmsMessage": {"attachments": []}}, "mmsMessage"),
        ({"isEncrypted": True}, "isEncrypted"),
        ({"id": "x" * 37}, "id"),
        ({"simNumber": -1}, "simNumber"),
        ({"deviceId": "9"}, "deviceId"),
        ({"deviceId": "pixel"}, "deviceId"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": 60, "validUntil": "2027-01-15T09:00:00Z"}, "validUntil"),
        ({"validUntil": "2027-01-15T07:00:00Z"}, "validUntil"),
        ({"scheduleAt": "soon"}, "scheduleAt"),
        ({"priority": 128}, "priority"),
    ],
)
async def test_what_is_wrong_is_named(web: Web, more: dict[str, Any], field: str) -> None:
    client = Client(web)
    body = {"phoneNumbers": [ONE], "textMessage": {"text": "Hi"}, **more}
    reply = await client.call("POST", "/messages", body)
    assert reply.status == 400
    assert set(reply.json) == {"message", "data"}
    assert [name.partition("[")[0] for name in reply.json["data"]] == [field]
    assert await stored(web) == []


async def test_times(web: Web) -> None:
    client = Client(web)
    sent = await client.sent(
        scheduleAt="2027-01-15T09:00:00.123456+00:00", validUntil="2027-01-15T09:00:30"
    )
    found = (await client.call("GET", f"/messages/{sent['id']}")).json
    assert (found["state"], found["scheduleAt"]) == ("Pending", "2027-01-15T09:00:00.123Z")
    (one,) = await stored(web)
    assert one.held_until is not None
    # What is left of the time is counted in whole seconds.
    assert one.expires_at == one.held_until + 29_000


async def test_a_list(client: Client) -> None:
    ids = [(await client.sent(id=f"m{n}"))["id"] for n in range(3)]
    await finish(client.web, "m1", Cause.PUSHED, Cause.RADIOED)

    async def listed(query: str) -> tuple[list[str], str]:
        reply = await client.call("GET", f"/messages?{query}")
        assert reply.status == 200
        return [one["id"] for one in reply.json], reply.headers["x-total-count"]

    assert await listed("") == (ids[::-1], "3")
    assert await listed("sort=created_at&limit=1&offset=1") == (["m1"], "3")
    assert await listed("state=Sent") == (["m1"], "1")
    assert await listed("state=Pending") == (["m2", "m0"], "2")
    assert await listed("state=Cancelling") == ([], "0")
    assert await listed("from=2027-01-15T08:00:00%2B00:00&to=2027-01-15T08:00:00Z") == (
        ids[::-1],
        "3",
    )
    assert await listed("to=2027-01-15T07:59:59.999+00:00") == ([], "0")
    assert await listed("deviceId=1") == ([], "0")
    (whole, *_) = (await client.call("GET", "/messages?includeContent=true")).json
    assert whole["textMessage"] == {"text": "Hello"}
    wrong = await client.call("GET", "/messages?state=Lost&limit=0")
    assert (wrong.status, set(wrong.json["data"])) == (400, {"state", "limit"})


async def test_what_was_sent_otherwise_is_there_too(client: Client) -> None:
    sent = await client.web.call("POST", f"/send/{ORG}", {"to": ONE, "body": "Hi"})
    id_ = str(sent.json["results"][0]["id"])
    assert [one["id"] for one in (await client.call("GET", "/messages")).json] == [id_]
    assert (await client.call("GET", f"/messages/{id_}")).json["id"] == id_


async def test_states(client: Client) -> None:
    await client.sent(ONE, TWO, id="m")
    await finish(client.web, "m", Cause.PUSHED, Cause.RADIOED, to=ONE)
    found = (await client.call("GET", "/messages/m")).json
    assert (found["state"], states(found)) == ("Pending", ["Sent", "Pending"])
    await finish(client.web, "m", Cause.PUSHED, Cause.REFUSED, to=TWO)
    found = (await client.call("GET", "/messages/m")).json
    assert (found["state"], states(found)) == ("Sent", ["Sent", "Failed"])
    assert found["recipients"][1]["error"] == "no"
    assert set(found["states"]) == {"Pending", "Sent"}
    await finish(client.web, "m", Cause.DELIVERED, to=ONE)
    await finish(client.web, "m", Cause.DELIVERED, to=TWO)
    found = (await client.call("GET", "/messages/m")).json
    assert found["state"] == "Delivered"


async def test_cancel(client: Client) -> None:
    await client.sent(ONE, TWO, id="m")
    await finish(client.web, "m", Cause.PUSHED, Cause.RADIOED, to=ONE)
    reply = await client.call("DELETE", "/messages/m")
    assert (reply.status, states(reply.json)) == (200, ["Sent", "Cancelled"])
    again = await client.call("DELETE", "/messages/m")
    assert (again.status, again.json) == (409, {"message": "Message is not pending."})


@pytest.mark.parametrize("id_", ["x", "99", "9" * 30, "%F0%9F%98%80"])
async def test_an_unknown_message(client: Client, id_: str) -> None:
    for method in ("GET", "DELETE"):
        reply = await client.call(method, f"/messages/{id_}")
        assert (reply.status, set(reply.json)) == (404, {"message"})


@pytest.mark.parametrize("base", [BASE, ""])
async def test_a_received_message_is_none_to_show_or_to_cancel(web: Web, base: str) -> None:
    client, received = Client(web, base), await receive(web)
    assert (await client.call("GET", f"/messages/{received}")).status == 404
    assert (await client.call("DELETE", f"/messages/{received}")).status == 404


async def test_a_limited_key_sees_what_it_may(web: Web) -> None:
    owner = Client(web)
    await owner.sent("+4911111111", id="seen")
    await owner.sent("+4911111111", ONE, id="both")
    await owner.sent(ONE, id="unseen")
    limits = KeyLimits(to=("+49*",), sees=("+49*",), per_day=1)
    _, text = await web.services.accounts.keys.add(1, "app", ["send", "read"], limits)
    client = Client(web, headers=basic("anything", text))
    listed = (await client.call("GET", "/messages")).json
    assert {one["id"]: len(one["recipients"]) for one in listed} == {"seen": 1, "both": 1}
    assert (await client.call("GET", "/messages/unseen")).status == 404
    assert (await client.call("DELETE", "/messages/seen")).status == 403
    refused = await client.send(ONE)
    assert (refused.status, set(refused.json["data"])) == (403, {"phoneNumbers"})
    await client.sent("+4922222222")
    assert (await client.send("+4922222222")).status == 429


async def test_an_idempotency_key_counts(web: Web) -> None:
    client, key = Client(web), {"idempotency-key": "k1"}
    body = {"phoneNumbers": [ONE], "textMessage": {"text": "Hi"}}
    first = await client.call("POST", "/messages", body, **key)
    again = await client.call("POST", "/messages", body, **key)
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert len(await stored(web)) == 1


def states(found: dict[str, Any]) -> list[str]:
    return [one["state"] for one in found["recipients"]]


async def stored(web: Web) -> list[Any]:
    def read(tx: Tables) -> list[Any]:
        rows = tx.messages._connection.execute("SELECT id FROM messages ORDER BY id").fetchall()
        return [tx.messages.find(1, id_) for (id_,) in rows]

    found: list[Any] = await web.database.read(read)
    return found


async def receive(web: Web, **more: Any) -> int:
    """Stores a received message."""
    fields = {"date": NOW, "phone": None, "sim_slot": 0, "sim": "+15551112222", **more}

    def add(tx: Tables) -> int:
        new = NewInbound(org=1, address=ONE, body="Yes", created_at=NOW, **fields)
        id_ = tx.messages.insert_inbound(new)
        assert id_ is not None
        return id_

    return await web.database.write(add)


async def finish(web: Web, client_id: str, *causes: Cause, to: str | None = None) -> None:
    """Has what happens to messages happen."""

    def change(tx: Tables) -> None:
        for one in tx.client_messages.of_client_id(1, client_id):
            for cause in causes if to in (None, one.address) else ():
                columns: dict[str, Any] = {"error": "no"} if cause is Cause.REFUSED else {}
                if cause is Cause.RADIOED:
                    columns = {"sent_at": NOW}
                found = tx.messages.find(1, one.id)
                assert found is not None
                tx.messages.transition(found, cause, **columns)

    await web.database.write(change)


async def test_long_texts_are_sent_in_many_segments(web: Web) -> None:
    client = Client(web)
    sent = await client.sent(text="x" * 153 * 255)
    (one,) = await stored(web)
    assert one.segments == 255
    assert sent["state"] == "Pending"
    refused = await client.send(ONE, text="x" * (153 * 255 + 1))
    assert (refused.status, list(refused.json["data"])) == (400, ["textMessage.text"])


async def test_who_may_only_send_is_shown_no_number_of_what_it_cancels(
    web: Web, client: Client
) -> None:
    made = await client.sent("+15553334444", scheduleAt="2027-06-01T00:00:00Z")
    limited = await web.call("POST", f"/keys/{ORG}", {"name": "n", "scopes": ["send"]})
    sender = Client(web, headers=basic("any", limited.json["key"]))
    reply = await sender.call("DELETE", f"/messages/{made['id']}")
    assert reply.status == 200
    assert reply.json["recipients"] == [{"phoneNumber": "", "state": "Cancelled"}]


async def test_any_id_leads_to_its_message(client: Client) -> None:
    reply = await client.send("+15553334444", id="ä/../?#%2f")
    assert reply.headers["location"] == f"{client.base}/messages/%C3%A4%2F..%2F%3F%23%252f"
    found = await client.web.call(
        "GET", reply.headers["location"], secret=None, headers=client.headers
    )
    assert found.json["id"] == "ä/../?#%2f"
