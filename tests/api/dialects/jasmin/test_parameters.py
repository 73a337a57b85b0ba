"""The parameters of Jasmin's requests."""

import json
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.coded_text import NotText
from phonegate.api.dialects.jasmin.parameters import (
    CODINGS,
    NO_CONTENT,
    TWO_CONTENTS,
    read_batch,
    read_send,
    text_of,
)
from phonegate.model.refusals import BadInput, Refused

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("coding", "content", "hex_content", "text"),
    [
        ("0", "Grüße €", None, "Grüße €"),
        ("0", None, "48656C6C6F001B65", "Hello@€"),
        ("8", None, "041F044004380432", "Прив"),
        ("8", None, "e298ba", "☺"),
        ("3", None, "4772FCDF65", "Grüße"),
        ("8", "\x04\x1f\x04@", None, "Пр"),
        ("6", None, "BFE0D8", "При"),
        ("14", "안녕".encode("euc_kr").decode("utf-8", "surrogateescape"), None, "안녕"),
        ("6", "Привет", None, "Привет"),
    ],
)
def test_a_text_in_its_coding(
    coding: str, content: str | None, hex_content: str | None, text: str
) -> None:
    assert text_of(coding, content, hex_content) == text


@pytest.mark.parametrize(
    ("coding", "content", "hex_content"),
    [
        ("0", "\udcff", None),
        ("0", None, "FF"),
        ("0", None, "4"),
        ("0", None, ""),
        ("8", "abc", None),
    ],
)
def test_what_is_no_text(coding: str, content: str | None, hex_content: str | None) -> None:
    with pytest.raises(NotText):
        text_of(coding, content, hex_content)


def test_one_text_and_not_two() -> None:
    with pytest.raises(BadInput, match=NO_CONTENT):
        text_of("0", None, None)
    with pytest.raises(BadInput, match=TWO_CONTENTS):
        text_of("0", "a", "61")


@given(
    st.sampled_from(CODINGS),
    st.none() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.none() | st.text(alphabet="0123456789abcdefABCDEFxyz") | st.binary().map(bytes.hex),
)
def test_any_content_is_a_text_or_is_refused(
    coding: str, content: str | None, hex_content: str | None
) -> None:
    try:
        text = text_of(coding, content, hex_content)
    except (NotText, BadInput):
        return
    text.encode()


@given(st.binary(), st.sampled_from(["", "application/json", "multipart/form-data", "text/xml"]))
def test_any_body_is_read_or_refused(body: bytes, media: str) -> None:
    try:
        found = read_send(body, {"content-type": media}, {"to": ["1"]})
    except Refused:
        return
    assert found["to"][0] == "1"


def test_names_have_dashes_or_underscores() -> None:
    query = parse_qs("hex-content=61&dlr-url=http://a&to=1")
    found = read_send(b"", {}, query)
    assert found == {
        "hex_content": ["61"],
        "dlr_url": ["http://a"],
        "to": ["1"],
        "dlr": ["yes"],
    }
    body = json.dumps({"validity_period": 5, "content": "ü", "coding": 8}).encode()
    assert read_send(body, {}, {}) == {
        "validity_period": ["5"],
        "content": ["ü"],
        "coding": ["0"],
    }, "JSON holds text"


def test_a_form_may_hold_bytes() -> None:
    body = f"to=1&coding=8&content={quote('Пр'.encode('utf-16-be'))}".encode()
    found = read_send(body, {"content-type": "application/x-www-form-urlencoded"}, {})
    assert text_of("8", found["content"][0], None) == "Пр"


def test_a_batch_has_defaults() -> None:
    batch = read_batch(
        json.dumps(
            {
                "globals": {"from": "a", "content": "all"},
                "batch_config": {"schedule_at": "60s"},
                "messages": [{"to": ["1", 2]}, {"to": "3", "hex-content": "61", "content": None}],
            }
        ).encode(),
        NOW,
    )
    assert batch.messages[0] == (("1", "2"), {"from": ["a"], "content": ["all"], "coding": ["0"]})
    assert batch.messages[1] == (("3",), {"from": ["a"], "hex_content": ["61"]})
    assert (batch.send_at, batch.delay_s) == (NOW + 60_000, 60)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"messages": []},
        {"messages": {}},
        {"messages": [7]},
        {"messages": [{"to": "1"}]},
        {"messages": [{"content": "x"}]},
        {"messages": [{"to": [], "content": "x"}]},
        {"messages": [{"to": "1", "content": "x"}], "globals": [1]},
        {"messages": [{"to": "1", "content": "x"}], "batch_config": 7},
        {"messages": [{"to": "1", "content": "x"}], "batch_config": {"schedule_at": "tomorrow"}},
        {
            "messages": [{"to": "1", "content": "x"}],
            "batch_config": {"schedule_at": "2020-01-01 00:00:00"},
        },
    ],
)
def test_a_batch_that_is_wrong(found: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_batch(json.dumps(found).encode(), NOW)
