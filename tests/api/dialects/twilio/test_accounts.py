"""Accounts by Twilio's addresses."""

from phonegate.model.twilio_ids import account_sid
from tests.api.conftest import ORG, Web
from tests.api.dialects.twilio.calls import call


async def test_an_account_is_an_org(web: Web) -> None:
    sid = account_sid(1)
    for path in (f"/2010-04-01/Accounts/{sid}.json", f"/2010-04-01/Accounts/{sid}"):
        reply = await call(web, "GET", path)
        assert (reply.status, reply.json["sid"], reply.json["friendly_name"]) == (200, sid, ORG)
        assert reply.json["status"] == "active"
        assert reply.json["auth_token"] is None
    balance = await call(web, "GET", "Balance.json")
    assert (balance.status, balance.json["currency"]) == (200, "USD")


async def test_a_key_that_may_only_send_can_be_tried_by_it(web: Web) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send"]})
    path = f"/2010-04-01/Accounts/{account_sid(1)}.json"
    assert (await call(web, "GET", path, token=made.json["key"])).status == 200
    assert (await call(web, "GET", path, token="pgk_nonsense")).status == 401
