import re
from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.endpoint import (
    PATH_PARAMETERS,
    Answer,
    Call,
    Endpoint,
)
from phonegate.api.table import Table, build_table, fast_table
from phonegate.http.refusals import MethodNotAllowed
from phonegate.model.refusals import BadInput, NotFound
from phonegate.typed_json.fields import fields_of

TABLE = build_table()
SECRET = "my-secret-key-123"


async def nothing(call: Call) -> Answer:
    return Answer()


def endpoint(name: str, method: str, *paths: str) -> Endpoint:
    return Endpoint(
        name=name,
        method=method,
        paths=paths,
        scope=None,
        summary=name,
        group="test",
        answer=Answer,
        handler=nothing,
    )


def found(method: str, path: str) -> tuple[str | None, dict[str, str]]:
    match = TABLE.match(method, path)
    return match.endpoint.name if match.endpoint else None, dict(match.path)


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("POST", "/webhook", "push_messages", {}),
        ("GET", "/messages/myorg", "get_messages", {"org": "myorg"}),
        ("HEAD", "/messages/myorg", "get_messages", {"org": "myorg"}),
        ("GET", "/messages/o/s", "get_messages", {"org": "o", "secret": "s"}),
        ("GET", "/messages/o/id", "get_messages", {"org": "o", "secret": "id"}),
        ("GET", "/messages/o/id/5", "get_message", {"org": "o", "id": "5"}),
        ("GET", "/messages/o/s/id/5", "get_message", {"org": "o", "secret": "s", "id": "5"}),
        ("DELETE", "/messages/o/id/5", "cancel_message", {"org": "o", "id": "5"}),
        (
            "DELETE",
            "/messages/o/id/id/5",
            "cancel_message",
            {"org": "o", "secret": "id", "id": "5"},
        ),
        ("POST", "/send/o", "send_sms", {"org": "o"}),
        ("POST", "/send/o/s", "send_sms", {"org": "o", "secret": "s"}),
        ("GET", "/sims/o/s", "list_sims", {"org": "o", "secret": "s"}),
        ("POST", "/keys/o", "create_key", {"org": "o"}),
        ("DELETE", "/keys/o/k", "revoke_key", {"org": "o", "id": "k"}),
        ("GET", "/health", "health", {}),
        ("OPTIONS", "/health", None, {}),
    ],
)
def test_every_route_of_the_contract_is_there(
    method: str, path: str, name: str | None, values: dict[str, str]
) -> None:
    assert found(method, path) == (name, values)
    if path != "/":
        assert found(method, path + "/") == (name, values)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "//",
        "/webhook//",
        "/sims",
        "/sims/",
        "/messages//",
        "/messages//s",
        "/messages/o//",
        "/messages/o/s/5",
        "/messages/o/s/x/5",
        "/Messages/o",
        "/messages/o/s/id/5/6",
        "/websocket",
        "http://[/messages",
    ],
)
def test_other_paths_lead_nowhere(path: str) -> None:
    with pytest.raises(NotFound):
        TABLE.match("GET", path)
    with pytest.raises(NotFound):
        TABLE.match("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/webhook", ("OPTIONS", "POST")),
        ("POST", "/messages/o", ("GET", "HEAD", "OPTIONS")),
        ("PUT", "/messages/o/id/5", ("DELETE", "GET", "HEAD", "OPTIONS")),
        ("get", "/health", ("GET", "HEAD", "OPTIONS")),
        ("FOO", "/keys/o", ("GET", "HEAD", "OPTIONS", "POST")),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    method: str, path: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        TABLE.match(method, path)
    assert caught.value.allowed == allowed


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_secret_in_a_path_is_decoded_once(secret: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in secret.encode())
    assert found("GET", f"/messages/o/{encoded}")[1]["secret"] == secret


def test_an_encoded_slash_or_percent_sign_belongs_to_the_secret() -> None:
    assert found("GET", "/messages/o/a%2Fb%252Fc+d")[1] == {"org": "o", "secret": "a/b%2Fc+d"}


def test_a_part_that_is_not_utf_8_is_named() -> None:
    with pytest.raises(BadInput) as caught:
        TABLE.match("GET", "/messages/o/%ff")
    assert [p.field for p in caught.value.problems] == ["secret"]


def test_the_absolute_form_of_a_target_is_understood() -> None:
    assert found("GET", "http://gate.example:8080/sims/o")[0] == "list_sims"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/messages/myorg", "/messages/***"),
        (f"/messages/myorg/{SECRET}", "/messages/***/***"),
        (f"/messages/myorg/{SECRET}/", "/messages/***/***"),
        (f"/messages/myorg/{SECRET}/id/5", "/messages/***/***/id/5"),
        ("/messages/myorg/id/5", "/messages/***/id/5"),
        (f"/messages/myorg/{SECRET}/typo", "/messages/***"),
        (f"/mesages/myorg/{SECRET}", "/***"),
        (f"/{SECRET}", "/***"),
        (f"http://x/send/myorg/{SECRET}", "/send/***/***"),
        ("/messages/a%0Ab", "/messages/***"),
        (f"/keys/myorg/pgk_{'a' * 8}_{'b' * 32}", "/keys/***/***"),
        (f"/keys/pgk_{'a' * 8}_{'b' * 32}/x", "/keys/***/x"),
        (f"/messages/myorg/id/{SECRET}", "/messages/***/id/***"),
        # A phone number in the place of an id.
        ("/messages/myorg/id/15557654321", "/messages/***/id/***"),
        ("/assistants/15557654321", "/assistants/***"),
        (f"/callbacks/telnyx/15557654321/{'x' * 22}", "/callbacks/telnyx/***/***"),
        ("/messages/myorg/id/123456789", "/messages/***/id/123456789"),
    ],
)
def test_a_path_in_the_log_holds_no_secret(path: str, shown: str) -> None:
    assert TABLE.redacted(path) == shown


@pytest.mark.parametrize(
    ("path", "org", "shown"),
    [
        (f"/messages/myorg/{SECRET}/id/5", "myorg", "/messages/myorg/***/id/5"),
        (f"/messages/{SECRET}/myorg", "myorg", "/messages/***/***"),
        # A secret typed in the org's place, by somebody who proved to be of another.
        (f"/messages/{SECRET}", "myorg", "/messages/***"),
        (f"/messages/{SECRET}", None, "/messages/***"),
    ],
)
def test_an_org_is_in_the_log_once_it_is_proved(path: str, org: str | None, shown: str) -> None:
    assert TABLE.match("GET", path).redacted(org) == shown


@given(st.text())
def test_no_path_breaks_the_table(path: str) -> None:
    TABLE.redacted(path)
    TABLE.on_fast_path("GET", path)


def test_a_secret_is_no_short_word() -> None:
    read = endpoint("a", "GET", "/x/{org}/{secret}/id/{id}")
    approve = endpoint("b", "POST", "/x/{org}/id/{id}/approve")
    for endpoints in ([read, approve], [approve, read]):
        table = Table(endpoints)
        secret = "my-secret-key-123"
        assert table.match("GET", f"/x/o/{secret}/id/5").path["secret"] == secret
        assert table.match("POST", "/x/o/id/5/approve").path == {"org": "o", "id": "5"}
        # What fits both is the one that says more of it.
        assert table.match("POST", "/x/o/id/id/approve").path == {"org": "o", "id": "id"}
    with pytest.raises(ValueError, match="can be the same path"):
        Table([endpoint("a", "GET", "/x/{secret}"), endpoint("b", "GET", "/x/twelve-letters")])


@pytest.mark.parametrize(
    "endpoints",
    [
        [endpoint("a", "GET", "/x"), endpoint("a", "GET", "/y")],
        [endpoint("a", "GET", "/x"), endpoint("b", "GET", "/x")],
        [endpoint("a", "GET", "/x/{org}"), endpoint("b", "POST", "/x/new")],
        [endpoint("a", "GET", "/x/{org}"), endpoint("b", "GET", "/x/{id}")],
    ],
)
def test_two_endpoints_for_one_request_are_refused(endpoints: Sequence[Endpoint]) -> None:
    with pytest.raises(ValueError, match=r"two endpoints|can be the same path"):
        Table(endpoints)


def _inner(type_: Any) -> Any:
    """A type without `| None`."""
    return next((one for one in get_args(type_) if one is not NoneType), type_)


@pytest.mark.parametrize("declared", TABLE.endpoints, ids=lambda e: e.name)
def test_an_endpoint_says_all_that_documents_need(declared: Endpoint) -> None:
    assert declared.summary
    known = {parameter.name for parameter in PATH_PARAMETERS}
    for template in declared.paths:
        names = {part[1:-1] for part in template.split("/") if part.startswith("{")}
        assert names <= known
    for cls in (declared.body, declared.query):
        for field in fields_of(cls) if cls else ():
            assert field.description
            assert field.rule or attrs.has(_inner(field.type))
            if field.rule is not None and not field.required:
                assert field.default is None or field.rule.read(field.default)
    if declared.answer is None:
        assert declared.media
        return
    assert attrs.has(declared.answer)
    assert all(field.description for field in fields_of(declared.answer))


def test_secrets_may_stand_where_the_contract_says() -> None:
    places = {e.name: e.credential_places for e in TABLE.endpoints}
    assert places["health"] == ()
    assert places["push_messages"] == ("header", "bearer", "body", "query")
    assert places["get_messages"] == ("header", "bearer", "path", "query")
    assert places["send_sms"] == ("header", "bearer", "body", "path", "query")
    assert places["create_key"] == ("header", "bearer", "body", "query")


def test_a_start_has_all_that_the_fast_path_answers() -> None:
    # Dialects are loaded with the first request for one, and answered there from then on.
    whole = [one for one in build_table(dialects=()).endpoints if one.fast_path]
    assert [one for one in whole if one not in fast_table().endpoints] == []


def test_what_a_start_has_means_the_same_in_the_whole_table() -> None:
    # Two templates of one address would be a path that means another endpoint later.
    fast = fast_table()
    for endpoint in fast.endpoints:
        for template in endpoint.paths:
            path = re.sub(r"\{\w+\}", "7", template)
            early, late = (table.match(endpoint.method, path) for table in (fast, TABLE))
            assert (early.endpoint, early.template) == (late.endpoint, late.template)
            assert fast.on_fast_path(endpoint.method, path) == endpoint.fast_path


def test_more_endpoints_come_last() -> None:
    endpoint = attrs.evolve(TABLE.endpoints[0], name="another", paths=("/another",))
    assert fast_table(endpoint).endpoints[-1] is endpoint
    assert build_table(endpoint).endpoints[-1] is endpoint
