import json
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.payload import check_media, read_object
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.refusals import BadInput

SEED_SEND = """{
"secret_key": "my-secret-key-123",
"sim": "+15551112222", // optional: SIM number or slot index; omit = first device
"to": "+15553334444",
"body": "sent from the API"
}"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/plain;charset=UTF-8",
    ],
)
def test_json_by_its_own_or_no_declaration_is_taken(kind: str | None) -> None:
    check_media(kind, None, b' {"a":1}')


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "text/plain; charset=latin-1",
        "text/plainer",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "json",
        "+json",
        "application/json, text/html",
        "application/json; CHARSET = latin-1",
        "application/json; a=b; charset=latin-1",
        "application/json; charset*=utf-16''x",
        ";",
        "\x00",
        "application/json; a=" + "b" * 256,
        'application/json;a="' + ";" * 16_000,
        "application/json" + " " * 16_000,
    ],
)
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMedia):
        check_media(kind, None, b"{}")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"[]", "must be a JSON object"), (b" [1", "valid")],
)
def test_what_only_fails_at_being_an_object_is_no_other_kind(
    kind: str, body: bytes, problem: str
) -> None:
    check_media(kind, None, body)
    with pytest.raises(BadInput, match=problem):
        read_object(body)


def test_a_real_form_is_refused_as_such() -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        with pytest.raises(UnsupportedMedia):
            check_media(kind, None, b"to=1&body=x")


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="uncompressed"):
        check_media("application/json", "gzip", b"\x1f\x8b")
    check_media("application/json", "identity", b"{}")


@given(st.text())
def test_no_content_type_breaks_the_check(kind: str) -> None:
    try:
        check_media(kind, kind, b"{}")
    except UnsupportedMedia as error:
        assert error.detail  # noqa: PT017 - either of the two ends is right


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_json_object_is_read_as_it_is(value: dict[str, object]) -> None:
    assert read_object(json.dumps(value).encode()) == value
    assert read_object(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.binary(max_size=50) | st.text().map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read_object(body), dict)
    except BadInput as error:
        assert error.detail  # noqa: PT017 - either of the two ends is right


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b'{"a":1', "line 1, column 7"),
        (b'{"a":1}\n}', "line 2, column 1"),
        (b'{"a":1,}', "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":01}', "not valid JSON"),
        (b'{"a":"\n"}', "not valid JSON"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b'{"a":-Infinity}', "-Infinity is no JSON number"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":"\xed\xa0\xbd"}', "not UTF-8"),
        (b'{"a":1,"b":2,"a":3}', "a is given more than once"),
        (b'{"x":[{"a":1,"a":1}]}', "a is given more than once"),
        (b"[" * 20_000, "nested too deeply"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b"[" * 100_000, "more than 20000 values"),
        (b'{"a":' * 100_000, "more than 20000 values"),
        (b'{"a":[' + b"[]," * 300_000 + b"[]]}", "more than 20000 values"),
        (b"{" + b",".join(b'"%d":{}' % n for n in range(30_000)) + b"}", "more than 20000 values"),
        (b'{"a":"\\\\"' + b',"b":1' * 20_001 + b"}", "more than 20000 values"),
        (b'{"a":' + b"[" * 900 * 23 + b"]" * 900 * 23 + b"}", "more than 20000 values"),
        (b'{"a":[' + b",".join([b"[" * 900 + b"]" * 900] * 23) + b"]}", "more than 20000 values"),
        (b'{"a":' * 20_001 + b"1" + b"}" * 20_001, "more than 20000 values"),
        (b'{"' + b'",' * 100_000 + b'"', "more than 20000 values"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_json_object_is_refused_with_the_reason(body: bytes, detail: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_object(body)
    assert detail in caught.value.detail
    assert caught.value.__cause__ is None


def test_commas_in_texts_are_no_values() -> None:
    texts = [{"to": "+15553334444", "body": ',","\\' * 400} for _ in range(500)]
    assert read_object(json.dumps({"messages": texts}).encode()) == {"messages": texts}


def test_a_field_given_twice_is_named() -> None:
    with pytest.raises(BadInput) as caught:
        read_object(b'{"to":"1","to":"2"}')
    assert [p.field for p in caught.value.problems] == ["to"]


def test_an_error_never_quotes_the_body() -> None:
    with pytest.raises(BadInput) as caught:
        read_object(b'{"secret_key":"my-secret-key-123" "body":"x"}')
    assert "my-secret" not in caught.value.detail


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_object(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_an_integer_of_any_length_is_read_and_out_of_every_range() -> None:
    read = read_object(b'{"a":' + b"9" * 100_000 + b',"b":-' + b"9" * 31 + b"}")
    assert read["a"] > 10**25
    assert read["b"] < -(10**25)


def test_the_send_of_the_public_page_is_read_with_its_comment() -> None:
    assert read_object(SEED_SEND.encode()) == {
        "secret_key": "my-secret-key-123",
        "sim": "+15551112222",
        "to": "+15553334444",
        "body": "sent from the API",
    }


def test_slashes_inside_text_are_no_comment() -> None:
    body = b'{"a":"http://x", // "c":"d"\n"b":"\\"// not one\\\\"}// end'
    assert read_object(body) == {"a": "http://x", "b": '"// not one\\'}


def test_comments_are_looked_for_in_what_a_person_may_have_written() -> None:
    short, long = (b'{"a":"' + b"x" * size + b'"}// end' for size in (60_000, 70_000))
    assert read_object(short) == {"a": "x" * 60_000}
    with pytest.raises(BadInput, match="line 1, column 70009"):
        read_object(long)


@pytest.mark.parametrize("body", [b'{"a":/* x */1}', b'{"a":1} # x', b'{"a":"x // y\n"}'])
def test_nothing_else_is_a_comment(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_object(body)


@pytest.mark.parametrize("filling", [b'\\"', b'"', b"//", b"/", b'"//\n', b"\\"])
def test_a_hostile_body_is_refused_in_linear_time(filling: bytes) -> None:
    body = b'{"//' + filling * (1_000_000 // len(filling))
    started = perf_counter()
    with pytest.raises(BadInput):
        read_object(body)
    # Quadratic time would take minutes here; linear takes milliseconds.
    assert perf_counter() - started < 5


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": None, "b": None}),
        (b'{"a":"x\ny"}', {"a": "x\ny"}),
        (b'{"a":"\xed\xa0\xbd!"}', {"a": "\ufffd\ufffd\ufffd!"}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
    ],
)
def test_what_happened_is_read_though_it_is_not_quite_json(
    body: bytes, value: dict[str, Any]
) -> None:
    assert read_object(body, reported=True) == value
    with pytest.raises(BadInput):
        read_object(body)


def test_a_report_says_a_thing_once_too() -> None:
    with pytest.raises(BadInput, match="more than once"):
        read_object(b'{"org_id":"a","org_id":"b"}', reported=True)


def test_within_a_report_the_last_of_a_field_counts() -> None:
    body = b'{"a":[{"b":1,"b":2},{"b":{"c":1,"c":3}}],"d":4} // note'
    assert read_object(body, reported=True) == {"a": [{"b": 2}, {"b": {"c": 3}}], "d": 4}


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"b":[{"c":1,"c":1}],"a":1}', b'{"a":{"b":1},"a":{}}', b'{"a":1,"a":[]} // note'],
    ids=repr,
)
def test_a_report_gives_its_own_fields_once(body: bytes) -> None:
    with pytest.raises(BadInput, match="a is given more than once"):
        read_object(body, reported=True)


@given(st.dictionaries(st.text(), JSON | st.floats(allow_nan=False), max_size=4))
def test_a_report_that_is_strict_json_is_read_as_any_body(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    # A note behind it keeps the strict reader from it, and the other one from nothing.
    noted = f"{text} // a note".encode()
    assert read_object(noted, reported=True) == read_object(text.encode(), reported=True)
