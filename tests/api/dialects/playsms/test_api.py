"""playSMS's webservices, by the requests that programs make."""

import json
import time as clock
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from phonegate.api.dialect import Refusal
from phonegate.api.dialects.playsms.wording import WORDS, refuse
from phonegate.http.refusals import CODES
from tests.api.conftest import NOW, ORG, SECRET, Web
from tests.api.dialects.clients import FRIEND, OTHER, SIM, Client, client, connect_phone, sent


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


def ws(key: str, op: str = "pv", **parameters: str) -> str:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    return "/playsms?" + urlencode({"app": "ws", "u": "any", "h": key, "op": op, **named})


async def ask(asker: Client, op: str, **parameters: str) -> Any:
    form = urlencode({"u": "any", "h": asker.key, "op": op, **parameters})
    return await asker.post("/index.php?app=ws", form)


async def test_nextcloud_sends(web: Web) -> None:
    nextcloud = await client(web)
    # lib/Provider/Channel/SMS/Provider/Drivers/PlaySMS.php
    query = {
        "app": "ws",
        "u": "nextcloud",
        "h": nextcloud.key,
        "op": "pv",
        "to": FRIEND,
        "msg": "123456 is your Nextcloud verification code",
    }
    reply = await nextcloud.get(f"/playsms?{urlencode(query)}")
    assert reply.status == 200
    assert reply.json == {
        "data": [
            {
                "status": "OK",
                "error": "0",
                "smslog_id": "1",
                "queue": "00000000000000000000000000000001",
                "to": FRIEND,
            }
        ],
        "error_string": None,
        "timestamp": NOW // 1000,
    }
    query["h"] = "wrong"
    reply = await nextcloud.get(f"/playsms?{urlencode(query)}")
    assert reply.status == 401
    assert (reply.json["error"], reply.json["error_string"]) == ("100", "authentication failed")


async def test_librenms_appends_to_its_url(web: Web) -> None:
    await connect_phone(web)
    librenms = await client(web)
    # LibreNMS/Alert/Transport/Playsms.php
    data = {"u": "x", "h": librenms.key, "to": f"{FRIEND},{OTHER}", "msg": "Alert", "from": SIM}
    for url in ("/playsms?app=ws", "/index.php?app=ws", "/playsms/index.php?app=ws"):
        reply = await librenms.get(f"{url}&op=pv&{urlencode(data)}")
        assert reply.status == 200, "it takes all up to 202 for success"
        assert len(reply.json["data"]) == 2
    assert {one.sim_selector for one in await sent(web)} == {SIM}
    reply = await librenms.get(f"/playsms?app=ws&op=pv&{urlencode({**data, 'to': 'x'})}")
    assert reply.status == 400


async def test_options_reach_the_message(web: Web) -> None:
    asker = await client(web)
    path = ws(
        asker.key, to=FRIEND, msg="x", footer="me", schedule="2027-01-16 08:00:00", unicode="1"
    )
    assert (await asker.get(path)).status == 200
    [one] = await sent(web)
    assert (one.body, one.held_until) == ("x me", NOW + 86_400_000)
    assert (await asker.get(ws(asker.key, to=FRIEND, msg="x", footer="me", nofooter="1"))).json
    assert (await sent(web))[-1].body == "x"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"op": ""}, "102"),
        ({"op": "dance"}, "101"),
        ({"app": "main"}, "101"),
        ({"format": "SERIALIZE"}, "101"),
        ({"msg": "x"}, "201"),
        ({"to": FRIEND}, "201"),
        ({"to": "", "msg": "x"}, "201"),
        ({"to": "@anton", "msg": "x"}, "200"),
        ({"to": f"{FRIEND},x", "msg": "x"}, "200"),
        ({"to": FRIEND, "msg": "x", "schedule": "soon"}, "200"),
        ({"op": "get_token"}, "104"),
        ({"op": "inject"}, "600"),
        ({"op": "in"}, "105"),
    ],
)
async def test_errors_have_its_codes(web: Web, parameters: dict[str, str], error: str) -> None:
    asker = await client(web)
    reply = await asker.get(ws(asker.key, **parameters))
    assert reply.status in {400, 403}
    assert (reply.json["status"], reply.json["error"]) == ("ERR", error)
    assert reply.json["error_string"] == WORDS[error]
    assert await sent(web) == []


@pytest.mark.parametrize("code", CODES)
def test_no_error_looks_like_success(code: str) -> None:
    worded = refuse(Refusal(status=CODES[code].status, code=code, detail="why"))
    assert worded.status > 202
    assert json.loads(worded.body)["error"] in WORDS


async def test_limits_in_its_words(web: Web) -> None:
    asker = await client(web, limits={"to": [FRIEND], "per_hour": 1})
    reply = await asker.get(ws(asker.key, to=OTHER, msg="x"))
    assert (reply.status, reply.json["error"]) == (403, "200")
    assert (await asker.get(ws(asker.key, to=FRIEND, msg="x"))).status == 200
    reply = await asker.get(ws(asker.key, to=FRIEND, msg="x"))
    assert (reply.status, reply.json["error"]) == (429, "103")
    assert int(reply.headers["Retry-After"]) > 0


async def test_a_secret_is_taken_by_post_alone(web: Web) -> None:
    asker = await client(web)
    query = urlencode({"op": "pv", "u": ORG, "h": SECRET, "to": FRIEND, "msg": "x"})
    reply = await asker.get(f"/playsms?app=ws&{query}")
    assert (reply.status, reply.json["error"]) == (403, "105")
    reply = await asker.post("/playsms?app=ws", query)
    assert reply.json["data"][0]["smslog_id"] == "1"


async def test_what_was_sent_and_received_is_listed(web: Web) -> None:
    sms = [{"address": FRIEND, "body": "hello", "date": NOW}]
    await web.call("POST", "/webhook", {"org_id": ORG, "messages": sms})
    asker = await client(web, "send", "read")
    for text in ("a", "b"):
        reply = await ask(asker, "pv", to=OTHER, msg=text)
        assert reply.status == 200
    queue = reply.json["data"][0]["queue"]

    listed = (await ask(asker, "ds")).json["data"]
    assert [(one["smslog_id"], one["msg"], one["status"]) for one in listed] == [
        ("3", "b", "0"),
        ("2", "a", "0"),
    ]
    assert listed[0]["dst"] == OTHER
    assert listed[0]["dt"] == "2027-01-15 08:00:00"
    assert [one["msg"] for one in (await ask(asker, "ds", smslog_id="2")).json["data"]] == ["a"]
    assert [one["msg"] for one in (await ask(asker, "ds", queue=queue)).json["data"]] == ["b"]
    assert [one["msg"] for one in (await ask(asker, "ds", last="2")).json["data"]] == ["b"]
    assert len((await ask(asker, "ds", c="1")).json["data"]) == 1
    for parameters in ({"smslog_id": "1"}, {"queue": "zz"}, {"dst": FRIEND}):
        reply = await ask(asker, "ds", **parameters)
        assert (reply.status, reply.json["error"]) == (404, "400")

    for op in ("in", "ix"):
        [one] = (await ask(asker, op)).json["data"]
        assert (one["id"], one["src"], one["msg"]) == ("1", FRIEND, "hello")
    reply = await ask(asker, "in", src=OTHER)
    assert (reply.status, reply.json["error"]) == (404, "501")

    account = (await ask(asker, "query")).json["data"]
    assert account["user"]["username"] == ORG
    assert account["last_id"] == {"user_inbox": 1, "user_incoming": 1, "user_outgoing": 3}


async def test_a_limited_reader_sees_what_it_may(web: Web) -> None:
    sms = [{"address": FRIEND, "body": "code 123456", "date": NOW}]
    await web.call("POST", "/webhook", {"org_id": ORG, "messages": sms})
    asker = await client(web, "send", "read", limits={"codes": "hidden"})
    [one] = (await ask(asker, "in")).json["data"]
    assert "123456" not in one["msg"]
    asker = await client(web, "send", "read", limits={"from": [OTHER]})
    assert (await ask(asker, "in")).json["error"] == "501"


async def test_credit_never_ends_and_may_be_xml(web: Web) -> None:
    asker = await client(web)
    assert (await asker.get(ws(asker.key, "cr"))).json["credit"] == "1000000"
    reply = await asker.get(ws(asker.key, "cr", format="xml"))
    assert reply.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert ET.fromstring(reply.data).findtext("credit") == "1000000"
    reply = await asker.get(ws(asker.key, "pv", format="xml", to=FRIEND, msg="x"))
    assert ET.fromstring(reply.data).findtext("data/item/smslog_id") == "1"
    reply = await asker.get(ws(asker.key, "pv", format="xml"))
    assert ET.fromstring(reply.data).findtext("error") == "201"


async def test_long_texts_go_in_segments(web: Web) -> None:
    asker = await client(web)
    assert (await ask(asker, "pv", to=FRIEND, msg="a" * 153 * 255)).status == 200
    [one] = await sent(web)
    assert one.segments == 255
