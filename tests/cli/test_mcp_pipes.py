"""The pure parts of `phonegate mcp`; tests/end_to_end/test_mcp.py shows the program."""

from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.mcp.api import MAX_POST_BYTES
from phonegate.api.mcp.protocol import (
    CAPABILITIES_META,
    VERSION_META,
    Ask,
    understand,
)
from phonegate.cli.mcp_pipes import (
    MAX_LINE,
    LineSplitter,
    McpBridge,
    _headers,
    _reason,
    _refusal,
    _understood,
)


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_they_come(lines: list[bytes], cuts: list[int]) -> None:
    whole = [line.replace(b"\n", b"") for line in lines]
    data = b"".join(line + b"\n" for line in whole) + b"rest"
    splitter = LineSplitter(longest=8)
    found: list[bytes | None] = []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        found += splitter.feed(data[begin:end])
    assert found == [line if len(line) <= 8 else None for line in whole]
    assert splitter.end() == b"rest"


def test_a_line_without_end_is_refused_before_it_ends() -> None:
    splitter = LineSplitter(longest=8)
    assert splitter.feed(b"x" * 9) == [None]
    for _ in range(100):
        assert splitter.feed(b"x" * 1000) == []
    assert splitter.end() == b""
    assert splitter.feed(b"x\nnext\n") == [b"next"]


@pytest.mark.parametrize("name", ["send_sms", "müller", "a b "])
def test_headers_say_what_the_body_does(name: str) -> None:
    meta = {VERSION_META: "2026-07-28", CAPABILITIES_META: {}}
    params = {"name": name, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {k.lower(): v for k, v in _headers(message, None).items()}
    (ask,) = understand(headers, message).parts
    assert isinstance(ask, Ask)


def test_a_handshakes_revision_is_said_from_then_on() -> None:
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert _headers(ask, None) == {}
    assert _headers(ask, "2025-06-18") == {"MCP-Protocol-Version": "2025-06-18"}
    assert _headers({**ask, "method": "initialize"}, "2025-06-18") == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    ),
    st.sampled_from(["tools/call", "x"]),
)
def test_headers_can_be_sent_whatever_is_asked(value: Any, method: str) -> None:
    for message in (value, {"method": method, "params": value}, {"method": value, "params": {}}):
        for text in _headers(message, None).values():
            assert text.isascii()
            assert text.isprintable()


@pytest.mark.parametrize(
    ("response", "sentence", "data"),
    [
        (
            httpx.Response(
                429,
                json={"ok": False, "detail": "Too many.", "code": "too_many_requests"},
                headers={"Retry-After": "7"},
            ),
            "Too many.",
            {"status": 429, "code": "too_many_requests", "retry_after_s": 7},
        ),
        (
            httpx.Response(502, text="<html>"),
            "HTTP 502 without JSON: is there a phonegate gateway at PHONEGATE_URL?",
            {"status": 502},
        ),
    ],
)
def test_a_refusal_of_the_gateway_keeps_its_words(
    response: httpx.Response, sentence: str, data: dict[str, Any]
) -> None:
    assert _understood(response) is None
    assert _reason(response) == (sentence, data)


@pytest.mark.parametrize("odd", [[], [1], {"jsonrpc": 1}, {"jsonrpc": "2.0", "result": 5}])
async def test_an_odd_answer_to_a_handshake_ends_nothing(odd: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=odd))
    ask = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    async with httpx.AsyncClient(transport=transport) as http:
        bridge = McpBridge("http://gateway", http, 0, 1)
        assert await bridge._post(b"{}", ask) == odd


def test_each_request_of_a_batch_is_refused() -> None:
    batch = [{"id": 1}, {"method": "n"}, 5, {"id": "b"}]
    assert [one["id"] for one in _refusal(batch, -1, "no")] == [1, "b"]
    assert _refusal({"id": None}, -1, "no")["id"] is None


def test_a_line_is_as_long_as_the_gateway_takes() -> None:
    assert MAX_LINE == MAX_POST_BYTES
