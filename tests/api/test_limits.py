"""API keys with limits: set over the API, and held at every route that the table has."""

import json
from typing import Any

import attrs
import pytest

from phonegate.api.endpoint import Endpoint
from phonegate.api.table import build_table
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.key_limits import STEP_MS
from phonegate.model.phones import Sim
from phonegate.model.times import HOUR_MS, iso
from tests.api.conftest import (
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.captured_logs import capture_logs

ENDPOINTS = {e.name: e for e in build_table(dialects=()).endpoints}
SIM = "+15551112222"
ALLOWED, FOREIGN = "+15553334444", "+15559990000"

SENDING: dict[str, Any] = {
    "send_sms": lambda to: {"messages": [{"to": ALLOWED, "body": "x"}, {"to": to, "body": "x"}]},
    "send_sms_from_number": lambda to: {
        "from_phone_number": SIM,
        "to_phone_number": to,
        "message": "x",
    },
}
"""The body by which each route that sends is called; it sends to somebody allowed too, or not."""

NO_SENDING = {"cancel_message"}
"""Routes of the scope `send` by which nothing leaves."""

FULL: dict[str, Any] = {
    "to": ["+15553*", "+491701234567"],
    "per_hour": 10,
    "per_day": 50,
    "quiet_hours": {"hours": "22:00-07:00", "zone": "Europe/Berlin"},
    "hold": True,
    "from": ["+15553*", "12345"],
    "codes": "hidden",
}
NONE: dict[str, Any] = dict.fromkeys(FULL) | {"hold": False}


@attrs.frozen
class Agent:
    """Whoever holds a key with limits."""

    web: Web
    id: str
    key: str

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"Authorization": f"Bearer {self.key}"} | headers
        return await self.web.call(method, path, body, secret=None, headers=sent)

    async def sends(self, route: str, to: str = ALLOWED, **headers: str) -> Reply:
        path = ENDPOINTS[route].paths[0].replace("{org}", ORG)
        return await self.call("POST", path, SENDING[route](to), **headers)


async def agent(web: Web, limits: dict[str, Any], **key: Any) -> Agent:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "agent", "limits": limits, **key})
    assert made.status == 201, made.data
    return Agent(web, made.json["id"], made.json["key"])


@pytest.fixture
async def phone(web: Web) -> None:
    """A phone that takes whatever it is given."""
    sims = (Sim(slot=0, number=SIM),)
    web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))


async def stored(web: Web) -> list[dict[str, Any]]:
    answer = await web.call("GET", f"/messages/{ORG}?limit=1000")
    messages: list[dict[str, Any]] = answer.json["messages"]
    return messages


# -- setting them


async def test_limits_are_set_shown_changed_and_lifted(web: Web) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "agent", "limits": FULL})
    assert made.json["limits"] == FULL
    assert made.json["scopes"] == ["send", "read"]
    path = f"/keys/{ORG}/{made.json['id']}"
    with capture_logs() as logs:
        changed = await web.call("PATCH", path, {"limits": {"per_hour": 3}})
    (line,) = (one for one in logs if one["event"] == "key_limited")
    assert (line["org"], line["key"]) == (ORG, made.json["id"])
    assert changed.json["key"]["limits"] == NONE | {"per_hour": 3}
    listed = await web.call("GET", f"/keys/{ORG}")
    assert listed.json["keys"] == [changed.json["key"]]
    lifted = await web.call("PATCH", path, {"limits": {}})
    assert "limits" not in lifted.json["key"]
    assert (await web.call("PATCH", f"/keys/{ORG}/nosuchid", {"limits": {}})).status == 404


async def test_another_org_s_key_can_t_be_limited(web: Web) -> None:
    await web.make_org("other", "another-secret-9")
    theirs = await agent(web, {"per_hour": 1})
    reply = await web.call(
        "PATCH", f"/keys/other/{theirs.id}", {"limits": {}}, secret="another-secret-9"
    )
    assert reply.status == 404
    (key,) = (await web.call("GET", f"/keys/{ORG}")).json["keys"]
    assert key["limits"]["per_hour"] == 1


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"to": []}, "limits.to"),
        ({"to": ["+1555*", "everybody"]}, "limits.to[1]"),
        ({"to": ["*"]}, "limits.to[0]"),
        ({"to": ["1*"]}, "limits.to[0]"),
        ({"to": ["+1*", "12*"]}, "limits.to[1]"),
        ({"from": []}, "limits.from"),
        ({"from": ["+1555*", "everybody"]}, "limits.from[1]"),
        ({"from_": ["+1555*"]}, "limits.from_"),
        ({"codes": "shown"}, "limits.codes"),
        ({"codes": True}, "limits.codes"),
        ({"per_hour": 0}, "limits.per_hour"),
        ({"per_hour": True}, "limits.per_hour"),
        ({"per_day": "5"}, "limits.per_day"),
        ({"per_dya": 5}, "limits.per_dya"),
        ({"hold": "yes"}, "limits.hold"),
        ({"hold": 1}, "limits.hold"),
        ({"quiet_hours": {"hours": "22:00-07:00"}}, "limits.quiet_hours.zone"),
        ({"quiet_hours": {"hours": "22:00-22:00", "zone": "UTC"}}, "limits.quiet_hours.hours"),
        ({"quiet_hours": {"hours": "22:00-24:00", "zone": "UTC"}}, "limits.quiet_hours.hours"),
        ({"quiet_hours": {"hours": "10pm-7am", "zone": "UTC"}}, "limits.quiet_hours.hours"),
        ({"quiet_hours": {"hours": "22:00-07:00", "zone": "CEST"}}, "limits.quiet_hours.zone"),
        ({"quiet_hours": "22:00-07:00"}, "limits.quiet_hours"),
        ("none", "limits"),
    ],
    ids=str,
)
async def test_a_wrong_limit_is_named(web: Web, limits: Any, field: str) -> None:
    reply = await web.call("POST", f"/keys/{ORG}", {"name": "x", "limits": limits})
    assert (reply.status, list(reply.fields)) == (400, [field])
    key = await agent(web, {"per_hour": 1})
    reply = await web.call("PATCH", f"/keys/{ORG}/{key.id}", {"limits": limits})
    assert (reply.status, list(reply.fields)) == (400, [field])


async def test_limits_and_manage_exclude_each_other(web: Web) -> None:
    body = {"name": "x", "scopes": ["send", "manage"], "limits": {"hold": True}}
    reply = await web.call("POST", f"/keys/{ORG}", body)
    assert (reply.status, list(reply.fields)) == (400, ["scopes"])
    # Limits of nothing are none.
    assert (await web.call("POST", f"/keys/{ORG}", body | {"limits": {}})).status == 201


async def test_a_change_holds_at_once(web: Web, phone: None) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "all"})
    agent_ = Agent(web, made.json["id"], made.json["key"])
    assert (await agent_.call("GET", f"/keys/{ORG}")).status == 200
    path = f"/keys/{ORG}/{agent_.id}"
    assert (await web.call("PATCH", path, {"limits": {"to": ["911"]}})).status == 200
    assert await _scopes(web) == ["send", "read"]
    assert (await agent_.sends("send_sms")).status == 403
    reply = await agent_.call("GET", f"/keys/{ORG}")
    assert (reply.status, reply.json["code"]) == (403, "forbidden")
    assert "has limits" in reply.json["detail"]
    assert (await web.call("PATCH", path, {"limits": {}})).status == 200
    assert await _scopes(web) == ["send", "read", "manage"]
    assert (await agent_.sends("send_sms")).status == 200
    assert (await agent_.call("GET", f"/keys/{ORG}")).status == 200


async def _scopes(web: Web) -> list[str]:
    """What the org's one key is shown to do."""
    (key,) = (await web.call("GET", f"/keys/{ORG}")).json["keys"]
    scopes: list[str] = key["scopes"]
    return scopes


# -- every route


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
async def test_no_route_lets_a_key_past_its_limits(
    web: Web, phone: None, endpoint: Endpoint
) -> None:
    """A new route fails here until somebody has thought of what it lets such a key do."""
    key = await agent(web, {"to": [ALLOWED], "hold": True})
    held = (await key.call("POST", f"/send/{ORG}", {"to": ALLOWED, "body": "x"})).json
    before = await stored(web)
    ids = {"keys": key.id, "messages": str(held["results"][0]["id"])}
    template = endpoint.paths[0]
    path = template.replace("{org}", ORG).replace("{id}", ids.get(template.split("/")[1], "1"))
    if endpoint.scope in ("manage", "phone"):
        body = json.loads(endpoint.examples[0].body or "{}") if endpoint.body else None
        if body is not None:
            body.pop("secret_key", None)
        reply = await key.call(endpoint.method, path, body)
        assert (reply.status, reply.json["code"]) == (403, "forbidden")
        assert await stored(web) == before
    elif endpoint.name in SENDING:
        reply = await key.sends(endpoint.name, FOREIGN)
        assert (reply.status, reply.json["code"]) == (403, "recipient_not_allowed")
        assert await stored(web) == before
        assert (await key.sends(endpoint.name)).status == 200
        assert {m["waiting_for"] for m in await stored(web)} == {"approval"}
        assert web.phones.pushed == []
        assert web.carrier.taken == []
    else:
        # What else a key can open reads, takes away, or is another protocol over these routes.
        assert endpoint.scope in ("read", "any", None) or endpoint.name in NO_SENDING


@pytest.mark.parametrize("place", ["header", "path", "body"])
async def test_wherever_the_key_stands(web: Web, phone: None, place: str) -> None:
    key = await agent(web, {"to": ["911"]})
    body, path, headers = {"to": FOREIGN, "body": "x"}, f"/send/{ORG}", dict[str, str]()
    if place == "header":
        headers = {"X-Secret-Key": key.key}
    elif place == "path":
        path += f"/{key.key}"
    else:
        body["secret_key"] = key.key
    reply = await web.call("POST", path, body, secret=None, headers=headers)
    assert reply.json["code"] == "recipient_not_allowed"


# -- what a refusal says


async def test_a_foreign_recipient_is_named_and_the_others_are_not(web: Web, phone: None) -> None:
    key = await agent(web, {"to": [ALLOWED, "+4917*"]})
    reply = await key.sends("send_sms", FOREIGN)
    assert list(reply.fields) == ["messages[1].to"]
    assert ALLOWED not in reply.data.decode()
    assert "+4917" not in reply.data.decode()
    single = await key.call("POST", f"/send/{ORG}", {"to": FOREIGN, "body": "x"})
    assert list(single.fields) == ["to"]
    sms = await key.sends("send_sms_from_number", FOREIGN)
    assert list(sms.fields) == ["to_phone_number"]


@pytest.mark.parametrize("route", SENDING)
async def test_a_full_limit_says_which_and_when_it_ends(web: Web, phone: None, route: str) -> None:
    key = await agent(web, {"per_hour": 2})
    while (reply := await key.sends(route)).status == 200:
        assert len(await stored(web)) <= 2
    ends_at = -(-NOW // STEP_MS) * STEP_MS + HOUR_MS
    assert (reply.status, reply.headers["Retry-After"]) == (429, str((ends_at - NOW) // 1000))
    assert reply.json == {
        "ok": False,
        "detail": reply.json["detail"],
        "code": "key_limit_reached",
        "limit": "per_hour",
        "ends_at": iso(ends_at),
    }
    assert "2 messages an hour" in reply.json["detail"]
    assert len(await stored(web)) == 2


async def test_a_batch_that_never_fits_is_not_told_to_come_again(web: Web, phone: None) -> None:
    key = await agent(web, {"per_day": 1})
    reply = await key.sends("send_sms")
    assert (reply.status, reply.json["code"]) == (403, "batch_over_key_limit")
    assert reply.json["limit"] == "per_day"
    assert "Retry-After" not in reply.headers


async def test_quiet_hours_say_when_they_end(web: Web, phone: None) -> None:
    # It is 08:00 UTC.
    key = await agent(web, {"quiet_hours": {"hours": "07:59-08:01", "zone": "UTC"}})
    reply = await key.sends("send_sms")
    assert (reply.status, reply.headers["Retry-After"]) == (429, "60")
    assert (reply.json["code"], reply.json["limit"]) == ("quiet_hours", "quiet_hours")
    assert reply.json["ends_at"] == "2027-01-15T08:01:00.000Z"
    assert "2027-01-15T08:01:00Z" in reply.json["detail"]


@pytest.mark.parametrize("route", SENDING)
async def test_a_repeat_is_given_its_answer_and_counts_once(
    web: Web, phone: None, route: str
) -> None:
    key = await agent(web, {"per_hour": 3})
    repeat = {"Idempotency-Key": "k1"}
    first = await key.sends(route, **repeat)
    assert first.status == 200
    for _ in range(3):
        again = await key.sends(route, **repeat)
        assert (again.status, again.data) == (200, first.data)
    count = len(await stored(web))
    refused = [await key.sends(route, **{"Idempotency-Key": f"x{i}"}) for i in range(3)]
    assert refused[-1].status == 429
    assert len(await stored(web)) <= 3
    # A refusal is not kept: the same key is tried again later.
    assert count < 3


@pytest.mark.parametrize("route", SENDING)
async def test_a_key_with_limits_learns_nothing_from_the_answers_to_others(
    web: Web, phone: None, route: str
) -> None:
    repeat = {"Idempotency-Key": "login-1"}
    path = ENDPOINTS[route].paths[0].replace("{org}", ORG)
    query = "" if ORG in path else f"?org_id={ORG}"
    first = await web.call("POST", f"{path}{query}", SENDING[route](FOREIGN), headers=repeat)
    assert first.status == 200, first.data
    key = await agent(web, {"to": [ALLOWED], "codes": "hidden"})
    for to in (FOREIGN, "+15559990001"):
        guess = await key.sends(route, to, **repeat)
        assert (guess.status, guess.json["code"]) == (403, "recipient_not_allowed")
        assert "Idempotent-Replayed" not in guess.headers
    mine = await key.sends(route, **repeat)
    assert (mine.status, "Idempotent-Replayed" in mine.headers) == (200, False)
    assert (await key.sends(route, **repeat)).data == mine.data
    # Another one with limits has its own, and a key without shares those of its org.
    other = await agent(web, {"per_hour": 9})
    theirs = await other.sends(route, **repeat)
    assert "Idempotent-Replayed" not in theirs.headers
    free = await web.call("POST", f"/keys/{ORG}", {"name": "free"})
    shares = Agent(web, free.json["id"], free.json["key"])
    again = await shares.sends(route, FOREIGN, **repeat)
    assert (again.status, again.data) == (200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"


# -- approval


@pytest.mark.parametrize("route", SENDING)
async def test_what_waits_for_approval_is_listed_and_decided(
    web: Web, phone: None, route: str
) -> None:
    key = await agent(web, {"hold": True})
    answered = await key.sends(route)
    if route == "send_sms":
        results = answered.json["results"]
        assert {(r["status"], r["waiting_for"]) for r in results} == {("queued", "approval")}
    else:
        assert set(answered.json) == {"success", "message_id", "message", "provider"}
        assert answered.json["message"] == "SMS accepted, waiting for approval to be sent via phone"
    await web.call("POST", f"/send/{ORG}", {"to": ALLOWED, "body": "free"})
    listed = await web.call("GET", f"/messages/{ORG}?waiting_for=approval")
    waiting = listed.json["messages"]
    assert {m["waiting_for"] for m in waiting} == {"approval"}
    assert {m["body"] for m in waiting} == {"x"}
    path = f"/messages/{ORG}/id/{waiting[0]['id']}"
    by_itself = await key.call("POST", f"{path}/approve")
    assert by_itself.status == 403
    with capture_logs() as logs:
        approved = await web.call("POST", f"{path}/approve")
    assert (approved.status, approved.json["ok"]) == (200, True)
    message = approved.json["message"]
    assert (message["send_at"], message["waiting_for"] in {"approval", "send_at"}) == (None, False)
    (line,) = (one for one in logs if one["event"] == "message_decided")
    assert (line["org"], line["message"], line["approval"]) == (ORG, message["id"], "given")
    with capture_logs() as logs:
        again = await web.call("POST", f"{path}/approve")
    assert again.json == approved.json
    assert not [one for one in logs if one["event"] == "message_decided"]
    refused = await web.call("POST", f"{path}/refuse")
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    listed = await web.call("GET", f"/messages/{ORG}?waiting_for=approval")
    assert len(listed.json["messages"]) == len(waiting) - 1


async def test_a_refused_message_is_cancelled(web: Web) -> None:
    key = await agent(web, {"hold": True})
    send_at = iso(NOW + HOUR_MS)
    body = {"to": ALLOWED, "body": "x", "send_at": send_at}
    sent = await key.call("POST", f"/send/{ORG}", body)
    (waiting,) = await stored(web)
    assert (waiting["send_at"], waiting["waiting_for"]) == (send_at, "approval")
    # The secret may stand in the path, as for reading the message.
    path = f"/messages/{ORG}/{SECRET}/id/{sent.json['results'][0]['id']}"
    for _ in range(2):
        refused = await web.call("POST", f"{path}/refuse", secret=None)
        assert refused.json["message"]["status"] == "cancelled"
        assert refused.json["message"]["error"] == "refused by its owner"
    assert (await web.call("POST", f"{path}/approve", secret=None)).status == 409


@pytest.mark.parametrize(("path", "status"), [("999", 404), ("0", 400), ("x", 400), ("id", 400)])
@pytest.mark.parametrize("decision", ["approve", "refuse"])
async def test_a_message_that_is_not_there(web: Web, path: str, status: int, decision: str) -> None:
    reply = await web.call("POST", f"/messages/{ORG}/id/{path}/{decision}")
    assert reply.status == status
