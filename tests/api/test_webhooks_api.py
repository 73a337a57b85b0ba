"""Webhooks over HTTP: made, shown, changed, tested, and what was delivered to them."""

from typing import Any

import attrs
import pytest
import trio

from phonegate.domain import webhooks
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.status_callbacks import expect
from phonegate.domain.webhook_form import Change, NewWebhook
from phonegate.domain.webhook_standing import disable
from phonegate.domain.webhooks import ROTATION_MS
from phonegate.http.outgoing_guard import Rules, parse_networks
from phonegate.http.webhook_url import PRIVATE_NETWORKS
from phonegate.model.callbacks import Callback
from phonegate.model.principal import Scope
from phonegate.model.refusals import BadInput
from phonegate.model.times import iso
from phonegate.model.webhooks import Attempt, Webhook
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, PUBLIC_URL, Reply, Web, build_web, known_phone
from tests.domain.callers import owner
from tests.patience import PATIENCE_S

URL = "https://example.org/sms"
NEW: dict[str, Any] = {"url": URL, "events": ["message.received"]}
HIDDEN = "hunter2-hunter2-9f3a"


async def call(web: Web, method: str, path: str = "", body: Any = None, **how: Any) -> Reply:
    return await web.call(method, f"/webhooks/{ORG}{path}", body, **how)


async def make(web: Web, **fields: Any) -> dict[str, Any]:
    reply = await call(web, "POST", body=NEW | fields)
    assert reply.status == 201, reply.data
    made: dict[str, Any] = reply.json
    return made


async def stored(web: Web, id_: int) -> Webhook:
    def find(tx: Tables) -> Webhook:
        org = tx.orgs.get(ORG)
        assert org is not None
        found = tx.webhooks.get(org.id, id_)
        assert found is not None
        return found

    return await web.database.read(find)


async def key_of(web: Web, *scopes: Scope) -> tuple[str, dict[str, str]]:
    body = {"name": "agent", "scopes": list(scopes)}
    made = (await web.call("POST", f"/keys/{ORG}", body)).json
    return made["id"], {"Authorization": f"Bearer {made['key']}"}


async def deliver(web: Web, id_: int, *events: str) -> None:
    """Has events happen, and takes them up for a webhook."""

    def happen(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        assert org is not None
        for type_ in events:
            tx.events.record(org.id, type_, NOW, data={"id": 1})  # type: ignore[arg-type]

    await web.database.write(happen)
    webhook = await stored(web, id_)
    await web.database.write(lambda tx: tx.deliveries.take(webhook, 100, lambda _: True, NOW))


async def test_a_webhook_is_made_shown_changed_and_removed(web: Web) -> None:
    made = await make(web, name="crm", headers={"Authorization": f"Bearer {HIDDEN}"})
    assert set(made) == {"ok", "secret", "webhook"}
    assert made["secret"].startswith("whsec_")
    shown = made["webhook"]
    assert shown == {
        "id": shown["id"],
        "name": "crm",
        "url": URL,
        "events": ["message.received"],
        "address": None,
        "sim": None,
        "phone": None,
        "headers": {"Authorization": "…9f3a"},
        "shape": "standard",
        "callbacks": False,
        "secret": "…" + made["secret"][-4:],
        "old_secret_until": None,
        "key": None,
        "created_at": iso(NOW),
        "enabled": True,
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "waiting": 0,
        "missed_at": None,
    }
    at = f"/{shown['id']}"
    assert (await call(web, "GET", at)).json == {"ok": True, "webhook": shown}
    listed = await call(web, "GET")
    assert listed.json == {"org_id": ORG, "count": 1, "webhooks": [shown]}
    changed = await call(web, "PATCH", at, {"events": ["message.*"], "name": ""})
    assert changed.json["webhook"] == shown | {"events": ["message.*"], "name": None}
    assert (await call(web, "DELETE", at)).json == {"ok": True, "id": shown["id"]}
    for method, path in (("GET", at), ("DELETE", at), ("PATCH", at), ("POST", f"{at}/enable")):
        body: Any = {} if method == "PATCH" else None
        gone = await call(web, method, path, body)
        assert (gone.status, gone.json["code"]) == (404, "not_found")
    assert (await call(web, "GET")).json["webhooks"] == []


async def test_its_secret_and_headers_never_come_back_whole(web: Web) -> None:
    made = await make(web, headers={"X-Key": HIDDEN, "X-Short": "abc"})
    id_ = made["webhook"]["id"]
    replies = [
        await call(web, "GET"),
        await call(web, "GET", f"/{id_}"),
        await call(web, "PATCH", f"/{id_}", {"name": "x"}),
        await call(web, "POST", f"/{id_}/enable"),
        await call(web, "POST", f"/{id_}/test"),
        await call(web, "GET", f"/{id_}/deliveries"),
    ]
    for reply in replies:
        assert reply.status == 200
        text = reply.data.decode()
        assert made["secret"].removeprefix("whsec_") not in text
        assert HIDDEN not in text
        assert '"abc"' not in text


async def test_a_patch_changes_what_it_names_and_nothing_else(web: Web) -> None:
    phone = await known_phone(web.database)
    filters = {"address": "+15553334444", "sim": "+15551112222", "phone": phone}
    made = await make(web, **filters, headers={"X-A": "1", "X-B": "2"}, name="crm")
    id_ = made["webhook"]["id"]
    before = await stored(web, id_)
    assert (before.address, before.sim, before.phone) == tuple(filters.values())
    await call(web, "PATCH", f"/{id_}", {})
    assert await stored(web, id_) == before
    await call(web, "PATCH", f"/{id_}", dict.fromkeys(["url", "events", *filters], None))
    assert await stored(web, id_) == before
    patch = {"headers": {"x-a": None, "X-C": "3"}, "address": "", "sim": "", "phone": 0}
    changed = (await call(web, "PATCH", f"/{id_}", patch)).json["webhook"]
    assert [changed[name] for name in filters] == [None, None, None]
    after = await stored(web, id_)
    assert after.headers == (("X-B", "2"), ("X-C", "3"))
    assert (after.url, after.name, after.secret) == (before.url, before.name, before.secret)
    patch = {"url": "http://192.168.178.5:1880/sms", "shape": "flat", "sim": 1}
    changed = (await call(web, "PATCH", f"/{id_}", patch)).json["webhook"]
    assert changed | patch | {"sim": "1"} == changed


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"url": None}, ["url"]),
        ({"url": 5}, ["url"]),
        ({"url": "example.org"}, ["url"]),
        ({"url": f"https://me:{HIDDEN}@example.org"}, ["url"]),
        ({"url": "https://example.org/#x"}, ["url"]),
        ({"url": "https://example.org/" + "x" * 2048}, ["url"]),
        ({"url": "http://0x08080808/"}, ["url"]),
        ({"events": None}, ["events"]),
        ({"events": []}, ["events"]),
        ({"events": "message.received"}, ["events"]),
        ({"events": ["message.recieved"]}, ["events[0]"]),
        ({"events": ["message.sent", "message"]}, ["events[1]"]),
        ({"events": ["phone.*"], "address": "+15553334444"}, ["address"]),
        ({"events": ["phone.*"], "shape": "twilio"}, ["events"]),
        ({"shape": "xml"}, ["shape"]),
        ({"address": ""}, ["address"]),
        ({"sim": "front"}, ["sim"]),
        ({"phone": 0}, ["phone"]),
        ({"phone": 77}, ["phone"]),
        ({"phone": "1"}, ["phone"]),
        ({"headers": [HIDDEN]}, ["headers"]),
        ({"headers": {"X-A": None}}, ["headers"]),
        ({"headers": {"X-A": 5}}, ["headers"]),
        ({"headers": {"Host": HIDDEN}}, ["headers.Host"]),
        ({"headers": {"X-A": f"{HIDDEN}\r\nX-B: c"}}, ["headers.X-A"]),
        ({"headers": {f"X-{n}": "v" for n in range(11)}}, ["headers"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"adress": "+15553334444"}, ["adress"]),
        ({"secret": "whsec_mine"}, ["secret"]),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named_and_no_secret_shown(
    web: Web, changes: dict[str, Any], fields: list[str]
) -> None:
    reply = await call(web, "POST", body=NEW | changes)
    assert (reply.status, reply.json["code"], list(reply.fields)) == (400, "bad_input", fields)
    assert HIDDEN not in reply.data.decode()
    assert (await call(web, "GET")).json["count"] == 0
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes and changes not in ({"phone": 0}, {"address": ""}, {"name": ""}):
        id_ = (await make(web, headers={"X-Z": "1"}))["webhook"]["id"]
        before = await stored(web, id_)
        if changes.get("headers") != {"X-A": None}:
            reply = await call(web, "PATCH", f"/{id_}", changes)
            assert (reply.status, list(reply.fields)) == (400, fields)
        assert await stored(web, id_) == before


async def test_an_address_is_refused_with_the_line_that_would_allow_it(web: Web) -> None:
    for url, line in (
        ("http://127.0.0.1:9000/", '[webhooks] allow = ["127.0.0.1"]'),
        ("http://0x7f.1/", '[webhooks] allow = ["127.0.0.1"]'),
        ("http://localhost./", '[webhooks] allow = ["127.0.0.1", "::1"]'),
        ("http://[::ffff:169.254.169.254]/", '[webhooks] allow = ["169.254.169.254"]'),
        (f"{PUBLIC_URL}/send/{ORG}", "the gateway itself"),
    ):
        reply = await call(web, "POST", body=NEW | {"url": url})
        assert (reply.status, reply.json["code"]) == (403, "address_refused")
        assert line in reply.fields["url"]
        assert line in reply.json["detail"]
    made = await make(web)
    at = f"/{made['webhook']['id']}"
    reply = await call(web, "PATCH", at, {"url": "http://127.0.0.1/"})
    assert (reply.status, reply.json["code"]) == (403, "address_refused")
    assert (await call(web, "GET", at)).json["webhook"]["url"] == URL


async def test_rules_about_private_networks_hold_at_once(web: Web) -> None:
    home = NEW | {"url": "http://192.168.178.5:1880/sms"}
    assert (await call(web, "POST", body=home)).status == 201
    web.outgoing.append(Rules(private_networks=False, setting=PRIVATE_NETWORKS))
    reply = await call(web, "POST", body=home)
    assert (reply.status, reply.json["code"]) == (403, "address_refused")
    assert "[webhooks] private_networks = true" in reply.fields["url"]
    web.outgoing.append(Rules(allow=parse_networks(["127.0.0.0/8"]), setting=PRIVATE_NETWORKS))
    local = NEW | {"url": "http://localhost:1880/sms"}
    assert (await call(web, "POST", body=local)).status == 201


async def test_an_org_has_so_many_at_most(database: Database) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(org_webhooks=2)))
    await web.make_org()
    first = await make(web)
    await make(web)
    reply = await call(web, "POST", body=NEW)
    assert (reply.status, reply.json["code"]) == (409, "org_full")
    assert "[limits] org_webhooks" in reply.json["detail"]
    assert web.services.rate_limits.refused["org_webhooks"] == 1
    await call(web, "DELETE", f"/{first['webhook']['id']}")
    assert (await call(web, "POST", body=NEW)).status == 201


async def test_those_of_another_org_are_not_there(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    await web.make_org("other-org", "another-secret-9")
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/rotate"),
        ("POST", "/enable"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/1/replay"),
    ):
        reply = await web.call(
            method,
            f"/webhooks/other-org/{id_}{path}",
            {} if method == "PATCH" else None,
            secret="another-secret-9",
        )
        assert (reply.status, reply.json["code"]) == (404, "not_found")
    assert (await call(web, "GET")).json["count"] == 1


async def test_a_phone_of_another_org_is_none_to_filter_by(web: Web) -> None:
    phone = await known_phone(web.database)
    await web.make_org("other-org", "another-secret-9")
    theirs = NEW | {"phone": phone}
    reply = await web.call("POST", "/webhooks/other-org", theirs, secret="another-secret-9")
    assert (reply.status, list(reply.fields)) == (400, ["phone"])
    assert (await call(web, "POST", body=theirs)).status == 201


async def test_a_rotation_leaves_the_old_secret_a_day(web: Web) -> None:
    made = await make(web)
    id_ = made["webhook"]["id"]
    reply = await call(web, "POST", f"/{id_}/rotate")
    assert reply.status == 200
    assert reply.json["secret"].startswith("whsec_")
    assert reply.json["secret"] != made["secret"]
    assert reply.json["webhook"]["old_secret_until"] == iso(NOW + ROTATION_MS)
    now = await stored(web, id_)
    assert (now.secret, now.old_secret) == (reply.json["secret"], made["secret"])


async def test_the_secret_of_shape_twilio_has_no_prefix(web: Web) -> None:
    made = await make(web, shape="twilio")
    assert not made["secret"].startswith("whsec_")
    rotated = (await call(web, "POST", f"/{made['webhook']['id']}/rotate")).json
    assert not rotated["secret"].startswith("whsec_")


async def test_one_that_is_enabled_gets_at_once_what_waits(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    await deliver(web, id_, "alarm.raised")

    def fail(tx: Tables) -> None:
        tx.deliveries.finish(1, Attempt(at=NOW, ms=1, error="It hung up."), NOW + 99_000)
        tx.webhooks.set(
            id_, failing_since=NOW, disabled_at=NOW, disabled_reason="Every call has failed."
        )

    await web.database.write(fail)
    shown = (await call(web, "GET", f"/{id_}")).json["webhook"]
    assert (shown["enabled"], shown["disabled_at"]) == (False, iso(NOW))
    assert (shown["disabled_reason"], shown["waiting"]) == ("Every call has failed.", 1)
    reply = await call(web, "POST", f"/{id_}/deliveries/1/replay")
    assert (reply.status, reply.json["code"]) == (409, "conflict")
    enabled = (await call(web, "POST", f"/{id_}/enable")).json["webhook"]
    empty = dict.fromkeys(("disabled_at", "disabled_reason", "failing_since"))
    assert enabled == shown | empty | {"enabled": True}
    (one,) = (await call(web, "GET", f"/{id_}/deliveries")).json["deliveries"]
    assert one["next_at"] == iso(NOW)


async def test_all_that_waits_is_due_at_once_however_much_it_is(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "HASTENED_AT_ONCE", 1)
    id_ = (await make(web))["webhook"]["id"]
    await deliver(web, id_, "alarm.raised", "alarm.cleared", "alarm.raised")
    late = Attempt(at=NOW, ms=1, error="It hung up.")
    for n in (1, 2, 3):
        await web.database.write(lambda tx, n=n: tx.deliveries.finish(n, late, NOW + 99_000))  # type: ignore[misc]
    await call(web, "POST", f"/{id_}/enable")
    found = (await call(web, "GET", f"/{id_}/deliveries")).json["deliveries"]
    assert [one["next_at"] for one in found] == [iso(NOW)] * 3


async def test_the_log_shows_deliveries_by_pages_and_replays_them(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    await deliver(web, id_, "alarm.raised", "alarm.cleared", "alarm.raised")
    attempt = Attempt(at=NOW + 5, ms=48, status=500, error="It answered 500.", answer="oops")
    await web.database.write(lambda tx: tx.deliveries.finish(3, attempt, None))
    first = (await call(web, "GET", f"/{id_}/deliveries?limit=2")).json
    assert [one["n"] for one in first["deliveries"]] == [3, 2]
    assert first["deliveries"][0] | {"event_id": 0} == {
        "n": 3,
        "event_id": 0,
        "type": "alarm.raised",
        "created_at": iso(NOW),
        "attempts": 1,
        "at": iso(NOW + 5),
        "status": 500,
        "error": "It answered 500.",
        "ms": 48,
        "answer": "oops",
        "next_at": None,
    }
    then = (await call(web, "GET", f"/{id_}/deliveries?limit=2&before=2")).json
    assert [one["n"] for one in then["deliveries"]] == [1]
    reply = await call(web, "POST", f"/{id_}/deliveries/3/replay")
    assert (reply.status, reply.json) == (200, {"ok": True, "n": 3})
    (again, *_) = (await call(web, "GET", f"/{id_}/deliveries")).json["deliveries"]
    assert (again["n"], again["event_id"]) == (4, first["deliveries"][0]["event_id"])
    assert again["next_at"] == iso(NOW)
    for n, status in (("99", 404), ("x", 400), ("0", 400)):
        reply = await call(web, "POST", f"/{id_}/deliveries/{n}/replay")
        assert reply.status == status
    for query in ("limit=0", "limit=201", "before=0", "before=x"):
        assert (await call(web, "GET", f"/{id_}/deliveries?{query}")).status == 400


async def test_a_test_shows_what_the_receiver_answered(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    reply = await call(web, "POST", f"/{id_}/test")
    assert (reply.status, reply.json["succeeded"]) == (200, True)
    assert reply.json["delivery"]["event_id"] is None
    refused = Attempt(at=NOW, ms=3, status=403, error="It answered 403.", answer="who are you?")
    web.receiver.answers = [refused, Attempt(at=NOW, ms=5_000, error="It can't be reached.")]
    for status, error in ((403, "It answered 403."), (None, "It can't be reached.")):
        reply = await call(web, "POST", f"/{id_}/test")
        assert (reply.status, reply.json["succeeded"]) == (200, False)
        shown = reply.json["delivery"]
        assert (shown["status"], shown["error"]) == (status, error)
    assert (await call(web, "GET", f"/{id_}/deliveries")).json["count"] == 3


async def test_one_test_of_a_webhook_runs_at_a_time(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    web.receiver.waiting = trio.Event()
    replies: list[int] = []

    async def ask() -> None:
        replies.append((await call(web, "POST", f"/{id_}/test")).status)
        web.receiver.waiting.set()  # type: ignore[union-attr]

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
    assert sorted(replies) == [200, 409]
    assert (await call(web, "POST", f"/{id_}/test")).status == 200


async def test_an_org_tests_few_at_a_time_and_holds_up_no_other(web: Web) -> None:
    ids = [(await make(web))["webhook"]["id"] for _ in range(3)]
    await web.make_org("other-org", "another-secret-9")
    secret = "another-secret-9"
    theirs = await web.call("POST", "/webhooks/other-org", NEW, secret=secret)
    web.receiver.waiting = trio.Event()
    replies: list[int] = []

    async def ask(id_: int) -> None:
        replies.append((await call(web, "POST", f"/{id_}/test")).status)

    async def ask_other() -> None:
        path = f"/webhooks/other-org/{theirs.json['webhook']['id']}/test"
        replies.append((await web.call("POST", path, secret=secret)).status)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, ids[0])
            nursery.start_soon(ask, ids[1])
            nursery.start_soon(ask_other)
            while web.receiver.asked < 3:
                await trio.lowlevel.checkpoint()
            refused = await call(web, "POST", f"/{ids[2]}/test")
            assert (refused.status, refused.json["code"]) == (429, "too_many_requests")
            assert refused.headers["Retry-After"] == "5"
            web.receiver.waiting.set()
    assert replies == [200, 200, 200]
    assert (await call(web, "POST", f"/{ids[2]}/test")).status == 200


# -- API keys


async def test_one_that_a_key_made_is_disabled_when_the_key_is_revoked(web: Web) -> None:
    key, bearer = await key_of(web, "read", "manage")
    reply = await call(web, "POST", body=NEW, secret=None, headers=bearer)
    theirs = reply.json["webhook"]
    assert theirs["key"] == key
    own = (await make(web))["webhook"]
    await web.call("DELETE", f"/keys/{ORG}/{key}")
    first, second = (await call(web, "GET")).json["webhooks"]
    assert second == own
    assert (first["enabled"], first["disabled_at"]) == (False, iso(NOW))
    assert first["disabled_reason"] == f"The API key {key}, which made it, was revoked."
    # Who enables it takes it over.
    enabled = (await call(web, "POST", f"/{theirs['id']}/enable")).json["webhook"]
    assert (enabled["enabled"], enabled["key"]) == (True, None)


async def test_one_that_fails_stays_its_keys_when_another_enables_it(web: Web) -> None:
    key, bearer = await key_of(web, "read", "manage")
    id_ = (await call(web, "POST", body=NEW, secret=None, headers=bearer)).json["webhook"]["id"]
    await web.database.write(
        lambda tx: tx.webhooks.set(id_, disabled_at=NOW, disabled_reason="It answered 410.")
    )
    assert (await call(web, "POST", f"/{id_}/enable")).json["webhook"]["key"] == key


async def test_one_whose_url_a_key_changes_becomes_the_keys(web: Web) -> None:
    """A key that is revoked for its holder's misdeeds leaves no way out behind."""
    id_ = (await make(web))["webhook"]["id"]
    key, bearer = await key_of(web, "read", "manage")

    async def change(body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        secret = {} if headers is None else {"secret": None, "headers": headers}
        return (await call(web, "PATCH", f"/{id_}", body, **secret)).json["webhook"]["key"]

    assert await change({"name": "x", "url": URL}, bearer) is None
    assert await change({"url": "https://elsewhere.example"}, bearer) == key
    assert await change({"url": URL}) == key
    await web.call("DELETE", f"/keys/{ORG}/{key}")
    assert not (await call(web, "GET", f"/{id_}")).json["webhook"]["enabled"]


async def test_a_key_that_may_not_read_gets_no_webhook(web: Web) -> None:
    id_ = (await make(web))["webhook"]["id"]
    _, bearer = await key_of(web, "manage", "send")
    for method, path, body in (
        ("POST", "", NEW),
        ("PATCH", f"/{id_}", {"url": "https://elsewhere.example"}),
        ("POST", f"/{id_}/enable", None),
    ):
        reply = await call(web, method, path, body, secret=None, headers=bearer)
        assert (reply.status, reply.json["code"]) == (403, "forbidden")
        assert "lacks read" in reply.json["detail"]
    assert (await call(web, "GET")).json["count"] == 1


async def test_those_of_a_removed_org_are_gone_and_those_of_a_rotated_one_stay(web: Web) -> None:
    await make(web)
    await web.services.accounts.orgs.rotate(ORG, "another-secret-9")
    listed = await call(web, "GET", secret="another-secret-9")
    assert listed.json["count"] == 1
    await web.services.accounts.orgs.remove(ORG)
    assert await web.database.read(lambda tx: tx.webhooks.active()) == []


async def test_those_for_status_callbacks_can_be_enabled_and_removed_and_no_more(web: Web) -> None:
    own = (await make(web))["webhook"]
    callback = Callback(shape="jasmin", url="https://a.example/dlr?token=hunter2", mask=3)

    def accept(tx: Tables) -> Webhook:
        org = tx.orgs.get(ORG)
        assert org is not None
        expect(tx, org.id, [callback], NOW)
        hook = tx.webhooks.of_org(org.id)[1]
        disable(tx, hook, "Every call has failed for three days.", NOW)
        return hook

    hook = await web.database.write(accept)
    listed = (await call(web, "GET")).json["webhooks"]
    assert [one["callbacks"] for one in listed] == [False, True]
    shown = listed[1]
    assert (shown["url"], shown["shape"], shown["secret"]) == ("https://a.example/", "jasmin", "…")
    assert "hunter2" not in str(listed)
    at = f"/{hook.id}"
    for method, path, body in (
        ("PATCH", at, {"url": URL}),
        ("POST", f"{at}/rotate", None),
        ("POST", f"{at}/test", None),
    ):
        refused = await call(web, method, path, body)
        assert refused.status == 409
        assert "status callbacks" in refused.json["detail"]
    assert (await call(web, "GET", f"{at}/deliveries")).json["count"] == 0
    assert (await call(web, "POST", f"{at}/enable")).json["webhook"]["enabled"]
    assert (await call(web, "DELETE", at)).status == 200
    assert (await call(web, "GET")).json["webhooks"] == [own]


async def test_they_count_as_none_of_the_org_s_own(database: Database) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(org_webhooks=1)))
    await web.make_org()

    def accept(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        assert org is not None
        expect(tx, org.id, [Callback(shape="twilio", url="https://a.example/")], NOW)

    await web.database.write(accept)
    await make(web)
    assert (await call(web, "POST", body=NEW)).status == 409


async def test_a_state_signs_until_the_owner_makes_a_secret(web: Web) -> None:
    state = bytes(range(40))
    principal = owner((await web.database.read(lambda tx: tx.orgs.get(ORG))).id)  # type: ignore[union-attr]
    new = NewWebhook(url=URL, events=("message.received",), shape="twilio")
    webhooks_of = web.services.webhooks
    made = await webhooks_of.add(principal, new, signing_state=state, method="GET")
    hook = made.webhook
    assert (hook.secret, hook.signing_state, hook.method) == ("", state, "GET")
    shown = (await call(web, "GET", f"/{hook.id}")).json
    assert shown["webhook"]["secret"] == "…"
    assert state.hex() not in str(shown) + repr(hook)
    refused = await call(web, "PATCH", f"/{hook.id}", {"shape": "flat"})
    assert refused.status == 400
    assert [one["field"] for one in refused.json["errors"]] == ["shape"]
    rotated = await call(web, "POST", f"/{hook.id}/rotate")
    assert len(rotated.json["secret"]) > 30
    found = await stored(web, hook.id)
    assert (found.secret, found.signing_state) == (rotated.json["secret"], None)
    assert (found.old_secret, found.old_secret_until) == (None, None)
    # It may come from a client's token again.
    other = bytes(40)
    await webhooks_of.change(
        principal, hook.id, Change(url=URL), signing_state=other, method="POST"
    )
    found = await stored(web, hook.id)
    assert (found.secret, found.signing_state, found.method) == ("", other, "POST")
    with pytest.raises(BadInput, match="shape"):
        await webhooks_of.add(principal, attrs.evolve(new, shape="flat"), signing_state=state)
