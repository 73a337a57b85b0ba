"""SMSEagle's APIs, by the requests that programs make."""

import json
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from phonegate.model.contacts import Contact
from phonegate.model.principal import Principal
from tests.api.conftest import NOW, ORG, SECRET, Web
from tests.api.dialects.clients import FRIEND, OTHER, Client, client, connect_phone, sent

LONG = "a" * 153 * 255
"""The longest text: 255 segments."""


def v1(key: str, act: str = "send_sms", **parameters: str) -> str:
    return f"/http_api/{act}?" + urlencode({"access_token": key, **parameters})


async def rpc(web: Web, **parameters: Any) -> Any:
    method = parameters.pop("method", "sms.send_sms")
    body = {"method": method, "params": {"login": ORG, "pass": SECRET, **parameters}}
    return await web.call("POST", "/jsonrpc/sms", body, secret=None)


# --- APIv1 ------------------------------------------------------------------------------------


async def test_uptime_kuma_sends_by_v1(web: Web) -> None:
    await connect_phone(web)
    kuma = await client(web)
    # server/notification-providers/smseagle.js: GET with a Content-Type, and an undefined duration
    query = {"access_token": kuma.key, "to": FRIEND, "duration": "undefined", "message": "[Up] a"}
    reply = await kuma.get(
        f"/http_api/send_sms?{urlencode(query)}",
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (reply.status, reply.data) == (200, b"OK; ID=1")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    [one] = await sent(web)
    assert (one.address, one.body, one.status) == (FRIEND, "[Up] a", "sending")


async def test_librenms_sends_by_login_and_reads_the_beginning(web: Web) -> None:
    librenms = await client(web)
    query = {"login": "anything", "pass": librenms.key, "to": f"{FRIEND},{OTHER}", "message": "x"}
    reply = await librenms.get(f"/index.php/http_api/send_sms?{urlencode(query)}")
    assert (reply.status, reply.data) == (200, b"OK; ID=1,2")
    query["pass"] = "wrong"
    reply = await librenms.get(f"/index.php/http_api/send_sms?{urlencode(query)}")
    assert (reply.status, reply.data) == (401, b"Invalid login or password")


async def test_zabbix_sends_a_get_with_the_type_of_a_form(web: Web) -> None:
    zabbix = await client(web)
    # templates/media/smseagle: what stands at its default is left out, all else is sent
    query = {
        "url": "http://gate.lan",
        "recipient": FRIEND,
        "message": "[PROBLEM] Disk full\nStarted at 08:00",
        "access_token": zabbix.key,
        "unicode": "1",
        "to": FRIEND,
    }
    reply = await zabbix.get(
        f"/http_api/send_sms?{urlencode(query)}", **{"Content-Type": "multipart/form-data"}
    )
    assert (reply.status, reply.data) == (200, b"OK; ID=1")
    wrong = await zabbix.get(v1(zabbix.key, to="nonsense", message="x"))
    assert wrong.status == 400, "Zabbix looks at the status alone"


async def test_a_secret_is_taken_by_post_alone(web: Web) -> None:
    asker = await client(web)
    query = urlencode({"login": ORG, "pass": SECRET, "to": FRIEND, "message": "x"})
    reply = await asker.get(f"/http_api/send_sms?{query}")
    assert reply.status == 403
    assert b"OK" not in reply.data
    reply = await asker.post("/http_api/send_sms", query)
    assert (reply.status, reply.data) == (200, b"OK; ID=1")


async def test_a_date_is_in_the_zone_of_the_machine(web: Web) -> None:
    asker = await client(web)
    reply = await asker.get(v1(asker.key, to=FRIEND, message="x", date="202701160930"))
    assert reply.data == b"OK; ID=1"
    [one] = await sent(web)
    assert one.held_until is not None
    assert one.held_until > NOW


async def test_options_reach_the_message(web: Web) -> None:
    await connect_phone(web)
    asker = await client(web)
    path = v1(
        asker.key, to=FRIEND, message="x", highpriority="1", modem_no="2", validity="1h", oid="a1"
    )
    assert (await asker.get(path)).data == b"OK; ID=1"
    [one] = await sent(web)
    assert (one.priority, one.sim_selector, one.expires_at) == (1, "1", NOW + 3_600_000)
    reply = await asker.get(v1(asker.key, to=FRIEND, message="x", modem_no="7"))
    assert reply.status == 404
    assert reply.data.startswith(b"Wrong parameters: No SIM 6")


async def test_a_test_sends_nothing(web: Web) -> None:
    asker = await client(web)
    path = v1(asker.key, to=f"{FRIEND},{OTHER}", message="x", test="1", responsetype="simple")
    assert (await asker.get(path)).json == {"result": "OK; ID=0,0"}
    assert (await asker.get(v1(asker.key, to="x", message="x", test="1"))).status == 400
    too_long = urlencode(
        {"access_token": asker.key, "to": FRIEND, "test": "1", "message": LONG + "a"}
    )
    assert (await asker.post("/http_api/send_sms", too_long)).status == 400
    assert await sent(web) == []


async def test_each_form_of_an_answer(web: Web) -> None:
    asker = await client(web)

    async def answer(form: str, to: str = FRIEND) -> Any:
        return await asker.get(v1(asker.key, to=to, message="x", responsetype=form))

    assert (await answer("text")).data == b"OK; ID=1"
    assert (await answer("xml")).data == b"<xml><message_id>2</message_id><status>ok</status></xml>"
    assert (await answer("extended")).json == {"result": {"message_id": "3", "status": "ok"}}
    found = await answer("xml", f"{FRIEND},{OTHER}")
    assert found.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert [one.findtext("message_id") for one in ET.fromstring(found.data)] == ["4", "5"]
    assert (await answer("json", "nonsense")).json["result"]["status"] == "error"
    wrong = await answer("xml", "nonsense")
    assert ET.fromstring(wrong.data).findtext("status") == "error"
    assert wrong.headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"message": "x"}, b"Wrong parameters: to"),
        ({"to": FRIEND}, b"Wrong parameters: message is required."),
        ({"to": FRIEND, "message": ""}, b"Wrong parameters: message"),
        ({"to": FRIEND, "message": "x", "date": "2027"}, b"Wrong parameters: date"),
        ({"to": FRIEND, "message": "x", "validity": "9h"}, b"Wrong parameters: validity"),
        ({"to": FRIEND, "message": "x", "send_after": "8"}, b"Wrong parameters: send_after"),
    ],
)
async def test_wrong_parameters_are_named(
    web: Web, parameters: dict[str, str], words: bytes
) -> None:
    asker = await client(web)
    reply = await asker.get(v1(asker.key, **parameters))
    assert reply.status == 400
    assert reply.data.startswith(words)
    assert await sent(web) == []


async def test_an_error_never_holds_what_means_success(web: Web) -> None:
    asker = await client(web)
    reply = await asker.get(v1(asker.key, to=f"{FRIEND},BROOKLYN", message="x"))
    assert reply.status == 400
    assert b"OK" not in reply.data
    assert await sent(web) == [], "a list is accepted whole or not at all"


async def test_a_call_or_a_binary_sms_is_not_there(web: Web) -> None:
    asker = await client(web)
    for path in ("/http_api/ring_call", "/index.php/http_api/tts_call", "/http_api"):
        reply = await asker.get(f"{path}?access_token={asker.key}&to={FRIEND}")
        assert reply.status == 404, path
        assert b"{" not in reply.data, "the words are its own"


async def test_contacts_are_those_of_the_console(web: Web) -> None:
    asker = await client(web)
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    owner = Principal(org=org.id, org_name=ORG, scopes=("send", "read", "manage"))
    for name, number in (("Anna", FRIEND), ("Bob", OTHER), ("BROOKLYN", "+15550001111")):
        await web.services.contacts.put(owner, Contact(number=number, name=name))
    reply = await asker.get(v1(asker.key, "send_tocontact", contactname="Anna,Bob", message="x"))
    assert (reply.status, reply.data) == (200, b"OK; ID=1,2")
    assert [one.address for one in await sent(web)] == [FRIEND, OTHER]
    for name in ("Carl", "JOKER"):
        reply = await asker.get(
            v1(asker.key, "send_tocontact", contactname=f"Anna,{name}", message="x")
        )
        assert reply.status == 400
        assert reply.data.startswith(b"Invalid contact name")
        assert b"OK" not in reply.data
    await web.services.contacts.put(owner, Contact(number="+15550002222", name="Anna"))
    reply = await asker.get(v1(asker.key, "send_tocontact", contactname="Anna", message="x"))
    assert (reply.status, reply.data) == (400, b"Invalid contact name - Anna"), "there are two"
    reply = await asker.get(v1(asker.key, "send_togroup", groupname="staff", message="x"))
    assert (reply.status, reply.data) == (400, b"Invalid group name - staff")


async def test_a_limited_key_is_limited(web: Web) -> None:
    asker = await client(web, limits={"to": [FRIEND], "per_hour": 1})
    assert (await asker.get(v1(asker.key, to=OTHER, message="x"))).status == 403
    assert (await asker.get(v1(asker.key, to=FRIEND, message="x"))).status == 200
    reply = await asker.get(v1(asker.key, to=FRIEND, message="x"))
    assert reply.status == 429
    assert int(reply.headers["Retry-After"]) > 0
    assert b"OK" not in reply.data


async def test_long_texts_go_in_segments(web: Web) -> None:
    asker = await client(web)
    body = {"access_token": asker.key, "to": FRIEND, "message": LONG}
    assert (await asker.post("/http_api/send_sms", urlencode(body))).data == b"OK; ID=1"
    [one] = await sent(web)
    assert (one.segments, one.body) == (255, LONG)


async def test_a_repeat_under_one_key_sends_once(web: Web) -> None:
    asker = await client(web)
    path = v1(asker.key, to=FRIEND, message="x")
    for _ in range(2):
        reply = await asker.get(path, **{"Idempotency-Key": "alert-7"})
        assert (reply.status, reply.data) == (200, b"OK; ID=1")
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


# --- JSON-RPC ---------------------------------------------------------------------------------


async def test_apprise_sends_by_json_rpc(web: Web) -> None:
    apprise = await client(web)
    # apprise/plugins/smseagle.py
    parameters = {
        "to": "15553334444",
        "access_token": apprise.key,
        "message": "a\nb",
        "highpriority": 1,
        "unicode": 1,
        "message_type": "sms",
        "responsetype": "extended",
        "flash": 0,
        "test": 0,
    }
    body = json.dumps({"method": "sms.send_sms", "params": parameters})
    reply = await apprise.post("/jsonrpc/sms", body, Content_Type="application/json")
    assert reply.status == 200
    assert reply.json == {"result": {"message_id": "1", "status": "ok"}}
    [one] = await sent(web)
    assert (one.address, one.body, one.priority) == (FRIEND, "a\nb", 1)


async def test_json_rpc_answers_simply_unless_asked(web: Web) -> None:
    reply = await rpc(web, to=[FRIEND, OTHER], text="x")
    assert (reply.status, reply.json) == (200, {"result": "OK; ID=1,2"})
    reply = await rpc(web, to=f"{FRIEND},{OTHER}", message="x", responsetype="extended")
    assert reply.json["result"] == [
        {"message_id": "3", "status": "ok"},
        {"message_id": "4", "status": "ok"},
    ]


async def test_errors_of_json_rpc(web: Web) -> None:
    wrong = {"pass": "wrong-secret-1234", "to": FRIEND, "message": "x"}
    reply = await rpc(web, **wrong)
    assert (reply.status, reply.json) == (401, {"result": "Invalid login or password"})
    reply = await rpc(web, **wrong, responsetype="extended")
    assert reply.json == {"result": {"error_text": "Invalid login or password", "status": "error"}}
    for parameters in (
        {"message": "x"},
        {"to": FRIEND},
        {"to": FRIEND, "message": "x", "message_type": "mms"},
        {"method": "sms.send_mms", "to": FRIEND, "message": "x"},
    ):
        reply = await rpc(web, **parameters)
        assert reply.status == 400
        assert reply.json["result"].startswith("Wrong parameters")
    reply = await rpc(web, method="sms.send_togroup", groupname="staff", message="x")
    assert reply.json == {"result": "Invalid group name - staff"}
    reply = await rpc(web, method="sms.send_tocontact", contactname="Anna", message="x")
    assert reply.json == {"result": "Invalid contact name - Anna"}
    assert await sent(web) == []


@pytest.mark.parametrize("body", ["", "[]", "{", '{"method":[],"params":7}', "null"])
async def test_what_is_no_call_is_wrong(web: Web, body: str) -> None:
    reply = await web.call("POST", "/jsonrpc/sms", secret=None, raw=body.encode())
    assert 400 <= reply.status < 500
    assert isinstance(reply.json["result"], str)


# --- APIv2 ------------------------------------------------------------------------------------


async def v2(asker: Client, **body: Any) -> Any:
    return await asker.post(
        "/api/v2/messages/sms",
        json.dumps(body),
        access_token=asker.key,
        Content_Type="application/json",
    )


async def test_uptime_kuma_sends_by_v2(web: Web) -> None:
    kuma = await client(web)
    reply = await v2(kuma, text="x", encoding="standard", priority=9, to=[FRIEND, OTHER])
    assert reply.status == 200
    assert reply.json == [
        {"status": "queued", "message": "OK", "number": FRIEND, "id": 1},
        {"status": "queued", "message": "OK", "number": OTHER, "id": 2},
    ]
    assert {one.priority for one in await sent(web)} == {9}


async def test_v2_has_no_ids_of_contacts_and_groups(web: Web) -> None:
    kuma = await client(web)
    for more in ({"contacts": [1]}, {"groups": [1]}, {"contacts": [None]}):
        reply = await v2(kuma, text="x", **more)
        assert reply.status == 400, more
        assert list(reply.json) == ["message"]
    assert (await v2(kuma, text="x", to=[FRIEND], contacts=[], groups=[])).status == 200


async def test_errors_of_v2(web: Web) -> None:
    kuma = await client(web)
    reply = await kuma.post("/api/v2/messages/sms", "{}", access_token="pgk_wrong")
    assert (reply.status, reply.json) == (401, {"message": "Invalid access token"})
    reply = await v2(kuma, text="x", to=[FRIEND, "x"])
    assert reply.status == 400
    assert list(reply.json) == ["message"]
    assert await sent(web) == []


async def test_a_test_of_v2(web: Web) -> None:
    kuma = await client(web)
    reply = await v2(kuma, text="x", to=[FRIEND], test=True)
    assert reply.json == [{"status": "queued", "message": "OK", "number": FRIEND, "id": 0}]
    assert await sent(web) == []


async def test_v2_takes_iso_dates_and_hours(web: Web) -> None:
    kuma = await client(web)
    reply = await v2(kuma, text="x", to=[FRIEND], date="2027-01-16T08:00:00Z", validity="2h")
    assert reply.status == 200
    [one] = await sent(web)
    assert one.held_until == NOW + 86_400_000
