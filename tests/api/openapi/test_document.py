import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import phonegate
from phonegate.api.convert import CONVERTER
from phonegate.api.event_json import event_json
from phonegate.api.openapi.document import (
    TAGS,
    Publication,
    document,
    encode,
)
from phonegate.api.openapi.refusals import meanings_of, refusals_of
from phonegate.api.table import build_table
from phonegate.api.webhooks_types import SHAPES
from phonegate.http.refusals import CODES
from phonegate.model.events import EVENT_TYPES, MEANINGS, Event, EventType
from phonegate.typed_json.fields import fields_of
from tests.api.conftest import Web
from tests.domain.sample_events import message_event
from tests.json_schema import validator

TABLE = build_table()
DESCRIBED = [one for one in TABLE.endpoints if not one.protocol and not one.by_basic]
DOCUMENT = document(TABLE, server="https://sms.example.org", version="1.2.3")
SCHEMAS = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def operation(name: str) -> dict[str, Any]:
    return next(o for _, _, o in operations() if o["operationId"] == name)


def test_it_is_valid() -> None:
    from openapi_spec_validator import validate  # noqa: PLC0415 - half a second in every worker

    validate(DOCUMENT)


def test_each_type_of_event_is_a_webhook_with_its_own_schema() -> None:
    assert list(DOCUMENT["webhooks"]) == list(EVENT_TYPES)
    for type_, item in DOCUMENT["webhooks"].items():
        call = item["post"]
        assert call["description"] == MEANINGS[type_]
        assert all(f"shape {shape}" in call["requestBody"]["description"] for shape in SHAPES)
        assert [p["name"] for p in call["parameters"]] == [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        ]
        schema = call["requestBody"]["content"]["application/json"]["schema"]
        whole = validator({**schema, "components": DOCUMENT["components"]})
        for other in EVENT_TYPES:
            found = [error.message for error in whole.iter_errors(_sample(other))]
            assert bool(found) == (other != type_), found


OTHER_DATA: dict[str, dict[str, Any]] = {
    "phone": {"id": 7, "kind": "link", "online": True, "last_seen": 1_000},
    "alarm": {"alarm": "phone_away", "sentence": "It is away.", "fields": {}},
    "webhook": {"id": 3, "disabled_at": 1_000, "disabled_reason": "It answered 410."},
}


def _sample(type_: EventType) -> Any:
    """An event as receivers get it."""
    data = OTHER_DATA.get(type_.partition(".")[0])
    event = (
        message_event(type_=type_)
        if data is None
        else Event(id=1, org=1, type=type_, at=1_000, data=data)
    )
    return json.loads(CONVERTER.encode(event_json(event, media="/media/myorg")))


def test_it_is_of_this_gateway() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["info"]["version"] == "1.2.3"
    assert [server["url"] for server in DOCUMENT["servers"]] == ["https://sms.example.org"]
    relative = document(TABLE, server="", version="1.2.3")
    assert [server["url"] for server in relative["servers"]] == ["/"]


def test_it_is_the_same_every_time() -> None:
    again = document(build_table(), server="https://sms.example.org", version="1.2.3")
    assert encode(again) == encode(DOCUMENT)


def test_it_holds_every_endpoint_at_every_path_once() -> None:
    """Of a dialect's at the first, which names the others."""
    expected = {
        (path, e.method.lower())
        for e in DESCRIBED
        for path in (e.paths if e.dialect is None else e.paths[:1])
    }
    assert {(path, method) for path, method, _ in operations()} == {
        *expected,
        ("/websocket", "get"),
    }
    names = [o["operationId"] for _, _, o in operations()]
    assert len(set(names)) == len(names)
    assert {e.name for e in DESCRIBED} <= set(names)


OWN = [endpoint for endpoint in DESCRIBED if endpoint.dialect is None]
OF_DIALECTS = [endpoint for endpoint in DESCRIBED if endpoint.dialect is not None]


@pytest.mark.parametrize("endpoint", OF_DIALECTS, ids=lambda e: e.name)
def test_an_operation_of_a_dialect_says_what_it_takes(endpoint: Any) -> None:
    if endpoint.by_basic:
        return
    found = operation(endpoint.name)
    assert found["tags"] == [f"dialect: {endpoint.dialect.name}"]
    assert all(f"`{path}`" in found["description"] for path in endpoint.paths[1:])
    names = {p["name"] for p in found.get("parameters", ())}
    assert ("Idempotency-Key" in names) == endpoint.idempotent
    assert endpoint.dialect.title in found["responses"]["default"]["description"]
    assert found["responses"].keys() == {*map(str, endpoint.statuses), "default"}
    assert found["security"] == ([{}, {"Basic": []}] if endpoint.scope else [])


@pytest.mark.parametrize("endpoint", OWN, ids=lambda e: e.name)
def test_an_operation_says_what_its_endpoint_takes_and_gives(endpoint: Any) -> None:
    found = operation(endpoint.name)
    assert found["tags"] == [endpoint.group]
    named = {(p["in"], p["name"]) for p in found.get("parameters", ())}
    expected = {("path", part[1:-1]) for part in endpoint.paths[0].split("/") if "{" in part}
    expected |= {("query", f.name) for f in (fields_of(endpoint.query) if endpoint.query else ())}
    expected |= {("header", "Idempotency-Key")} if endpoint.idempotent else set()
    assert named == expected
    assert ("requestBody" in found) == bool(endpoint.body or endpoint.raw_limit)
    for status in endpoint.statuses:
        contents = found["responses"][str(status)]["content"]
        if endpoint.answer is None:
            assert list(contents) == ["application/octet-stream", endpoint.media]
            continue
        content = contents["application/json"]
        assert content["schema"]["$ref"].startswith("#/components/schemas/")
    codes = {code for r in found["responses"].values() for code in r.get("x-error-codes", ())}
    assert set(endpoint.error_codes) | {"internal_error", "storage_unavailable"} <= codes
    secured = {name for way in found["security"] for name in way}
    assert secured == ({"SecretKeyHeader", "Bearer", "SecretKeyQuery"} if endpoint.scope else set())


def test_a_secret_may_stand_where_the_table_says() -> None:
    assert {} in operation("send_sms")["security"]  # in the body
    assert {} in operation("list_sims_by_path_secret")["security"]
    assert {} not in operation("list_sims")["security"]
    assert {"Bearer": ["read"]} in operation("list_sims")["security"]


def test_every_code_is_explained_and_has_its_status() -> None:
    for endpoint in TABLE.endpoints:
        for codes in refusals_of(endpoint).values():
            assert set(codes) <= set(CODES), endpoint.name
            assert meanings_of(codes).count(":") >= len(codes)
    send = next(e for e in TABLE.endpoints if e.name == "send_sms")
    assert refusals_of(send)[404] == ("unknown_sim",)
    assert refusals_of(send)[422] == ("idempotency_key_reused",)
    health = next(e for e in TABLE.endpoints if e.name == "health")
    assert 401 not in refusals_of(health)


def test_a_code_of_every_endpoint_has_the_status_that_is_answered() -> None:
    # Also where the whole gateway is loaded, whose parts have refusals of their own.
    importlib.import_module("phonegate.gateway")
    health = next(e for e in TABLE.endpoints if e.name == "health")
    assert refusals_of(health)[400] == ("bad_request",)
    assert "storage_unavailable" in refusals_of(health)[503]


def test_every_group_has_its_words() -> None:
    names = [tag["name"] for tag in DOCUMENT["tags"]]
    dialects = [f"dialect: {one.name}" for one in TABLE.dialects]
    assert names == [*(name for name in TAGS if name in names), *dialects]
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_nothing_refers_to_nowhere_and_nothing_lies_about() -> None:
    text = json.dumps(DOCUMENT)
    used = {ref.partition('"')[0] for ref in text.split("#/components/schemas/")[1:]}
    assert used >= set(SCHEMAS) - {"PhoneFrame", "GatewayFrame"}
    assert used <= set(SCHEMAS)


def test_every_field_is_described() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["description"], name
        for field, described in schema.get("properties", {}).items():
            assert "description" in described or "const" in described or "$ref" in str(described), (
                name,
                field,
            )


def test_a_publication_tags_each_text_and_is_built_once_for_all_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publication = Publication(TABLE, "1.2.3")
    text, tag = publication.read("https://sms.example.org")
    assert json.loads(text) == DOCUMENT
    assert Publication(TABLE, "1.2.4").read("https://sms.example.org")[1] != tag
    # Whoever makes up hosts costs no more than who asks for one again and again.
    monkeypatch.delattr("phonegate.api.openapi.document.document")
    assert publication.read("https://sms.example.org") == (text, tag)
    elsewhere, other = publication.read("http://[::1]:8080")
    assert other != tag
    servers = [{"url": "http://[::1]:8080", "description": "This gateway."}]
    assert json.loads(elsewhere) == DOCUMENT | {"servers": servers}


async def test_it_is_served_to_everybody_with_the_address_asked_at(web: Web) -> None:
    reply = await web.call("GET", "/openapi.json", secret=None)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.headers["Cache-Control"] == "no-cache"
    assert [server["url"] for server in reply.json["servers"]] == ["http://gate.lan"]
    assert reply.json["paths"] == json.loads(encode(DOCUMENT))["paths"]
    again = await web.call(
        "GET", "/openapi.json", secret=None, headers={"If-None-Match": reply.headers["ETag"]}
    )
    assert (again.status, again.data) == (304, b"")
    elsewhere = await web.call(
        "GET",
        "/openapi.json",
        headers={"Host": "other.example", "If-None-Match": reply.headers["ETag"]},
    )
    assert elsewhere.json["servers"][0]["url"] == "http://other.example"
    hostile = await web.call("GET", "/openapi.json", headers={"Host": 'x"></script>'})
    assert hostile.json["servers"][0]["url"] == "/"
    head = await web.call("HEAD", "/openapi.json", secret=None)
    assert (head.status, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(reply.data)
    assert (await web.call("POST", "/openapi.json", {})).json["code"] == "method_not_allowed"
    options = await web.call("OPTIONS", "/openapi.json", secret=None)
    assert (options.status, options.data) == (204, b"")
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "Content-Type" not in options.headers


async def test_who_comes_to_the_phones_address_without_a_handshake_is_told(web: Web) -> None:
    reply = await web.call("GET", "/websocket", secret=None)
    assert (reply.status, reply.json["code"]) == (426, "upgrade_required")
    assert reply.headers["Upgrade"] == "websocket"


def test_the_command_prints_it_without_a_gateway() -> None:
    command = [sys.executable, "-m", "phonegate", "openapi", "--server", "https://sms.example.org/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    version = phonegate.__version__
    printed = document(TABLE, server="https://sms.example.org", version=version)
    assert json.loads(done.stdout) == json.loads(encode(printed))
