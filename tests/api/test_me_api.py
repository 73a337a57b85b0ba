"""Who a credential is."""

from tests.api.conftest import ORG, Web


async def test_a_key_finds_its_org_scopes_and_limits(web: Web) -> None:
    fields = {"name": "agent", "scopes": ["read"], "limits": {"per_hour": 3}}
    made = (await web.call("POST", f"/keys/{ORG}", fields)).json
    bearer = {"Authorization": f"Bearer {made['key']}"}
    reply = await web.call("GET", "/me", secret=None, headers=bearer)
    assert reply.status == 200
    assert (reply.json["org_id"], reply.json["scopes"]) == (ORG, ["read"])
    assert reply.json["key_id"] == made["id"]
    assert reply.json["limits"]["per_hour"] == 3
    assert made["key"] not in str(reply.json)


async def test_the_orgs_own_secret_may_do_everything(web: Web) -> None:
    reply = await web.call("GET", f"/me?org_id={ORG}")
    assert reply.json == {
        "ok": True,
        "org_id": ORG,
        "scopes": ["send", "read", "manage", "phone"],
        "key_id": None,
    }


async def test_a_wrong_key_is_nobody(web: Web) -> None:
    wrong = {"Authorization": "Bearer pgk_aaaaaaaa_" + "a" * 32}
    assert (await web.call("GET", "/me", secret=None, headers=wrong)).status == 401
    assert (await web.call("GET", "/me")).status == 401
