import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.mcp.protocol import (
    CAPABILITIES_META,
    HANDSHAKE,
    MAX_BATCH,
    MODERN,
    SERVER_META,
    SUPPORTED,
    VERSION_META,
    About,
    Ask,
    JsonRpcError,
    ToolCall,
    decide,
    encoded,
    error_message,
    named_version,
    result_message,
    status_of,
    understand,
)

NEW = MODERN[0]
ABOUT = About(name="gate", title="Gate", version="1", instructions="Be kind.")
TOOL = {"name": "t", "title": "T", "description": "d", "inputSchema": {}, "outputSchema": {}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=8,
)


def message(method: str = "tools/list", id_: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def new(method: str = "tools/list", *, version: str = NEW, **params: Any) -> dict[str, Any]:
    meta = {VERSION_META: version, CAPABILITIES_META: {}}
    return message(method, _meta=meta, **params)


def headers(method: str = "tools/list", version: str = NEW, **more: str) -> dict[str, str]:
    return {"mcp-protocol-version": version, "mcp-method": method, **more}


def refused(given: dict[str, str], value: Any) -> JsonRpcError:
    with pytest.raises(JsonRpcError) as caught:
        understand(given, value)
    return caught.value


# --- The era without a handshake --------------------------------------------------------------


def test_a_request_of_the_new_era_stands_alone() -> None:
    post = understand(headers(), new())
    assert (post.version, post.modern, post.batch) == (NEW, True, False)
    (ask,) = post.parts
    assert isinstance(ask, Ask)
    assert (ask.id, ask.method) == (1, "tools/list")


@pytest.mark.parametrize(
    ("given", "value", "code", "about"),
    [
        (headers(version="2026-07-29"), new(), -32020, "MCP-Protocol-Version header is not"),
        (headers(version="2025-11-25"), new(), -32020, "MCP-Protocol-Version header is not"),
        ({"mcp-method": "tools/list"}, new(), -32020, "MCP-Protocol-Version header is missing"),
        ({"mcp-protocol-version": NEW}, new(), -32020, "Mcp-Method header is missing"),
        (headers("tools/call"), new(), -32020, "Mcp-Method header is not"),
        (headers("tools/call"), new("tools/call", name="t"), -32020, "Mcp-Name header is missing"),
        (
            headers("tools/call", **{"mcp-name": "u"}),
            new("tools/call", name="t"),
            -32020,
            "Mcp-Name header is not",
        ),
        # A header that was sent twice.
        (headers(version=f"{NEW}, {NEW}"), new(), -32020, "MCP-Protocol-Version header is not"),
        (headers(), message(), -32602, "params._meta must hold"),
        (headers(), message(_meta={VERSION_META: NEW}), -32602, "params._meta must hold"),
        (headers(), message(_meta=3), -32602, "params._meta must hold"),
        (headers(version="2099-01-01"), new(version="2099-01-01"), -32022, "Unsupported"),
        (headers(version="2099-01-01"), message(), -32022, "Unsupported"),
        (headers(), [new()], -32600, "one JSON-RPC message"),
        (headers(), {"jsonrpc": "2.0", "id": 1, "result": {}}, -32600, "a method"),
        (headers(), 5, -32600, "one JSON-RPC message"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    given: dict[str, str], value: Any, code: int, about: str
) -> None:
    fault = refused(given, value)
    assert fault.code == code
    assert about in fault.message
    assert fault.id == (1 if isinstance(value, dict) else None)


def test_an_unknown_revision_is_told_the_known_ones() -> None:
    fault = refused(headers(version="2099-01-01"), new(version="2099-01-01"))
    assert fault.data == {"supported": list(SUPPORTED), "requested": "2099-01-01"}


@pytest.mark.parametrize("name", ["t", "müller", " edge ", "=?base64?eA==?=", "line\nbreak"])
def test_a_name_that_no_header_can_hold_is_wrapped(name: str) -> None:
    given = headers("tools/call", **{"mcp-name": encoded(name)})
    assert given["mcp-name"].isascii()
    assert given["mcp-name"].isprintable()
    (ask,) = understand(given, new("tools/call", name=name)).parts
    assert isinstance(ask, Ask)


@pytest.mark.parametrize("header", ["=?base64?!?=", "=?base64?/w==?=", "=?base64?eA==?= "])
def test_a_name_that_is_wrapped_wrongly_is_no_name(header: str) -> None:
    given = headers("tools/call", **{"mcp-name": header})
    assert refused(given, new("tools/call", name="x")).code == -32020


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_wrapped_is_what_was_meant(name: str) -> None:
    header = encoded(name)
    if header != name:
        assert base64.b64decode(header[len("=?base64?") : -2]).decode() == name
    given = headers("tools/call", **{"mcp-name": header})
    assert len(understand(given, new("tools/call", name=name)).parts) == 1


@pytest.mark.parametrize("version", [NEW, *HANDSHAKE])
def test_a_notification_wants_no_answer(version: str) -> None:
    value = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert understand({"mcp-protocol-version": version}, value).parts == ()


# --- The era of handshakes --------------------------------------------------------------------


@pytest.mark.parametrize("version", HANDSHAKE)
def test_a_request_of_the_old_era_is_known_by_its_header(version: str) -> None:
    post = understand({"mcp-protocol-version": version}, message())
    assert (post.version, post.modern, len(post.parts)) == (version, False, 1)


def test_a_request_without_a_header_is_of_the_last_revision_that_had_none() -> None:
    assert understand({}, message("initialize")).version == "2025-03-26"
    assert understand({}, message(_meta={"progressToken": 1})).version == "2025-03-26"


def test_a_posted_answer_is_taken_and_forgotten() -> None:
    assert understand({}, {"jsonrpc": "2.0", "id": 1, "result": {}}).parts == ()


@pytest.mark.parametrize(
    ("value", "code", "id_"),
    [
        (None, -32600, None),
        ({}, -32600, None),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": ""}, -32600, 1),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600, None),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, -32600, None),
        ({"jsonrpc": "2.0", "id": "a", "method": "ping", "params": [1]}, -32602, "a"),
    ],
)
def test_what_is_no_request_is_refused(value: Any, code: int, id_: Any) -> None:
    fault = refused({}, value)
    assert (fault.code, fault.id) == (code, id_)


def test_the_oldest_revisions_have_batches() -> None:
    value = [message(id_=1), {"jsonrpc": "2.0", "method": "n"}, {"id": 3, "result": {}}, 7]
    post = understand({}, value)
    first, second = post.parts
    assert post.batch
    assert isinstance(first, Ask)
    assert isinstance(second, JsonRpcError)


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_later_ones_have_none(version: str) -> None:
    assert refused({"mcp-protocol-version": version}, [message()]).code == -32600


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_has_bounds(count: int) -> None:
    assert refused({}, [message()] * count).code == -32600


@given(
    st.dictionaries(
        st.sampled_from(["mcp-protocol-version", "mcp-method", "mcp-name"]),
        st.sampled_from([*SUPPORTED, "tools/list", "tools/call", ""]) | st.text(max_size=5),
    ),
    json_values
    | st.builds(
        lambda method, params, id_: {
            "jsonrpc": "2.0",
            "method": method,
            "params": params,
            "id": id_,
        },
        st.sampled_from(["tools/list", "tools/call", "initialize", "ping", "server/discover"])
        | json_values,
        json_values | st.fixed_dictionaries({"_meta": json_values, "name": json_values}),
        json_values,
    ),
)
def test_whatever_comes_is_understood_or_refused(given: dict[str, str], value: Any) -> None:
    named_version(value)
    faults, version = [], NEW
    try:
        post = understand(given, value)
        version = post.version
        for part in post.parts:
            if isinstance(part, Ask):
                decide(part, version, ABOUT, [TOOL])
    except JsonRpcError as fault:
        faults.append(fault)
    assert version in SUPPORTED
    for found in faults:
        assert json.dumps(error_message(found, found.id))
        assert status_of(found, version) in {200, 400, 404}


# --- What is answered -------------------------------------------------------------------------


def test_a_new_client_discovers() -> None:
    found = decide(Ask(1, "server/discover", {}), NEW, ABOUT, [])
    assert found == {
        "supportedVersions": list(SUPPORTED),
        "capabilities": {"tools": {}},
        "instructions": "Be kind.",
        "ttlMs": 300_000,
        "cacheScope": "public",
    }
    assert result_message(1, found, NEW, ABOUT)["result"] == {
        "resultType": "complete",
        **found,
        "_meta": {SERVER_META: {"name": "gate", "title": "Gate", "version": "1"}},
    }


@pytest.mark.parametrize(
    ("asked", "settled"),
    [*((one, one) for one in HANDSHAKE), ("2099-01-01", HANDSHAKE[0]), (NEW, HANDSHAKE[0])],
)
def test_a_handshake_settles_on_a_revision(asked: str, settled: str) -> None:
    ask = Ask(1, "initialize", {"protocolVersion": asked})
    found = decide(ask, "2025-03-26", ABOUT, [])
    assert found == {
        "protocolVersion": settled,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "gate", "title": "Gate", "version": "1"},
        "instructions": "Be kind.",
    }
    assert result_message(1, found, "2025-03-26", ABOUT)["result"] == found


@pytest.mark.parametrize(
    ("method", "version"),
    [
        ("server/discover", "2025-11-25"),
        ("initialize", NEW),
        ("ping", NEW),
        ("resources/list", NEW),
        ("resources/list", "2025-06-18"),
        ("tools/call2", "2025-06-18"),
    ],
)
def test_a_method_of_another_era_is_not_found(method: str, version: str) -> None:
    with pytest.raises(JsonRpcError) as caught:
        decide(Ask(1, method, {}), version, ABOUT, [])
    assert caught.value.code == -32601
    assert status_of(caught.value, version) == (404 if version == NEW else 200)


def test_tools_are_listed_as_each_revision_knows_them() -> None:
    listed = decide(Ask(1, "tools/list", {}), NEW, ABOUT, [TOOL])
    assert listed == {"tools": [TOOL], "ttlMs": 300_000, "cacheScope": "private"}
    assert decide(Ask(1, "tools/list", {}), "2025-06-18", ABOUT, [TOOL]) == {"tools": [TOOL]}
    plain = {"name": "t", "description": "d", "inputSchema": {}}
    assert decide(Ask(1, "tools/list", {}), "2025-03-26", ABOUT, [TOOL]) == {"tools": [plain]}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {"cursor": "x"}),
        ("tools/call", {}),
        ("tools/call", {"name": 1}),
        ("tools/call", {"name": "t", "arguments": [1]}),
        ("initialize", {}),
        ("initialize", {"protocolVersion": 1}),
    ],
)
def test_wrong_parameters_are_told(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(JsonRpcError) as caught:
        decide(Ask(1, method, params), "2025-11-25", ABOUT, [TOOL])
    assert caught.value.code == -32602
    assert status_of(caught.value, NEW) == 400


def test_null_among_the_arguments_is_left_out() -> None:
    ask = Ask(1, "tools/call", {"name": "t", "arguments": {"a": None, "b": 0, "c": False}})
    assert decide(ask, NEW, ABOUT, [TOOL]) == ToolCall("t", {"b": 0, "c": False})
    bare = Ask(1, "tools/call", {"name": "t"})
    assert decide(bare, NEW, ABOUT, [TOOL]) == ToolCall("t", {})
