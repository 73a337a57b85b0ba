"""Jasmin's APIs, by the requests that programs make."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.conftest import NOW, ORG, SECRET, Web
from tests.api.dialects.clients import (
    FRIEND,
    OTHER,
    SIM,
    Client,
    client,
    connect_phone,
    sent,
)

SUCCESS = b'Success "1"'


def asked(key: str, **parameters: str) -> str:
    named = {name.replace("_", "-").rstrip("-"): value for name, value in parameters.items()}
    return "/send?" + urlencode({"username": "any", "password": key, **named})


async def rest(web: Web, path: str, body: Any, pair: str = f"{ORG}:{SECRET}") -> Any:
    token = base64.b64encode(pair.encode()).decode()
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Basic {token}"}
    return await web.call(method, path, body, secret=None, headers=headers)


async def test_rocket_chat_sends_by_mobex(web: Web) -> None:
    rocket = await client(web)
    # providers/mobex.ts puts the parameters into the address as they are
    path = f"/send?username=rc&password={rocket.key}&to=15553334444&from=RocketChat&content=a%20b"
    reply = await rocket.get(path)
    assert (reply.status, reply.data) == (200, SUCCESS)
    [one] = await sent(web)
    assert (one.address, one.body) == (FRIEND, "a b")


async def test_rapidpro_sends_by_jasmin(web: Web) -> None:
    await connect_phone(web)
    courier = await client(web)
    # handlers/jasmin/handler.go, with a text that GSM 03.38 can't say
    path = asked(
        courier.key,
        from_="15551112222",
        to="15553334444",
        dlr="yes",
        dlr_url="https://rapidpro.example.org/c/js/8eb23e93/status",
        dlr_level="2",
        dlr_method="POST",
        coding="8",
        hex_content="Привет ☺".encode().hex(),
    )
    reply = await courier.get(path)
    assert (reply.status, reply.data) == (200, SUCCESS)
    [one] = await sent(web)
    assert (one.body, one.sim_selector, one.status) == ("Привет ☺", SIM, "sending")
    assert one.status_callback is not None
    assert (one.status_callback.shape, one.status_callback.mask) == ("jasmin", 2)


async def test_a_secret_is_taken_by_post_alone(web: Web) -> None:
    asker = await client(web)
    query = urlencode({"username": ORG, "password": SECRET, "to": FRIEND, "content": "x"})
    reply = await asker.get(f"/send?{query}")
    assert reply.status == 400
    assert reply.data.startswith(b'Error "Authorization failed for user [myorg]')
    reply = await asker.post("/send", query)
    assert (reply.status, reply.data) == (200, SUCCESS)
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_jasmin_takes_json_too(web: Web) -> None:
    asker = await client(web)
    body = {"username": "x", "password": asker.key, "to": FRIEND, "content": "Grüße"}
    reply = await asker.post("/send", json.dumps(body), Content_Type="application/json")
    assert (reply.status, reply.data) == (200, SUCCESS)


async def test_options_reach_the_message(web: Web) -> None:
    asker = await client(web)
    path = asked(
        asker.key,
        to=FRIEND,
        content="x",
        priority="3",
        validity_period="90",
        sdt="270116080000000+",
        tags="a,b",
    )
    assert (await asker.get(path)).data == SUCCESS
    [one] = await sent(web)
    assert (one.priority, one.held_until) == (3, NOW + 86_400_000)
    assert one.expires_at == NOW + 86_400_000 + 90 * 60_000, "it counts minutes"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, 'Error "Mandatory argument [to] is not found."'),
        ({"to": FRIEND}, 'Error "content or hex-content not present."'),
        ({"to": FRIEND, "content": "a", "hex_content": "61"}, 'Error "content and hex-content can'),
        ({"to": "abc", "content": "x"}, 'Error "Argument [to] has an invalid value: ['),
        ({"to": f"{FRIEND},{OTHER}", "content": "x"}, 'Error "Argument [to] has an invalid'),
        ({"to": FRIEND, "content": ""}, 'Error "content or hex-content not present."'),
        ({"to": FRIEND, "hex_content": "6"}, 'Error "Argument [hex-content] has an invalid'),
        ({"to": FRIEND, "content": "x", "coding": "4"}, 'Error "Argument [coding] has an invalid'),
        ({"to": FRIEND, "content": "x", "priority": "9"}, 'Error "Argument [priority] has an'),
        ({"to": FRIEND, "content": "x", "sdt": "now"}, 'Error "Argument [sdt] has an invalid'),
        (
            {"to": FRIEND, "content": "x", "validity_period": "0"},
            'Error "Argument [validity-period] has an invalid value: [must be at least 1].',
        ),
        (
            {"to": FRIEND, "content": "x", "dlr_level": "4"},
            'Error "Argument [dlr-level] has an invalid value',
        ),
    ],
)
async def test_wrong_arguments(web: Web, parameters: dict[str, str], words: str) -> None:
    asker = await client(web)
    reply = await asker.get(asked(asker.key, **parameters))
    assert reply.status == 400
    assert reply.data.decode().startswith(words)
    assert await sent(web) == []


async def test_who_is_not_known(web: Web) -> None:
    asker = Client(web, "pgk_wrong")
    reply = await asker.get(asked(asker.key, to=FRIEND, content="x"))
    assert (reply.status, reply.data) == (403, b'Error "Authentication failure for username:any"')
    path = f"/send?username=pgk_abcdefghijklmnop&password=x&to={FRIEND}&content=x"
    reply = await asker.get(path)
    assert reply.data == b'Error "Authentication failure for username:"', "it may be a key"


async def test_a_program_that_means_another_api_learns_of_its_address(web: Web) -> None:
    reply = await web.call("POST", "/send", {"to": FRIEND, "body": "x"})
    assert reply.status == 403
    assert b"phonegate's own is at POST /send/{org}." in reply.data
    asker = await client(web)
    reply = await web.call(
        "POST",
        "/send",
        {"to": FRIEND, "body": "x"},
        secret=None,
        headers={"Authorization": f"Bearer {asker.key}"},
    )
    assert reply.status == 400
    assert b"phonegate's own is at POST /send/{org}." in reply.data


async def test_limits_and_routes_in_its_words(web: Web) -> None:
    asker = await client(web, limits={"to": [FRIEND], "per_hour": 1})
    await connect_phone(web)
    reply = await asker.get(asked(asker.key, to=OTHER, content="x"))
    assert reply.status == 400
    assert b"destination_address filter mismatch" in reply.data
    reply = await asker.get(asked(asker.key, to=FRIEND, content="x", from_="+15550001111"))
    assert reply.status == 412
    assert reply.data.startswith(b'Error "No route found')
    assert (await asker.get(asked(asker.key, to=FRIEND, content="x"))).status == 200
    reply = await asker.get(asked(asker.key, to=FRIEND, content="x"))
    assert reply.status == 403
    assert reply.data.startswith(b'Error "User throughput exceeded')
    assert int(reply.headers["Retry-After"]) > 0


async def test_long_texts_go_in_segments(web: Web) -> None:
    asker = await client(web)
    text = "a" * 153 * 255
    form = urlencode({"username": "x", "password": asker.key, "to": FRIEND, "content": text})
    assert (await asker.post("/send", form)).data == SUCCESS
    [one] = await sent(web)
    assert one.segments == 255
    reply = await asker.post("/send", form + "a")
    assert reply.status == 400
    assert reply.data.startswith(b'Error "Argument [content] has an invalid value')


async def test_the_gateways_own_address_is_another(web: Web) -> None:
    reply = await web.call("POST", f"/send/{ORG}", {"to": FRIEND, "body": "x"})
    assert reply.json["ok"] is True


async def test_balance_and_rate_and_ping(web: Web) -> None:
    asker = await client(web)
    pair = f"username=a&password={asker.key}"
    reply = await asker.get(f"/balance?{pair}")
    assert (reply.status, reply.json) == (200, {"balance": "ND", "sms_count": "ND"})
    reply = await asker.get(f"/rate?{pair}&to=15553334444&content={'a' * 161}")
    assert reply.json == {"unit_rate": 0.0, "submit_sm_count": 2}
    reply = await asker.get(f"/rate?{pair}&to=x")
    assert reply.status == 400
    assert reply.json.startswith("Argument [to]")
    reply = await asker.get("/balance?username=a&password=pgk_wrong")
    assert (reply.status, reply.json) == (403, "Authentication failure for username:a")
    assert (await asker.get("/ping")).data == b"Jasmin/PONG"
    assert await sent(web) == []


# --- The REST API -----------------------------------------------------------------------------


async def test_rocket_chat_sends_a_batch(web: Web) -> None:
    messages = [{"to": ["15553334444", "+15559990000"], "from": "RocketChat", "content": "Grüße"}]
    reply = await rest(web, "/secure/sendbatch", {"messages": messages})
    assert reply.status == 200
    assert reply.json == {
        "data": {"batchId": "00000000-0000-0000-0000-000000000001", "messageCount": 2}
    }
    assert [(one.address, one.body) for one in await sent(web)] == [
        (FRIEND, "Grüße"),
        (OTHER, "Grüße"),
    ]


async def test_a_batch_is_accepted_whole_or_not_at_all(web: Web) -> None:
    for messages in (
        [{"to": FRIEND, "content": "x"}, {"to": ["abc"], "content": "y"}],
        [{"to": FRIEND, "content": "x"}, {"to": OTHER}],
        [],
    ):
        reply = await rest(web, "/secure/sendbatch", {"messages": messages})
        assert reply.status == 400
        assert list(reply.json) == ["message"]
    assert await sent(web) == []


async def test_a_batch_may_wait(web: Web) -> None:
    body = {
        "batch_config": {"schedule_at": "3600s"},
        "messages": [{"to": FRIEND, "content": "x"}],
    }
    reply = await rest(web, "/secure/sendbatch", body)
    assert reply.json["data"]["scheduled"] == "3600s"
    [one] = await sent(web)
    assert one.held_until == NOW + 3_600_000


async def test_the_rest_api_sends_one_and_answers_questions(web: Web) -> None:
    body = {"to": 15553334444, "content": "x", "dlr": "no", "validity_period": 5}
    reply = await rest(web, "/secure/send", body)
    assert (reply.status, reply.json) == (200, {"data": 'Success "1"'})
    assert (await rest(web, "/secure/balance", None)).json["data"]["balance"] == "ND"
    reply = await rest(web, "/secure/rate?to=15553334444&content=x", None)
    assert reply.json["data"]["submit_sm_count"] == 1
    reply = await rest(web, "/secure/send", body, "myorg:wrong-secret-1234")
    assert reply.status == 401
    assert list(reply.json) == ["message"]


async def test_of_a_batch_no_more_numbers_are_read_than_may_be(web: Web) -> None:
    many = [{"to": [f"+15551{at:03}{n:03}" for n in range(300)], "content": "x"} for at in (1, 2)]
    reply = await rest(web, "/secure/sendbatch", {"messages": [*many, {"to": "x", "content": "x"}]})
    assert reply.status == 400
    assert "600 recipients" in reply.json["message"]


async def test_half_of_a_character_is_refused(web: Web) -> None:
    reply = await rest(web, "/secure/send", {"to": FRIEND, "content": "\ud800"})
    assert reply.status == 400
    assert "surrogate" in reply.json["message"]
