"""Calls of hooks over HTTP: how programs show who they are, and what comes of what they post."""

import hashlib
import hmac
import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from phonegate.api.dialects.hooks import read_posted
from phonegate.domain.carrier import CarrierFault, CarrierRefusal
from phonegate.domain.hooks.ready_mappings import READY_MAPPINGS, ReadyMapping
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.hooks import MAX_CALL_BYTES
from phonegate.model.refusals import Refused
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.tables import Tables
from tests.api import conftest
from tests.api.conftest import NOW, ORG, SECRET, Reply, Web, build_web
from tests.captured_logs import capture_logs

pytestmark = pytest.mark.usefixtures("notes_waited_for")

MAPPING: dict[str, Any] = {"to": ["{to}"], "text": "{text}"}
POSTED = {"to": "+15553334444", "text": "Your table is ready"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

KEYS = {"standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "basic": "listmonk:p4ssword"}
"""Secrets of programs, where their form is given."""


async def make(web: Web, mapping: Any = None, **fields: Any) -> str:
    """Makes a hook. Returns the path of its URL."""
    body = {"name": "program", "mapping": mapping or MAPPING} | fields
    reply = await web.call("POST", f"/hooks/of/{ORG}", body)
    assert reply.status == 201, reply.data
    url: str = reply.json["url"]
    return url[url.index("/hooks/") :]


async def post(web: Web, path: str, body: Any = POSTED, **how: Any) -> Reply:
    """Calls a hook as a program does."""
    return await web.call("POST", path, None if "raw" in how else body, secret=None, **how)


async def sent(web: Web) -> list[tuple[str, str]]:
    """Returns what there is to send."""
    found = (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"]
    return [(one["address"], one["body"]) for one in found]


async def hooks(web: Web) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await web.call("GET", f"/hooks/of/{ORG}")).json["hooks"]
    return found


async def last(web: Web) -> tuple[str, str]:
    """Returns what became of the last call of the only hook."""
    (hook,) = await hooks(web)
    return hook["last"]["kind"], hook["last"]["detail"]


async def limited(web: Web, **limits: Any) -> str:
    """Makes an API key with limits. Returns its id."""
    made = await web.call("POST", f"/keys/{ORG}", {"name": "limited", "limits": limits})
    key: str = made.json["id"]
    return key


def signed(ready: ReadyMapping, secret: str, body: bytes) -> dict[str, str]:
    """Returns the headers by which a program shows who it is."""
    at = NOW // 1000
    if ready.verification == "standard":
        when = datetime.fromtimestamp(at, tz=UTC)
        signature = Webhook(secret).sign("msg_1", when, body.decode())
        named = {"id": "msg_1", "timestamp": str(at), "signature": signature}
        return {f"webhook-{name}": value for name, value in named.items()}
    if ready.verification == "zitadel":
        digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"ZITADEL-Signature": f"t={at},v1={digest}"}
    if ready.verification == "hmac":
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {ready.header or "": f"sha256={digest}" if ready.name == "github" else digest}
    if ready.verification == "basic":
        return {"Authorization": "Basic " + b64encode(secret.encode()).decode()}
    return {"Authorization": secret}


@pytest.mark.parametrize("ready", READY_MAPPINGS, ids=lambda one: one.name)
async def test_each_ready_made_mapping_sends_what_its_program_posts(
    web: Web, ready: ReadyMapping
) -> None:
    (shown,) = (await web.call("GET", f"/hooks/ready/{ORG}?name={ready.name}")).json["mappings"]
    secret = KEYS.get(ready.verification or "", "Bearer 9b1c7d2e-4f2a")
    verification = None
    if ready.verification is not None:
        verification = {"kind": ready.verification, "secret": secret, "header": ready.header}
    path = await make(web, shown["mapping"], verification=verification)
    body = json.dumps(shown["sample"]).encode()
    headers = signed(ready, secret, body)
    reply = await post(web, path, raw=body, headers=headers)
    assert (reply.status, reply.json["sent"]) == (200, True), reply.data
    assert reply.headers["Content-Type"] == "application/json"
    (message,) = await sent(web)
    assert message[0] == "+15553334444"
    assert await last(web) == ("sent", "1 message")
    if verification is not None:
        forged = await post(web, path, raw=body + b" ", headers={})
        assert (forged.status, forged.json["code"]) == (401, "unauthorized")
        assert await last(web) == ("refused", forged.json["detail"])
        assert len(await sent(web)) == 1


async def test_a_condition_that_does_not_hold_sends_nothing(web: Web) -> None:
    path = await make(web, MAPPING | {"when": ["status == firing"]})
    reply = await post(web, path, POSTED | {"status": "resolved"})
    why = "Its condition does not hold: status == firing"
    assert (reply.status, reply.json) == (200, {"sent": False, "messages": [], "reason": why})
    assert await last(web) == ("skipped", why)
    assert (await post(web, path, POSTED | {"status": "firing"})).json["sent"] is True
    assert len(await sent(web)) == 1


async def test_every_recipient_gets_one(web: Web) -> None:
    mapping = {"to": ["+15551112222", "{people[*].phone}"], "text": "{text}"}
    phones = ("+1 (555) 333-4444, +15551112222", None, "15556667777")
    people = [{"phone": one} for one in phones]
    reply = await post(web, await make(web, mapping), {"text": "x", "people": people})
    assert len(reply.json["messages"]) == 3
    numbers = {number for number, _ in await sent(web)}
    assert numbers == {"+15551112222", "+15553334444", "+15556667777"}
    assert await last(web) == ("sent", "3 messages")


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"to=%2B15553334444&text=Your+table+is+ready", FORM),
        (b"payload=" + b'{"to":"%2B15553334444","text":"Your table is ready"}', FORM),
        (json.dumps(POSTED).encode(), FORM),
        (json.dumps(POSTED).encode(), {"Content-Type": "text/plain"}),
        (b"\xef\xbb\xbf" + json.dumps(POSTED).encode(), {}),
    ],
)
async def test_a_form_is_read_too(web: Web, raw: bytes, headers: dict[str, str]) -> None:
    reply = await post(web, await make(web), raw=raw, headers=headers)
    assert reply.status == 200, reply.data
    assert await sent(web) == [("+15553334444", "Your table is ready")]


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b"", {}, 400, "bad_input"),
        (b"{", {}, 400, "bad_input"),
        (b"[" * 100_000, {}, 400, "bad_input"),
        (b"[" + b"1," * 30_000 + b"1]", {}, 400, "bad_input"),
        (b"<xml/>", {"Content-Type": "text/xml"}, 415, "unsupported_media_type"),
        (b'"' + b"x" * MAX_CALL_BYTES + b'"', {}, 413, "too_large"),
        (b'{"text":"x"}', {}, 400, "bad_input"),
        (b'{"to":"abc","text":"x"}', {}, 400, "bad_input"),
        (b'{"to":"+15553334444","text":" "}', {}, 400, "bad_input"),
    ],
)
async def test_what_can_t_be_sent_is_refused_with_the_reason(
    web: Web, raw: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    reply = await post(web, await make(web), raw=raw, headers=headers)
    assert (reply.status, reply.json["code"]) == (status, code), reply.data
    assert (reply.json["ok"], reply.json["sent"]) == (False, False)
    assert reply.json["error"] == {"http_code": status, "message": reply.json["detail"]}
    assert await sent(web) == []


async def test_gotrue_is_answered_in_the_form_that_it_reads(web: Web) -> None:
    path = await make(web, MAPPING | {"answer": "supabase"})
    reply = await post(web, path, {"to": "+15553334444"})
    assert reply.status == 200
    assert reply.json["error"]["http_code"] == 400
    assert "text" in reply.json["error"]["message"]


# --- Repeats ----------------------------------------------------------------------------------


async def test_the_same_body_is_a_repeat_for_some_seconds(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await make(web)
    first = await post(web, path, headers={"webhook-id": "a"})
    again = await post(web, path, headers={"webhook-id": "b"})
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await last(web) == ("repeat", "")
    assert len(await sent(web)) == 1
    assert (await post(web, path, POSTED | {"text": "Another"})).json != first.json
    for later, count in ((NOW + 9_999, 2), (NOW + 10_001, 3), (NOW + 12_000, 3)):
        monkeypatch.setattr(conftest, "NOW", later)
        await post(web, path)
        assert len(await sent(web)) == count, later


async def test_the_same_id_is_a_repeat_for_a_day(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await make(web)
    first = await post(web, path, headers={"webhook-id": "a"})
    monkeypatch.setattr(conftest, "NOW", NOW + 3_600_000)
    assert (await post(web, path, headers={"webhook-id": "a"})).json == first.json
    assert len(await sent(web)) == 1
    monkeypatch.setattr(conftest, "NOW", NOW + 25 * 3_600_000)
    await post(web, path, headers={"webhook-id": "a"})
    assert len(await sent(web)) == 2


async def test_without_a_time_only_the_id_makes_a_repeat(web: Web) -> None:
    path = await make(web, MAPPING | {"repeat_s": 0})
    for _ in range(2):
        await post(web, path)
    assert len(await sent(web)) == 2
    for _ in range(2):
        await post(web, path, headers={"webhook-id": "a"})
    assert len(await sent(web)) == 3


async def test_repeats_are_of_one_hook_and_one_mapping(web: Web) -> None:
    one, two = await make(web), await make(web)
    await post(web, one)
    await post(web, two)
    assert len(await sent(web)) == 2
    id_ = (await hooks(web))[0]["id"]
    changed = {"mapping": MAPPING | {"text": "Now: {text}"}}
    await web.call("PATCH", f"/hooks/of/{ORG}/{id_}", changed)
    await post(web, one)
    assert len(await sent(web)) == 3


async def test_a_repeat_is_known_after_a_restart(web: Web) -> None:
    path = await make(web)
    first = await post(web, path, headers={"webhook-id": "a"})
    restarted = build_web(web.database)
    for id_ in ("a", "b"):
        again = await post(restarted, path, headers={"webhook-id": id_})
        assert again.json == first.json
    assert len(await sent(web)) == 1


async def test_the_same_at_the_same_time_is_sent_once(web: Web) -> None:
    path, replies = await make(web), list[Reply]()

    async def once() -> None:
        replies.append(await post(web, path))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(once)
    assert {reply.status for reply in replies} <= {200, 409}
    assert len(await sent(web)) == 1


async def test_a_refused_call_can_be_made_again(web: Web) -> None:
    path = await make(web, key=await limited(web, to=["+1666*"]))
    assert (await post(web, path)).status == 403
    (hook,) = await hooks(web)
    await web.call("PATCH", f"/keys/{ORG}/{hook['key']}", {"limits": {"to": ["+1555*"]}})
    assert (await post(web, path)).json["sent"] is True


async def test_what_is_sent_is_answered_so_whether_it_could_be_noted_or_not(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await make(web)

    def fail(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr("phonegate.store.hooks.Hooks.note", fail)
    assert (await post(web, path)).json["sent"] is True
    assert len(await sent(web)) == 1
    assert (await hooks(web))[0]["calls"] == 0


# --- Limits and rights ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"to": ["+1666*"]}, 403, "recipient_not_allowed"),
        ({"per_hour": 1}, 429, "key_limit_reached"),
        ({"per_day": 1}, 429, "key_limit_reached"),
        (
            {"quiet_hours": {"hours": "00:00-23:59", "zone": "UTC"}},
            429,
            "quiet_hours",
        ),
    ],
)
async def test_the_limits_of_its_key_bind_it(
    web: Web, limits: dict[str, Any], status: int, code: str
) -> None:
    path = await make(web, key=await limited(web, **limits))
    await post(web, path, POSTED | {"text": "the first"})
    reply = await post(web, path)
    assert (reply.status, reply.json["code"]) == (status, code), reply.data
    assert (await last(web))[0] == "refused"
    assert "Your table is ready" not in [text for _, text in await sent(web)]


async def test_a_call_beyond_a_whole_limit_sends_to_no_one(web: Web) -> None:
    path = await make(web, key=await limited(web, per_hour=1))
    reply = await post(web, path, POSTED | {"to": ["+15553334444", "+15556667777"]})
    assert (reply.status, reply.json["code"]) == (403, "batch_over_key_limit")
    assert reply.json["limit"] == "per_hour"
    assert await sent(web) == []


async def test_a_key_that_holds_has_its_messages_wait(web: Web) -> None:
    await post(web, await make(web, key=await limited(web, hold=True)))
    found = await web.call("GET", f"/messages/{ORG}?waiting_for=approval")
    assert [one["body"] for one in found.json["messages"]] == ["Your table is ready"]


async def test_one_ends_with_its_key(web: Web) -> None:
    key = await limited(web, per_day=5)
    path = await make(web, key=key)
    assert (await post(web, path)).status == 200
    await web.call("DELETE", f"/keys/{ORG}/{key}")
    reply = await post(web, path)
    assert (reply.status, reply.json["code"]) == (410, "gone")
    (hook,) = await hooks(web)
    assert hook["enabled"] is False
    assert key in hook["disabled_reason"]


async def test_a_disabled_one_takes_no_calls_until_it_is_enabled(web: Web) -> None:
    path = await make(web)
    (hook,) = await hooks(web)
    at_ = f"/hooks/of/{ORG}/{hook['id']}"
    assert (await web.call("PATCH", at_, {"enabled": False})).json["hook"]["enabled"] is False
    assert (await post(web, path)).status == 410
    assert (await web.call("PATCH", at_, {"enabled": True})).json["hook"]["enabled"] is True
    assert (await post(web, path)).status == 200


async def test_after_a_rotation_the_first_url_is_none(web: Web) -> None:
    path = await make(web)
    (hook,) = await hooks(web)
    rotated = (await web.call("POST", f"/hooks/of/{ORG}/{hook['id']}/rotate")).json["url"]
    assert (await post(web, path)).status == 404
    assert (await post(web, rotated[rotated.index("/hooks/") :])).status == 200


async def test_a_hook_sends_from_its_own_number_alone(web: Web) -> None:
    reply = await post(web, await make(web, MAPPING | {"sender": "+15550001111"}))
    assert (reply.status, reply.json["code"]) == (404, "unknown_sim")


@pytest.fixture
async def by_carrier(web: Web) -> dict[str, Any]:
    """Returns a mapping whose messages go by a carrier."""
    assistant = {
        "name": "support",
        "provider": "twilio",
        "phone_numbers": ["+15557778888"],
        "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32},
    }
    assert (await web.call("POST", f"/assistants?org_id={ORG}", assistant)).status == 201
    return MAPPING | {"sender": "+15557778888"}


async def test_a_hook_sends_by_a_carrier_too(web: Web, by_carrier: dict[str, Any]) -> None:
    path = await make(web, by_carrier)
    first = await post(web, path, headers={"webhook-id": "a"})
    assert (await post(web, path, headers={"webhook-id": "a"})).json == first.json
    (taken,) = web.carrier.taken
    assert (taken.recipient, taken.body) == ("+15553334444", "Your table is ready")


@pytest.mark.parametrize(("form", "status"), [("json", 500), ("supabase", 200)])
async def test_what_a_carrier_does_not_take_is_no_success(
    web: Web, by_carrier: dict[str, Any], form: str, status: int
) -> None:
    path = await make(web, by_carrier | {"answer": form})
    web.carrier.answers = [CarrierRefusal(CarrierFault(code="40001", text="No such number"))]
    reply = await post(web, path, headers={"webhook-id": "a"})
    assert (reply.status, reply.json["error"]["http_code"]) == (status, 500)
    assert (await last(web))[0] == "refused"


async def test_of_several_those_that_failed_are_counted(
    web: Web, by_carrier: dict[str, Any]
) -> None:
    path = await make(web, by_carrier)
    web.carrier.answers = [CarrierRefusal(CarrierFault(code="40001", text="No such number"))]
    reply = await post(web, path, POSTED | {"to": ["+15553334444", "+15556667777"]})
    assert [one["status"] for one in reply.json["messages"]] == ["failed", "sending"]
    assert await last(web) == ("sent", "2 messages, of which 1 failed")


@pytest.mark.parametrize("path", ["/hooks/pgh_none", "/hooks/x", "/hooks/pgh_%FF"])
async def test_an_unknown_url_is_answered_as_programs_read_it(web: Web, path: str) -> None:
    reply = await post(web, path)
    assert reply.status in {400, 404}
    assert reply.json["error"]["message"] == reply.json["detail"]


async def test_guesses_count_as_those_of_unknown_callers(web: Web) -> None:
    limits = RateLimits(Bounds(address_requests_per_s=1))
    bounded = build_web(web.database, rate_limits=limits)
    path = await make(web)
    replies = [await post(bounded, f"/hooks/pgh_{n}") for n in range(200)]
    assert {reply.status for reply in replies} == {404, 429}
    # A known program at the same address goes on.
    assert (await post(bounded, path)).status == 200


async def test_calls_that_are_not_the_program_s_count_as_those_of_its_org(web: Web) -> None:
    limits = RateLimits(Bounds(org_requests_per_s=1))
    path = await make(web, verification={"kind": "header", "header": "X-Mine", "secret": "s" * 20})
    bounded = build_web(web.database, rate_limits=limits)
    statuses = [(await post(bounded, path)).status for _ in range(30)]
    # What is refused so is not written down.
    assert set(statuses) == {401, 429}


async def test_neither_token_nor_text_reaches_the_log(web: Web) -> None:
    with capture_logs() as lines:
        path = await make(web)
        for body in (POSTED, {"to": "oops-secret", "text": "Your table is ready"}):
            await post(web, path, body)
        await post(web, path + "x")
    text = json.dumps(lines, default=str)
    for secret in (path.rsplit("/", 1)[1], "Your table", "15553334444", "oops", SECRET):
        assert secret not in text


async def test_its_token_is_kept_nowhere(web: Web) -> None:
    path = await make(web)
    await post(web, path, headers={"webhook-id": "a"})
    token = path.rsplit("/", 1)[1]

    def rows(tx: Tables) -> str:
        connection = tx.hooks._connection
        tables = ("hooks", "messages", "replies", "marks")
        return repr([connection.execute(f"SELECT * FROM {one}").fetchall() for one in tables])

    dump = await web.database.read(rows)
    assert "Your table is ready" in dump
    assert token not in dump


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]":,a1 ', max_size=40).map(str.encode),
    st.sampled_from([None, "application/json", FORM["Content-Type"], "multipart/form-data", "x"]),
)
def test_no_body_makes_reading_fail(body: bytes, media: str | None) -> None:
    with suppress(Refused):
        read_posted(body, {} if media is None else {"content-type": media})
