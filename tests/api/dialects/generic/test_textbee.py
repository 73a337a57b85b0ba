"""textbee's API as its users' programs call it."""

import pytest

from phonegate.domain.carrier import CarrierFault, CarrierRefusal
from phonegate.domain.dispatch import OnlinePhone
from tests.api.conftest import ORG, SECRET, Web
from tests.api.dialects.generic.senders import CARRIER, OTHER, TO, make_key, stored, with_carrier

TEXT = "Your order has shipped"


@pytest.mark.parametrize("base", ["", "/api/v1"])
@pytest.mark.parametrize("path", ["any/send-sms", "66f1a2b3c4d5e6f708192a3b/sendSMS"])
async def test_a_program_of_textbee_sends(web: Web, base: str, path: str) -> None:
    key = await make_key(web, "send")
    reply = await web.call(
        "POST",
        f"{base}/gateway/devices/{path}",
        {"recipients": [TO, "+1 555 222 3333"], "message": TEXT},
        secret=None,
        headers={"x-api-key": key},
    )
    assert (reply.status, reply.json) == (
        201,
        {
            "data": {
                "success": True,
                "message": "SMS added to queue for processing",
                "smsBatchId": "1",
                "recipientCount": 2,
            }
        },
    )
    assert await stored(web) == [(TO, TEXT), (OTHER, TEXT)]
    # The names of its older programs.
    old = {"receivers": [TO], "smsBody": TEXT}
    path = f"{base}/gateway/devices/{path}?apiKey={key}"
    assert (await web.call("POST", path, old, secret=None)).status == 201
    assert len(await stored(web)) == 3


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"recipients": [], "message": TEXT}, None, 400),
        ({"recipients": ["x"], "message": TEXT}, None, 400),
        ({"recipients": [TO]}, None, 400),
        ({"recipients": [TO], "message": TEXT}, "wrong", 401),
    ],
)
async def test_errors_have_textbee_s_form(
    web: Web, body: dict[str, object], key: str | None, status: int
) -> None:
    headers = {"x-api-key": await make_key(web, "send") if key is None else key}
    path = "/gateway/devices/any/send-sms"
    reply = await web.call("POST", path, body, secret=None, headers=headers)
    assert reply.status == status
    assert reply.json.keys() == {"success", "error"}
    assert reply.json["success"] is False
    assert await stored(web) == []


async def test_a_carrier_s_refusal_has_that_form_too(web: Web) -> None:
    await with_carrier(web)
    headers = {"x-api-key": await make_key(web, "send")}
    for recipients in ([TO], [TO, OTHER]):
        refusals = (CarrierRefusal(CarrierFault(code="1", text="no credit")) for _ in recipients)
        web.carrier.answers = list(refusals)
        body = {"recipients": recipients, "message": TEXT, "from": CARRIER}
        path = "/gateway/devices/any/send-sms"
        reply = await web.call("POST", path, body, secret=None, headers=headers)
        assert (reply.status, reply.json.keys()) == (500, {"success", "error"})
        assert "no credit" in reply.json["error"]


async def test_it_shows_one_device_and_what_came_in(web: Web) -> None:
    """What Home Assistant's integration asks for when it is set up, and each minute after."""
    headers = {"x-api-key": await make_key(web, "read", "send")}
    found = await web.call("GET", "/gateway/devices", secret=None, headers=headers)
    (device,) = found.json["data"]
    assert device == {"_id": "any", "name": "phonegate", "enabled": True, "status": "offline"}
    web.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=()))
    found = await web.call("GET", "/gateway/devices", secret=None, headers=headers)
    assert found.json["data"][0]["status"] == "online"
    path = f"/gateway/devices/{device['_id']}/get-received-sms"
    assert (await web.call("GET", path, secret=None, headers=headers)).json == {"data": []}
    messages = [{"address": TO, "body": "one"}, {"address": OTHER, "body": "two"}]
    pushed = {"org_id": ORG, "secret_key": SECRET, "messages": messages}
    assert (await web.call("POST", "/webhook", pushed)).status == 200
    found = await web.call("GET", path, secret=None, headers=headers)
    assert [(one["_id"], one["sender"], one["message"]) for one in found.json["data"]] == [
        ("2", OTHER, "two"),
        ("1", TO, "one"),
    ]
    assert found.json["data"][0]["receivedAt"].endswith("Z")


async def test_a_key_that_only_sends_reads_nothing(web: Web) -> None:
    headers = {"x-api-key": await make_key(web, "send")}
    path = "/gateway/devices/any/get-received-sms"
    reply = await web.call("GET", path, secret=None, headers=headers)
    assert (reply.status, reply.json["success"]) == (403, False)


async def test_a_limited_reader_sees_what_it_may(web: Web) -> None:
    limits = {"from": [TO], "codes": "hidden"}
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "n", "scopes": ["read"], "limits": limits}
    )
    messages = [{"address": TO, "body": "Your code is 482913"}, {"address": OTHER, "body": "two"}]
    pushed = {"org_id": ORG, "secret_key": SECRET, "messages": messages}
    await web.call("POST", "/webhook", pushed)
    path = "/gateway/devices/any/get-received-sms"
    headers = {"x-api-key": made.json["key"]}
    found = (await web.call("GET", path, secret=None, headers=headers)).json["data"]
    assert [one["sender"] for one in found] == [TO]
    assert "482913" not in found[0]["message"]
