"""What a webhook may have: its headers, its filter, its secret."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.webhook_form import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    Headers,
    header_problems,
    merged_headers,
    new_secret,
    require_form,
)
from phonegate.model.refusals import BadInput

HIDDEN = "hunter2-hunter2"


def check(headers: Headers = (), **changes: object) -> None:
    given: dict[str, object] = {
        "name": None,
        "events": ("message.*",),
        "address": None,
        "sim": None,
        "shape": "standard",
    }
    require_form(headers=headers, **(given | changes))  # type: ignore[arg-type]


def refused(headers: Headers = (), **changes: object) -> list[str]:
    with pytest.raises(BadInput) as error:
        check(headers, **changes)
    assert HIDDEN not in error.value.detail
    assert HIDDEN not in str(error.value.problems)
    return [problem.field for problem in error.value.problems]


def test_headers_that_receivers_ask_for() -> None:
    check((
        ("Authorization", "Bearer abc"),
        ("X-Api-Key", "a b\tc"),
        ("x_custom", "1"),
        ("User-Agent", "mine"),
    ))  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "hOST",
        "Connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Expect",
        "Content-Length",
        "Content-Type",
        "content-encoding",
        "Accept-Encoding",
        "webhook-id",
        "Webhook-Signature",
        "Webhook-Anything",
        "X-Twilio-Signature",
    ],
)
def test_headers_of_the_call_itself_are_refused(name: str) -> None:
    assert refused(((name, HIDDEN),)) == [f"headers.{name}"]


@pytest.mark.parametrize(
    "name", ["", "X Y", "X:Y", "X\r\nY", "Ä", "x" * 65, "(x)", "x\x00", "x,y", "x;y", "x/y", "{x}"]
)
def test_a_name_that_no_header_has_is_refused_without_being_repeated(name: str) -> None:
    assert refused(((name, HIDDEN),)) == ["headers"]


@pytest.mark.parametrize(
    "value",
    ["", " ", f" {HIDDEN}", f"{HIDDEN} ", f"{HIDDEN}\r\nX: y", f"{HIDDEN}\n", f"\x00{HIDDEN}", "é"],
)
def test_a_value_that_could_end_the_header_is_refused(value: str) -> None:
    assert refused((("X-Key", value),)) == ["headers.X-Key"]


def test_headers_are_bounded_and_each_stands_once() -> None:
    check(tuple((f"X-{n}", "v") for n in range(MAX_HEADERS)))
    assert refused(tuple((f"X-{n}", "v") for n in range(MAX_HEADERS + 1))) == ["headers"]
    check((("X-A", "v" * (MAX_HEADER_BYTES - 3)),))
    assert refused((("X-A", "v" * (MAX_HEADER_BYTES - 2)),)) == ["headers"]
    assert refused((("X-A", "1"), ("x-a", "2"))) == ["headers.x-a"]


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_is_taken_is_one_line_of_a_request(name: str, value: str) -> None:
    if not any(header_problems(((name, value),))):
        line = f"{name}: {value}"
        assert line.isascii()
        assert not set(line) & set("\r\n\0")
        assert len(line.partition(":")[0].split()) == 1


def test_headers_change_one_by_one() -> None:
    present = (("X-A", "1"), ("X-B", "2"))
    assert merged_headers(present, {}) == present
    assert merged_headers(present, {"x-b": "3", "X-C": "4"}) == (
        ("X-A", "1"),
        ("x-b", "3"),
        ("X-C", "4"),
    )
    assert merged_headers(present, {"x-a": None, "X-Z": None}) == (("X-B", "2"),)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"events": ()}, ["events"]),
        ({"events": ("phone.*",), "address": "+15551112222"}, ["address"]),
        ({"events": ("alarm.raised",), "sim": "1"}, ["sim"]),
        ({"events": ("phone.*", "webhook.disabled"), "shape": "twilio"}, ["events"]),
    ],
    ids=str,
)
def test_what_would_never_be_called_is_refused(changes: dict[str, Any], fields: list[str]) -> None:
    assert refused(**changes) == fields


def test_a_filter_of_messages_beside_other_events_is_taken() -> None:
    check(events=("*",), address="+15551112222", sim="0", shape="twilio")
    check(events=("phone.offline", "message.sent"), sim="+15551112222")


def test_a_secret_has_the_form_of_standard_webhooks_or_no_prefix() -> None:
    standard, flat, twilio = (new_secret(shape) for shape in ("standard", "flat", "twilio"))
    assert standard.startswith("whsec_")
    assert flat.startswith("whsec_")
    assert not twilio.startswith("whsec_")
    for secret in (standard, flat, twilio):
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert len({standard, flat, twilio, new_secret("standard")}) == 4
