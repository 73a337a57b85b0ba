"""The API of Teltonika's routers, by the requests of Uptime Kuma."""

import json
from typing import Any

from tests.api.conftest import ORG, SECRET, Web
from tests.api.dialects.clients import FRIEND, OTHER, client, sent


async def post(web: Web, path: str, body: Any, token: str | None = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await web.call("POST", path, body, secret=None, headers=headers)


def message(number: str, text: str = "[Down] web") -> Any:
    return {"data": {"modem": "1-1", "number": number, "message": text}}


async def test_uptime_kuma_logs_in_and_sends(web: Web) -> None:
    # server/notification-providers/teltonika.js
    key = (await client(web)).key
    reply = await post(web, "/api/login", {"username": "kuma", "password": key})
    assert (reply.status, reply.json["success"]) == (200, True)
    assert reply.headers["Cache-Control"] == "no-store"
    token = reply.json["data"]["token"]
    reply = await post(web, "/api/messages/actions/send", message(FRIEND), token)
    assert (reply.status, reply.json) == (200, {"success": True, "data": {"sms_used": 1}})
    [one] = await sent(web)
    assert (one.address, one.body) == (FRIEND, "[Down] web")


async def test_what_is_no_key_is_no_token(web: Web) -> None:
    for pair in (
        {"username": ORG, "password": SECRET},
        {"username": "kuma", "password": "wrong"},
        {"username": "kuma", "password": "pgk_wrong"},
        {"username": "kuma"},
    ):
        reply = await post(web, "/api/login", pair)
        assert reply.status == 401, pair
        assert reply.json["success"] is False
        assert reply.json["errors"][0]["code"] == 121
        assert SECRET not in json.dumps(reply.json)


async def test_a_key_that_may_not_send_gets_no_token(web: Web) -> None:
    key = (await client(web, "read")).key
    reply = await post(web, "/api/login", {"username": "kuma", "password": key})
    assert (reply.status, reply.json["errors"][0]["code"]) == (403, 120)


async def test_wrong_requests_are_refused_in_its_form(web: Web) -> None:
    key = (await client(web)).key
    bodies: list[Any] = [{}, {"data": {}}, {"data": 7}, message("x"), message(FRIEND, "")]
    for body in (*bodies, message(f"{FRIEND},{OTHER}")):
        reply = await post(web, "/api/messages/actions/send", body, key)
        assert reply.status == 400, body
        assert reply.json["success"] is False
        assert reply.json["errors"][0]["code"] == 122
    assert await sent(web) == []
