"""The very requests of programs that are made for Twilio, and what they look at in the answers.

Sources, as they were read in 2026: n8n-nodes-base Twilio; odoo addons/sms_twilio; chatwoot
app/services/twilio; cal.com reminders/providers/twilioProvider; supabase/auth
internal/api/sms_provider/twilio.go; logto connector-twilio-sms; uptime-kuma
server/notification-providers/twilio.js; nyaruka/courier handlers/twiml; healthchecks
hc/integrations/sms.
"""

from typing import Any
from urllib.parse import urlencode

import pytest

from phonegate.model.twilio_ids import account_sid
from tests.api.conftest import ORG, Reply, Web
from tests.api.dialects.twilio.calls import NUMBER, TO, basic, online

SID = account_sid(1)
SERVICE = "MG" + "0" * 32
BASE = f"/2010-04-01/Accounts/{SID}"
FORM = "application/x-www-form-urlencoded"
CALLBACK = "http://192.168.1.5/c/tw/8eb23e93/status?id=7&action=callback"


class Program:
    """A program with an account and a token of its own."""

    def __init__(self, web: Web, key: str) -> None:
        self._web = web
        self._login = basic(SID, key)

    async def post(
        self, path: str, form: dict[str, Any], *, media: str = FORM, **headers: str
    ) -> Reply:
        shown = {"Authorization": self._login, "Content-Type": media, **headers}
        raw = urlencode(form, doseq=True).encode()
        return await self._web.call("POST", path, secret=None, headers=shown, raw=raw)

    async def get(self, path: str) -> Reply:
        # The official libraries say so of a body that is not there.
        shown = {"Authorization": self._login, "Content-Type": FORM}
        return await self._web.call("GET", path, secret=None, headers=shown)


@pytest.fixture
async def program(web: Web) -> Program:
    online(web)
    made = await web.call("POST", f"/keys/{ORG}", {"name": "program"})
    return Program(web, made.json["key"])


async def test_n8n(program: Program) -> None:
    assert (await program.get(f"{BASE}.json")).status == 200
    form = {"From": NUMBER, "To": TO, "Body": "hi", "StatusCallback": CALLBACK}
    assert (await program.post(f"{BASE}/Messages.json", form)).status == 201
    whatsapp = {**form, "From": f"whatsapp:{NUMBER}", "To": f"whatsapp:{TO}"}
    refused = await program.post(f"{BASE}/Messages.json", whatsapp)
    assert (refused.status, refused.json["status"]) == (400, 400)


async def test_odoo(program: Program) -> None:
    listed = await program.get(f"{BASE}/IncomingPhoneNumbers.json")
    assert [one["phone_number"] for one in listed.json["incoming_phone_numbers"]] == [NUMBER]
    form = {"From": NUMBER, "To": TO, "Body": "hi", "StatusCallback": CALLBACK}
    sent = await program.post(f"{BASE}/Messages.json", form)
    assert sent.json["sid"].startswith("SM")
    assert "error" not in sent.json
    for wrong, code in (({"From": ""}, 21603), ({"To": ""}, 21604), ({"To": "12"}, 21211)):
        refused = await program.post(f"{BASE}/Messages.json", {**form, **wrong})
        assert (refused.status, refused.json["code"]) == (400, code)
    private = {**form, "StatusCallback": "http://127.0.0.1/x"}
    assert (await program.post(f"{BASE}/Messages.json", private)).json["code"] == 21609


async def test_chatwoot(program: Program) -> None:
    tried = await program.get(f"{BASE}/Messages.json?PageSize=1")
    assert (tried.status, tried.json["messages"]) == (200, [])
    query = urlencode({"PhoneNumber": NUMBER})
    listed = await program.get(f"{BASE}/IncomingPhoneNumbers.json?{query}")
    (number,) = listed.json["incoming_phone_numbers"]
    url = "http://192.168.1.5/twilio/callback"
    form = {"SmsMethod": "POST", "SmsUrl": url}
    set_ = await program.post(f"{BASE}/IncomingPhoneNumbers/{number['sid']}.json", form)
    assert (set_.status, set_.json["sms_url"]) == (200, url)


async def test_cal_com(program: Program) -> None:
    form = {
        "Body": "Reminder",
        "MessagingServiceSid": SERVICE,
        "To": TO,
        "ScheduleType": "fixed",
        "SendAt": "2027-01-16T08:00:00Z",
    }
    scheduled = await program.post(f"{BASE}/Messages.json", form)
    assert (scheduled.status, scheduled.json["status"]) == (201, "scheduled")
    path = f"{BASE}/Messages/{scheduled.json['sid']}.json"
    cancelled = await program.post(path, {"Status": "canceled"})
    assert cancelled.json["status"] == "canceled"
    assert (await program.get(path)).json["body"] == "Reminder"


@pytest.mark.parametrize("sender", [SERVICE, NUMBER])
async def test_supabase(program: Program, sender: str) -> None:
    form = {"To": TO, "Channel": "sms", "From": sender, "Body": "Your code is 1234"}
    sent = await program.post(f"{BASE}/Messages.json", form)
    assert sent.status == 201
    assert sent.json["status"] not in {"failed", "undelivered"}
    # It decodes into a text of Go, which takes null and no number.
    assert sent.json["error_code"] is None
    refused = await program.post(f"{BASE}/Messages.json", {**form, "To": "+1"})
    assert {type(refused.json[name]) for name in ("code", "status")} == {int}


async def test_logto(program: Program) -> None:
    form = {"To": TO, "MessagingServiceSid": SERVICE, "Body": "1234", "RiskCheck": "enable"}
    assert (await program.post(f"{BASE}/Messages.json", form)).status == 201


async def test_uptime_kuma_and_healthchecks(program: Program) -> None:
    form = {"To": TO, "From": NUMBER, "Body": "down"}
    kuma = await program.post(f"{BASE}/Messages.json", form, media=f"{FORM};charset=utf-8")
    assert kuma.status == 201
    health = {**form, "StatusCallback": "http://192.168.1.5/api/v3/notifications/1/status"}
    assert (await program.post(f"{BASE}/Messages.json", health)).status == 201


async def test_rapidpro(program: Program, web: Web) -> None:
    online(web, mms=True)
    form = {
        "To": TO,
        "Body": "look",
        "StatusCallback": CALLBACK,
        "MediaUrl": ["https://example.com/a.jpg", "https://example.com/b.jpg"],
        "From": NUMBER,
    }
    sent = await program.post(f"{BASE}/Messages.json", form, Accept="application/json")
    assert sent.status == 201
    assert (sent.json["sid"][:2], sent.json["num_media"]) == ("SM", "2")
    (pushed,) = web.phones.pushed
    assert pushed.media_urls == ("https://example.com/a.jpg", "https://example.com/b.jpg")
    # Without a plus, as it does for channels of some countries.
    national = await program.post(f"{BASE}/Messages.json", {**form, "To": TO[1:]})
    assert (national.status, national.json["to"]) == (201, TO)


async def test_rapidpro_reads_why_a_picture_can_not_be_sent(program: Program) -> None:
    form = {"To": TO, "From": NUMBER, "Body": "x", "MediaUrl": "https://example.com/a.jpg"}
    refused = await program.post(f"{BASE}/Messages.json", form)
    assert (refused.status, refused.json["code"]) == (400, 21620)
