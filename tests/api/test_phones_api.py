"""Phones over HTTP: listed, named, forgotten."""

from typing import Any

import pytest

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.managed_phones import Signs
from phonegate.model.phones import Health
from tests.api.conftest import ORG, Reply, Web, known_phone


async def patch(web: Web, phone: int | str, body: dict[str, Any], **how: Any) -> Reply:
    return await web.call("PATCH", f"/phones/{ORG}/{phone}", body, **how)


def sims(*numbers: str | None) -> dict[str, Any]:
    return {"sims": [{"slot": slot, "number": number} for slot, number in enumerate(numbers)]}


async def test_phones_are_listed_with_all_that_is_known(web: Web) -> None:
    empty = await web.call("GET", f"/phones/{ORG}")
    assert empty.json == {"org_id": ORG, "count": 0, "phones": [], "unassigned": 0}
    await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    away = await known_phone(web.database)
    await web.database.write(lambda tx: tx.phones.set_hint(away, "Choose SSE only."))
    reply = await web.call("GET", f"/phones/{ORG}")
    assert (reply.status, reply.json["count"], reply.json["unassigned"]) == (200, 1, 1)
    assert reply.json["phones"] == [
        {
            "id": away,
            "kind": "link",
            "name": None,
            "device_id": "pixel-7",
            "model": None,
            "app": None,
            "online": False,
            "last_seen": "2027-01-15T07:59:00.000Z",
            "battery": None,
            "charging": None,
            "signal": None,
            "network": None,
            "sims": [
                {"slot": 0, "number": "+15551112222", "carrier": "AT&T", "given": False},
                {"slot": 1, "number": None, "carrier": None, "given": False},
            ],
            "waiting": 0,
            "hint": "Choose SSE only.",
        }
    ]
    well = Health(battery=83, charging=False, signal=-70, network="LTE")
    web.phones.phones.append(OnlinePhone(phone=away, device_id="pixel-7", name=None, sims=()))
    web.phones.known_signs[away] = Signs(heard_s=1, health=well)
    (shown,) = (await web.call("GET", f"/phones/{ORG}")).json["phones"]
    assert (shown["online"], shown["last_seen"]) == (True, "2027-01-15T07:59:59.000Z")
    assert [shown[name] for name in ("battery", "charging", "signal", "network")] == [
        83, False, -70, "LTE",
    ]  # fmt: skip
    # It is the one now that sends what names no SIM.
    assert shown["waiting"] == 1


async def test_a_phone_and_its_sims_are_named(web: Web) -> None:
    phone = await known_phone(web.database)
    body = {"name": "Reception", "sims": [{"slot": 1, "number": "+15551113333"}]}
    changed = await patch(web, phone, body)
    assert (changed.status, changed.json["ok"]) == (200, True)
    shown = changed.json["phone"]
    assert shown["name"] == "Reception"
    assert shown["sims"][1] == {
        "slot": 1, "number": "+15551113333", "carrier": None, "given": True,
    }  # fmt: skip
    assert web.phones.named == {phone: ["+15551112222", "+15551113333"]}
    listed = await web.call("GET", f"/sims/{ORG}")
    assert listed.json["known_sims"][1] == {
        "slot": 1, "number": "+15551113333", "carrier": None,
    }  # fmt: skip
    sent = {"to": "+15553334444", "body": "x", "sim": "+15551113333"}
    assert (await web.call("POST", f"/send/{ORG}", sent)).status == 200
    # What is left out, or null, stays.
    for nothing in ({}, {"name": None, "sims": None}):
        assert (await patch(web, phone, nothing)).json["phone"] == {**shown, "waiting": 1}
    body = {"name": "", "sims": [{"slot": 1, "number": None}]}
    shown = (await patch(web, phone, body)).json["phone"]
    assert (shown["name"], shown["sims"][1]["number"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x\n"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 5}, "name"),
        ({"nmae": "x"}, "nmae"),
        ({"sims": []}, "sims"),
        ({"sims": {}}, "sims"),
        ({"sims": [{"slot": 1}]}, "sims[0].number"),
        ({"sims": [{"number": "+15551113333"}]}, "sims[0].slot"),
        ({"sims": [{"slot": -1, "number": None}]}, "sims[0].slot"),
        ({"sims": [{"slot": 100, "number": None}]}, "sims[0].slot"),
        ({"sims": [{"slot": "1", "number": None}]}, "sims[0].slot"),
        ({"sims": [{"slot": 1, "number": "5551113333"}]}, "sims[0].number"),
        ({"sims": [{"slot": 1, "number": ""}]}, "sims[0].number"),
        ({"sims": [{"slot": 1, "number": None, "carrier": "x"}]}, "sims[0].carrier"),
        ({"sims": [{"slot": 1, "number": None}] * 2}, "sims[1].slot"),
        (
            {"sims": [{"slot": slot, "number": "+15551113333"} for slot in (1, 0)]},
            "sims[1].number",
        ),
    ],
)
async def test_a_wrong_field_is_named(web: Web, body: dict[str, Any], field: str) -> None:
    reply = await patch(web, await known_phone(web.database), body)
    assert reply.status == 400
    assert [one["field"] for one in reply.json["errors"]] == [field]


async def test_a_number_that_is_not_free_is_refused_with_its_place(web: Web) -> None:
    phone = await known_phone(web.database)
    wrong = await patch(web, phone, sims("+15551119999"))
    assert (wrong.status, wrong.json["code"]) == (409, "conflict")
    assert wrong.json["errors"] == [
        {"field": "sims[0].number", "problem": "is not the one that the phone itself reports"}
    ]
    taken = await patch(web, phone, {"sims": [{"slot": 1, "number": "+15551112222"}]})
    assert (taken.status, taken.json["errors"][0]["field"]) == (409, "sims[0].number")
    assert f"slot 0 of phone {phone}" in taken.json["detail"]
    missing = await patch(web, phone, sims("+15551112222", None, None))
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    assert missing.json["errors"] == [
        {"field": "sims[2].slot", "problem": "is that of no SIM of this phone, which has 0, 1"}
    ]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_only_a_phone_of_the_org_is_found(web: Web, method: str) -> None:
    phone = await known_phone(web.database)
    await web.make_org("other-org", "another-secret-99")
    body: dict[str, Any] | None = {} if method == "PATCH" else None
    for path, secret, status in (
        (f"/phones/{ORG}/{phone + 1}", None, 404),
        (f"/phones/{ORG}/x", None, 400),
        (f"/phones/{ORG}/0", None, 400),
        (f"/phones/other-org/{phone}", "another-secret-99", 404),
    ):
        how: dict[str, Any] = {} if secret is None else {"secret": secret}
        reply = await web.call(method, path, body, **how)
        assert reply.status == status
        assert reply.json["ok"] is False
    assert (await web.call("GET", f"/phones/{ORG}")).json["count"] == 1


async def test_a_phone_is_forgotten_once(web: Web) -> None:
    phone = await known_phone(web.database)
    sent = {"to": "+15553334444", "body": "x", "sim": "+15551112222"}
    message = (await web.call("POST", f"/send/{ORG}", sent)).json["results"][0]["id"]
    gone = await web.call("DELETE", f"/phones/{ORG}/{phone}")
    assert (gone.status, gone.json) == (
        200,
        {"ok": True, "id": phone, "cancelled": 1, "uncertain": 0, "revoked_key": None},
    )
    assert web.phones.expelled == [phone]
    found = (await web.call("GET", f"/messages/{ORG}/id/{message}")).json["message"]
    assert (found["status"], found["error"]) == ("cancelled", "its phone was forgotten")
    assert (await web.call("GET", f"/sims/{ORG}")).json["known_sims"] == []
    assert (await web.call("DELETE", f"/phones/{ORG}/{phone}")).status == 404
    # An id is never another phone's.
    assert await known_phone(web.database) > phone


async def test_who_may_only_read_changes_nothing(web: Web) -> None:
    phone = await known_phone(web.database)
    made = await web.call("POST", f"/keys/{ORG}", {"name": "r", "scopes": ["read"]})
    bearer = {"Authorization": f"Bearer {made.json['key']}"}
    listed = await web.call("GET", f"/phones/{ORG}", secret=None, headers=bearer)
    assert listed.json["count"] == 1
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        path = f"/phones/{ORG}/{phone}"
        reply = await web.call(method, path, body, secret=None, headers=bearer)
        assert (reply.status, reply.json["code"]) == (403, "forbidden")
