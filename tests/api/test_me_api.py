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
        "default_country": None,
        "max_characters": 1600,
        "account_sid": "AC00000000000000000000000000000001",
    }


async def test_a_wrong_key_is_nobody(web: Web) -> None:
    wrong = {"Authorization": "Bearer pgk_aaaaaaaa_" + "a" * 32}
    assert (await web.call("GET", "/me", secret=None, headers=wrong)).status == 401
    assert (await web.call("GET", "/me")).status == 401


async def test_an_org_chooses_its_country_and_its_longest_text(web: Web) -> None:
    reply = await web.call(
        "PATCH", f"/me?org_id={ORG}", {"default_country": "de", "max_characters": 5000}
    )
    assert (reply.status, reply.json["default_country"], reply.json["max_characters"]) == (
        200,
        "DE",
        5000,
    )
    reply = await web.call("PATCH", f"/me?org_id={ORG}", {"max_characters": 200})
    assert reply.json["default_country"] == "DE"
    reply = await web.call("PATCH", f"/me?org_id={ORG}", {"default_country": ""})
    assert (reply.json["default_country"], reply.json["max_characters"]) == (None, 200)
    assert (await web.call("GET", f"/me?org_id={ORG}")).json == reply.json


async def test_what_is_wrong_with_an_option_is_named(web: Web) -> None:
    for body, field in (
        ({"default_country": "Germany"}, "default_country"),
        ({"default_country": "+49"}, "default_country"),
        ({"default_country": 49}, "default_country"),
        ({"max_characters": 0}, "max_characters"),
        ({"max_characters": 39_016}, "max_characters"),
        ({"max_characters": "5000"}, "max_characters"),
        ({"country": "DE"}, "country"),
    ):
        reply = await web.call("PATCH", f"/me?org_id={ORG}", body)
        assert (reply.status, [one["field"] for one in reply.json["errors"]]) == (400, [field])


async def test_only_who_may_manage_chooses(web: Web) -> None:
    for fields, status in (
        ({"name": "sender", "scopes": ["send", "read"]}, 403),
        ({"name": "manager", "scopes": ["manage"]}, 200),
    ):
        made = (await web.call("POST", f"/keys/{ORG}", fields)).json
        bearer = {"Authorization": f"Bearer {made['key']}"}
        reply = await web.call("PATCH", "/me", {"max_characters": 9}, secret=None, headers=bearer)
        assert reply.status == status
