"""Every route with every credential in every place: made from the table."""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from phonegate.api.endpoint import Endpoint
from phonegate.api.payload import read_object
from phonegate.api.table import build_table
from phonegate.domain.inbox import Received
from phonegate.domain.media import part
from phonegate.http.credentials import CredentialPlace
from phonegate.model.principal import SCOPES
from phonegate.store.tables import Tables
from tests.api.conftest import (
    CLIENT,
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
    known_phone,
)
from tests.captured_logs import capture_logs

ENDPOINTS = [e for e in build_table(dialects=()).endpoints if e.scope is not None]
DECISIONS = ("approve_message", "refuse_message")
"""These act on a message that waits for approval."""
READING = ("create_webhook", "change_webhook", "enable_webhook")
"""These need the scope read too."""
SENDING = ("create_hook", "change_hook", "rotate_hook")
"""These need the scope send too."""
OTHER_ORG = "other-org"
OTHER_SECRET = "another/secret%9"

PLACES = [
    pytest.param(endpoint, place, id=f"{endpoint.name}-{place}")
    for endpoint in ENDPOINTS
    for place in endpoint.credential_places
]


UNNAMED_PLACES = [
    (endpoint, place) for endpoint in ENDPOINTS for place in endpoint.credential_places
]
CALLED = {"name": "suspended", "mapping": {"to": ["{to}"], "text": "{text}"}}


@attrs.frozen
class Target:
    """What the routes act on: a queued message, a key, an assistant, a phone and so on."""

    message_id: int
    held_id: int
    """One that waits for approval."""
    key_id: str
    assistant_id: int
    phone_id: int
    mms_id: int
    """A received message with a part."""
    webhook_id: int
    """One with a first delivery."""
    called_id: int
    """A hook."""


@pytest.fixture
async def target(web: Web) -> Target:
    await web.make_org(OTHER_ORG, OTHER_SECRET)
    new = {"url": "https://example.org/hook", "events": ["*"]}
    hook = (await web.call("POST", f"/webhooks/{ORG}", new)).json["webhook"]["id"]
    called = {"name": "program", "mapping": {"to": ["{to}"], "text": "{text}"}}
    called_id = (await web.call("POST", f"/hooks/of/{ORG}", called)).json["hook"]["id"]
    sent = await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"})
    made = await web.call("POST", f"/keys/{ORG}", {"name": "target"})
    holding = await web.call("POST", f"/keys/{ORG}", {"name": "h", "limits": {"hold": True}})
    bearer = {"Authorization": f"Bearer {holding.json['key']}"}
    text = {"to": "+15553334444", "body": "x"}
    held = await web.call("POST", f"/send/{ORG}", text, secret=None, headers=bearer)
    assistant = {
        "name": "target",
        "provider": "twilio",
        "phone_numbers": ["+1234567890"],
        "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32},
    }
    added = await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    caller = await web.services.authentication.authenticate(
        SECRET, org_name=ORG, address=CLIENT, scope="read"
    )
    mms = Received(address="+15553334444", body="x", parts=(part("image/png", None, b"x"),))
    receipt = await web.services.inbox.receive(caller.org, [mms], device_id=None)
    await web.database.write(lambda tx: _take_up(tx, caller.org, hook))
    return Target(
        sent.json["results"][0]["id"],
        held.json["results"][0]["id"],
        made.json["id"],
        added.json["assistant"]["id"],
        await known_phone(web.database),
        receipt.ids[0],
        hook,
        called_id,
    )


def _take_up(tx: Tables, org: int, hook: int) -> None:
    webhook = tx.webhooks.get(org, hook)
    assert webhook is not None
    tx.deliveries.take(webhook, 1, lambda _: True, NOW)


async def attempt(
    web: Web,
    target: Target,
    endpoint: Endpoint,
    place: CredentialPlace,
    credential: str | None,
    *,
    org: str = ORG,
) -> Reply:
    """Calls an endpoint rightly in all but, perhaps, the credential."""
    in_path = place == "path"
    template = next(path for path in endpoint.paths if ("{secret}" in path) == in_path)
    quoted = "".join(f"%{byte:02X}" for byte in (credential or "").encode())
    path = template.replace("{org}", org).replace("{secret}", quoted)
    ids = {
        "keys": target.key_id,
        "assistants": str(target.assistant_id),
        "phones": str(target.phone_id),
        "media": str(target.mms_id),
        "webhooks": str(target.webhook_id),
        "hooks": str(target.called_id),
    }
    message_id = target.held_id if endpoint.name in DECISIONS else target.message_id
    path = path.replace("{id}", ids.get(path.split("/")[1], str(message_id))).replace("{n}", "1")
    if endpoint.query is not None and "org_id" in attrs.fields_dict(endpoint.query):
        path += f"?org_id={org}"
    body: dict[str, Any] | None = None
    if endpoint.protocol:
        text = endpoint.examples[0].body
        assert text is not None
        body = read_object(text.encode())
    elif endpoint.body is not None:
        text = endpoint.examples[0].body
        assert text is not None
        body = {k: v for k, v in read_object(text.encode()).items() if k != "secret_key"}
        if "org_id" in body:
            body["org_id"] = org
    headers: dict[str, str] = {}
    if credential is not None:
        if place == "header":
            headers["X-Secret-Key"] = credential
        elif place == "bearer":
            headers["Authorization"] = f"Bearer {credential}"
        elif place == "query":
            path += f"{'&' if '?' in path else '?'}secret_key={quoted}"
        elif place == "body" and body is not None:
            body["secret_key"] = credential
    return await web.call(endpoint.method, path, body, secret=None, headers=headers)


@pytest.mark.parametrize(("endpoint", "place"), PLACES)
async def test_a_route_opens_to_its_own_org_alone_and_logs_no_credential(
    web: Web, target: Target, endpoint: Endpoint, place: CredentialPlace
) -> None:
    with capture_logs() as lines:
        if place != "path":
            without = await attempt(web, target, endpoint, place, None)
            assert without.status == 401
        wrong = [
            await attempt(web, target, endpoint, place, "wrong-secret-12"),
            await attempt(web, target, endpoint, place, SECRET[:-1]),
            await attempt(web, target, endpoint, place, OTHER_SECRET),
            await attempt(web, target, endpoint, place, SECRET, org=OTHER_ORG),
            await attempt(web, target, endpoint, place, "pgk_" + "x" * 8 + "_" + "y" * 32),
            await attempt(web, target, endpoint, place, "pgk_"),
        ]
        if not endpoint.creates_org:
            # An org that does not exist must look like a wrong secret.
            wrong.append(await attempt(web, target, endpoint, place, SECRET, org="no-such-org"))
        right = await attempt(web, target, endpoint, place, SECRET)
    for reply in wrong:
        assert (reply.status, reply.json) == (401, wrong[0].json)
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert reply.json["code"] == "unauthorized"
    assert right.status in endpoint.statuses, right.data
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests[-len(wrong) - 1 : -1]] == [401] * len(wrong)
    assert {line["org"] for line in requests if "org" in line} <= {ORG}
    text = json.dumps(lines, default=str)
    for secret in (SECRET, OTHER_SECRET, "wrong-secret", "another"):
        assert secret not in text
    for secret in (SECRET, OTHER_SECRET):
        assert "".join(f"%{byte:02X}" for byte in secret.encode()) not in text


@pytest.mark.parametrize(("endpoint", "place"), PLACES)
async def test_an_api_key_opens_what_its_scopes_allow(
    web: Web, target: Target, endpoint: Endpoint, place: CredentialPlace
) -> None:
    for scope in SCOPES:
        made = await web.call("POST", f"/keys/{ORG}", {"name": scope, "scopes": [scope]})
        key = made.json["key"]
        foreign = await attempt(web, target, endpoint, place, key, org=OTHER_ORG)
        assert foreign.status == 401
        reply = await attempt(web, target, endpoint, place, key)
        fits = endpoint.scope in {"any", scope} or (endpoint.scope, scope) == ("phone", "manage")
        if not fits:
            assert (reply.status, reply.json["code"]) == (403, "forbidden")
        elif endpoint.name == "create_key":
            assert reply.status == 403  # its example asks for more than this key has
        elif endpoint.name in READING:
            assert reply.status == 403  # by a webhook its holder would read
        elif endpoint.name in SENDING:
            assert reply.status == 403  # by a hook its holder would send
        else:
            assert reply.status in endpoint.statuses, reply.data
        await web.call("DELETE", f"/keys/{ORG}/{made.json['id']}")
        assert (await attempt(web, target, endpoint, place, key)).status == 401


async def test_no_route_serves_a_suspended_org(web: Web, target: Target) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "all", "scopes": list(SCOPES)})
    hook = (await web.call("POST", f"/hooks/of/{ORG}", CALLED)).json["url"]
    assistant = await web.services.assistants.find(target.assistant_id)
    assert assistant is not None
    callback = web.services.assistants.callback_url(assistant)
    assert callback is not None
    public = [(urlsplit(url).path, {"to": "+15553334444", "text": "x"}) for url in (hook, callback)]
    await web.services.accounts.moves.suspend(ORG)
    refused = [
        await attempt(web, target, endpoint, place, credential)
        for endpoint, place in UNNAMED_PLACES
        for credential in (SECRET, made.json["key"])
    ]
    refused += [await web.call("POST", path, body, secret=None) for path, body in public]
    for reply in refused:
        assert (reply.status, reply.json["code"]) == (503, "org_suspended"), reply.data
        assert int(reply.headers["Retry-After"]) > 0
    assert (await web.call("GET", f"/messages/{ORG}", secret="wrong-secret-12")).status == 401
    await web.services.accounts.moves.resume(ORG)
    assert (await web.call("GET", f"/messages/{ORG}")).status == 200


async def test_a_secret_with_slashes_and_percent_signs_works_in_a_path(web: Web) -> None:
    await web.make_org(OTHER_ORG, OTHER_SECRET)
    reply = await web.call("GET", f"/sims/{OTHER_ORG}/another%2Fsecret%259", secret=None)
    assert reply.status == 200


async def test_the_first_credential_counts_even_when_a_later_one_is_right(web: Web) -> None:
    reply = await web.call("GET", f"/sims/{ORG}/{SECRET}", secret="wrong-secret-12")
    assert reply.status == 401


async def test_guessing_is_throttled_with_a_time_to_come_back(web: Web) -> None:
    for number in range(1000):
        reply = await web.call("GET", f"/sims/{ORG}", secret=f"wrong-secret-{number}")
        if reply.status != 401:
            break
    assert (reply.status, reply.json["code"]) == (429, "too_many_requests")
    assert int(reply.headers["Retry-After"]) >= 1


async def test_from_afar_nobody_makes_an_org_nor_uses_the_secret_of_the_documents(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.api.conftest.CLIENT", "203.0.113.9")
    push = {
        "org_id": "neworg",
        "secret_key": "a-secret-of-mine",
        "messages": [{"address": "+15551112222", "body": "hello"}],
    }
    unknown = await web.call("POST", "/webhook", push, secret=None)
    known = await web.call("POST", "/webhook", {**push, "org_id": ORG}, secret=None)
    published = await web.call("GET", f"/messages/{ORG}", secret="my-secret-key-123")
    for reply in (unknown, known, published):
        assert (reply.status, reply.json) == (401, unknown.json)
    assert unknown.json["code"] == "unauthorized"
    monkeypatch.undo()
    assert (await web.call("POST", "/webhook", push, secret=None)).status == 200


@pytest.mark.parametrize("beginning", ["pgt_", "pgr_"])
async def test_a_secret_that_looks_like_a_token_is_one_all_the_same(
    web: Web, beginning: str
) -> None:
    old = f"{beginning}chosen-long-ago"
    await web.make_org(OTHER_ORG, old)
    pair = base64.b64encode(f"{OTHER_ORG}:{old}".encode()).decode()
    for path in ("/balance", "/api/3rdparty/v1/devices"):
        basic = {"Authorization": f"Basic {pair}"}
        assert (await web.call("GET", path, secret=None, headers=basic)).status == 200
        alone = {"Authorization": f"Bearer {old}"}
        assert (await web.call("GET", path, secret=None, headers=alone)).status in {401, 403}
    assert (await web.call("GET", f"/messages/{OTHER_ORG}", secret=old)).status == 200
    bearer = {"Authorization": f"Bearer {old}"}
    answer = await web.call("GET", f"/sims/{OTHER_ORG}", secret=None, headers=bearer)
    assert answer.status == 200
    assert (await web.call("GET", f"/messages/{ORG}", secret=old)).status == 401
