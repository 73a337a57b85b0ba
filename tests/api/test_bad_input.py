"""Bad input of every kind to every route: made from the table, so a new route is tested too."""

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.api.endpoint import Endpoint
from phonegate.api.payload import read_object
from phonegate.api.table import build_table
from phonegate.model.messages import PageQuery
from phonegate.typed_json.fields import Field, Wrong, fields_of, rule_of
from phonegate.typed_json.rules import Several
from tests.api.conftest import ORG, Reply, Web, known_phone

ENDPOINTS = build_table(dialects=()).endpoints
WITH_BODY = [e for e in ENDPOINTS if e.body is not None]
WITH_QUERY = [e for e in ENDPOINTS if e.query is not None]

WRONG_JSON = [
    True,
    1.5,
    -1,
    10**400,
    -(10**400),
    "",
    "x\x00",
    "\ud83d",
    "x" * 70_000,
    "not it\n",
    [],
    {},
    [None],
    {"x": {}},
]
WRONG_TEXT = ["", "x\x00", "-1", "1.5", "true", "9" * 6000, "x" * 6000, "\n", "not it"]

NO_OBJECTS = [
    b"",
    b" ",
    b"{",
    b"}",
    b"[]",
    b"null",
    b"5",
    b'"x"',
    b"{'to':1}",
    b'{"to":NaN}',
    b'{"to":1,"to":1}',
    b'{"to":"\xff"}',
    b'{"to":"\xed\xa0\xbd"}',
    '{"to":"x"}'.encode("utf-16"),
    b'{"to":' * 10_000,
    b"[" * 90_000,
    b'{"a":"' + b'\\"' * 40_000,
    b"to=%2B15553334444&body=x",
    b"\x00",
]
NO_MEDIA = [
    ("text/html", b"{}"),
    ("text/plain", b"to: x"),
    ("multipart/form-data; boundary=x", b"--x--"),
    ("application/xml", b"<a/>"),
    ("application/json; charset=utf-16", b"{}"),
    ("application/x-www-form-urlencoded", b"to=x"),
    ("nonsense", b"{}"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[]), max_size=8)
    | st.sampled_from(["+15553334444", ORG, "my-secret-key-123", "2030-01-31T08:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def address(endpoint: Endpoint, **query: str) -> str:
    """Where an endpoint is, with the org's name where it takes one."""
    first = "1" if endpoint.group == "assistants" else "5"
    path = endpoint.paths[0].replace("{org}", ORG).replace("{id}", first)
    if endpoint.query is not None and "org_id" in attrs.fields_dict(endpoint.query):
        query = {"org_id": ORG, **query}
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{path}?{asked}" if asked else path


async def make_room(web: Web, endpoint: Endpoint) -> str:
    """Makes what an endpoint's example needs, removes what stands in its way; where to call it."""
    if endpoint.name == "create_assistant":
        found = await web.call("GET", f"/assistants?org_id={ORG}")
        for one in found.json["assistants"]:
            await web.call("DELETE", f"/assistants/{one['id']}?org_id={ORG}")
    if endpoint.name in ("change_assistant", "send_sms_from_number"):
        (create,) = (e for e in WITH_BODY if e.name == "create_assistant")
        body = {**good_body(create), "phone_numbers": ["+1234567890"]}
        # It stays from call to call: then this is a conflict.
        await web.call("POST", f"/assistants?org_id={ORG}", body)
    if endpoint.name == "change_key":
        made = await web.call("POST", f"/keys/{ORG}", {"name": "agent"})
        return f"/keys/{ORG}/{made.json['id']}"
    if endpoint.name == "change_phone":
        return f"/phones/{ORG}/{await known_phone(web.database)}"
    if endpoint.name == "change_webhook":
        new = {"url": "https://example.org/sms", "events": ["*"]}
        made = await web.call("POST", f"/webhooks/{ORG}", new)
        return f"/webhooks/{ORG}/{made.json['webhook']['id']}"
    if endpoint.name == "change_hook":
        hook = {"name": "program", "mapping": {"to": ["{to}"], "text": "{text}"}}
        made = await web.call("POST", f"/hooks/of/{ORG}", hook)
        return f"/hooks/of/{ORG}/{made.json['hook']['id']}"
    return address(endpoint)


def good_body(endpoint: Endpoint) -> dict[str, Any]:
    body = endpoint.examples[-1].body
    assert body is not None
    return read_object(body.encode())


def object_in(field: Field) -> type | None:
    """The object type of a field, or of its items."""
    types = [field.type]
    while types:
        type_ = types.pop()
        if isinstance(type_, type) and attrs.has(type_):
            return type_
        types += [arg for arg in get_args(type_) if not isinstance(arg, str)]
    return None


def wrong_fields(endpoints: Iterable[Endpoint]) -> Iterator[Any]:
    """Every field of every body with every value that it must not have."""
    for endpoint in endpoints:
        assert endpoint.body is not None
        for place, field in places_in(endpoint.body):
            for value in refused(field):
                yield pytest.param(endpoint, place, field.name, value)


def places_in(
    cls: type, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Field]]:
    """The fields of a type and of the objects in it, each with where its object is."""
    for field in fields_of(cls):
        yield place, field
        if (inner := object_in(field)) is not None:
            first = (0,) if isinstance(field.rule, Several) else ()
            yield from places_in(inner, (*place, field.name, *first))


def refused(field: Field) -> Iterator[object]:
    rule = rule_of(field.type)
    assert rule is not None or object_in(field) is not None
    if field.required and type(None) not in get_args(field.type):
        yield None
    for value in WRONG_JSON:
        if rule is None:
            if value != {}:
                yield value
            continue
        try:
            rule.read(value)
        except Wrong:
            yield value


async def nothing_stored(web: Web) -> bool:
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    return not await web.database.read(lambda tx: tx.messages.page(org.id, PageQuery()))


def is_clear(reply: Reply) -> bool:
    """An error as every client may expect it."""
    return (
        reply.headers["Content-Type"] == "application/json"
        and set(reply.json) <= {"ok", "detail", "code", "errors"}
        and reply.json["ok"] is False
        and bool(reply.json["detail"])
        and bool(reply.json["code"])
    )


async def test_every_wrong_value_of_every_field_is_named(web: Web) -> None:
    for parameters in wrong_fields(WITH_BODY):
        endpoint, place, name, value = parameters.values
        body = copy.deepcopy(good_body(endpoint))
        target: Any = body
        at = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in place).removeprefix(".")
        for step in place:
            target = target[step] if isinstance(step, int) else target.setdefault(step, {})
        target[name] = value
        reply = await web.call(endpoint.method, address(endpoint), body)
        named = f"{at}.{name}" if at else name
        case = (endpoint.name, named, str(value)[:40])
        assert (reply.status, is_clear(reply)) == (400, True), case
        inner = (f"{named}[", f"{named}.")
        assert named in reply.fields or any(f.startswith(inner) for f in reply.fields), case
    assert await nothing_stored(web)


@pytest.mark.parametrize("endpoint", WITH_QUERY, ids=lambda e: e.name)
async def test_every_wrong_parameter_is_named(web: Web, endpoint: Endpoint) -> None:
    assert endpoint.query is not None
    for field in fields_of(endpoint.query):
        assert field.rule is not None
        for text in WRONG_TEXT:
            try:
                field.rule.read_text(text)
            except Wrong:
                quoted = "".join(f"%{byte:02x}" for byte in text.encode())
                path = address(endpoint, **{field.name: quoted})
                body = good_body(endpoint) if endpoint.body is not None else None
                reply = await web.call(endpoint.method, path, body)
                assert (reply.status, list(reply.fields)) == (400, [field.name]), text


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda e: e.name)
async def test_a_body_that_is_no_json_object_is_refused(web: Web, endpoint: Endpoint) -> None:
    for raw in NO_OBJECTS:
        reply = await web.call(endpoint.method, address(endpoint), raw=raw)
        assert (reply.status, is_clear(reply)) == (400, True), raw[:40]
    reply = await web.call(endpoint.method, address(endpoint))
    assert (reply.status, is_clear(reply)) == (400, True)
    assert await nothing_stored(web)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda e: e.name)
async def test_a_body_of_another_kind_is_refused(web: Web, endpoint: Endpoint) -> None:
    forms = () if endpoint.forms is None else endpoint.forms.media
    for kind, raw in NO_MEDIA:
        if kind.partition(";")[0] in forms:
            continue
        headers = {"Content-Type": kind}
        reply = await web.call(endpoint.method, address(endpoint), raw=raw, headers=headers)
        assert (reply.status, is_clear(reply)) == (415, True), kind
    headers = {"Content-Encoding": "gzip"}
    reply = await web.call(endpoint.method, address(endpoint), raw=b"{}", headers=headers)
    assert (reply.status, is_clear(reply)) == (415, True)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda e: e.name)
async def test_a_body_without_or_with_curl_s_content_type_is_taken(
    web: Web, endpoint: Endpoint
) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/problem+json", ""):
        raw = json.dumps(good_body(endpoint)).encode()
        headers = {"Content-Type": kind}
        path = await make_room(web, endpoint)
        reply = await web.call(endpoint.method, path, raw=raw, headers=headers)
        assert reply.status in endpoint.statuses, (kind, reply.data)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda e: e.name)
async def test_a_body_beyond_the_limit_is_413(web: Web, endpoint: Endpoint) -> None:
    body = {**good_body(endpoint), "filling": "x" * 100_000}
    reply = await web.call(endpoint.method, address(endpoint), body)
    assert (reply.status, reply.json["code"], is_clear(reply)) == (413, "too_large", True)
    assert "larger than 100000 bytes" in reply.json["detail"]
    assert await nothing_stored(web)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
async def test_a_wrong_method_is_405_and_options_tells_the_right_ones(
    web: Web, endpoint: Endpoint
) -> None:
    for template in endpoint.paths:
        path = template.replace("{org}", ORG).replace("{id}", "5").replace("{secret}", "s")
        options = await web.call("OPTIONS", path, secret=None)
        assert (options.status, options.data) == (204, b"")
        allowed = options.headers["Allow"].split(", ")
        assert endpoint.method in allowed
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - {*allowed}:
            reply = await web.call(method, path)
            assert (reply.status, is_clear(reply)) == (405, True), method
            assert reply.headers["Allow"] == options.headers["Allow"]


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda e: e.name)
async def test_no_json_whatsoever_breaks_a_route(web: Web, endpoint: Endpoint) -> None:
    assert endpoint.body is not None
    names = {field.name for _, field in places_in(endpoint.body)}
    items = st.dictionaries(st.sampled_from(sorted(names)), JSON, max_size=4)
    bodies = st.dictionaries(
        st.sampled_from(sorted(names)) | st.text(max_size=5),
        JSON | items | st.lists(items, max_size=3),
        max_size=6,
    )
    token = trio.lowlevel.current_trio_token()

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(change=bodies, keep=st.booleans())
    def check(change: dict[str, Any], *, keep: bool) -> None:
        body = {**good_body(endpoint), **change} if keep else change
        reply = trio.from_thread.run(
            web.call, endpoint.method, address(endpoint), body, trio_token=token
        )
        assert reply.status < 500
        if reply.status >= 400:
            assert is_clear(reply)
            assert reply.status != 400 or reply.fields
            named = {field.split("[")[0].split(".")[0] for field in reply.fields}
            assert named <= names | {name[:60] for name in change} | named_unprintable(change)
        else:
            assert reply.status in endpoint.statuses

    await trio.to_thread.run_sync(check)


def named_unprintable(change: dict[str, Any]) -> set[str]:
    cleaned = {"".join(c if c.isprintable() else "?" for c in name) for name in change}
    return {name.split("[")[0].split(".")[0] for name in cleaned}


async def test_a_parameter_that_is_not_utf_8_is_named(web: Web) -> None:
    reply = await web.call("GET", f"/messages/{ORG}?limit=5&address=%ff&q=caf%e9")
    assert reply.status == 400
    assert set(reply.fields) == {"address", "q"}
    reply = await web.call("GET", f"/messages/{ORG}?%ff=1")
    assert (reply.status, reply.json["code"]) == (400, "bad_input")
