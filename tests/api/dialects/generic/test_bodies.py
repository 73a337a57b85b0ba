"""Reading an SMS from query and body in every form."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.api.dialects.generic.bodies import ESCAPING, FORMS, read_given
from phonegate.api.dialects.generic.names import KEY_PARAMETERS, NAMES
from phonegate.api.query import parse_query
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.refusals import BadInput, Refused

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
TEXT = "text/plain"
BOUNDARY = "----x1"

HARD = 'He said "100% \\ off" & more + a/b\r\n\ttab 🎉 {"a":1} [x] %20 &amp; = ü'


def read(body: bytes | str = b"", media: str | None = None, query: str = "") -> dict[str, Any]:
    headers = {} if media is None else {"content-type": media}
    raw = body.encode() if isinstance(body, str) else body
    return dict(read_given(raw, headers, parse_query(query, strict=False)))


def multipart(*fields: tuple[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


# --- which form it is


@pytest.mark.parametrize("number", ["to", "number", "phoneNumber", "recipients"])
@pytest.mark.parametrize("text", ["text", "Message", "msg", "body", "content"])
def test_one_sms_is_the_same_in_every_form(number: str, text: str) -> None:
    fields = {number: "+15551112222", text: HARD}
    expected = {"to": ("+15551112222",), "text": (HARD,)}
    assert read(query=urlencode(fields)) == expected
    assert read(urlencode(fields), FORM) == expected
    assert read(urlencode(fields, quote_via=quote), f"{FORM}; charset=UTF-8") == expected
    assert read(multipart(*fields.items()), f"multipart/form-data; boundary={BOUNDARY}") == expected
    for media in (JSON, f"{JSON}; charset=utf-8", "application/x+json", FORM, TEXT, None):
        assert read(json.dumps(fields), media) == expected
        assert read(b"\xef\xbb\xbf" + json.dumps(fields).encode(), media) == expected
    assert read(HARD, TEXT, urlencode({number: "+15551112222"})) == expected
    assert read(HARD, None, urlencode({number: "+15551112222"})) == expected


@pytest.mark.parametrize("text", ['{"to":"+1666","text":"x"}', "{", "[x] y", "a=b&to=+1666"])
def test_a_plain_text_is_the_text_where_the_query_has_the_number(text: str) -> None:
    assert read(text, TEXT, "to=5551") == {"to": ("5551",), "text": (text,)}


def test_the_body_counts_before_the_query() -> None:
    assert read("to=2&text=b", FORM, "to=1&text=a&from=c") == {
        "to": ("2",),
        "text": ("b",),
        "from": ("c",),
    }
    assert read("text to send", TEXT, "to=1&text=a")["text"] == ("text to send",)


@pytest.mark.parametrize(
    "media", ["multipart/form-data", TEXT, FORM, JSON, "application/xml", None]
)
def test_without_a_body_its_declared_form_does_not_matter(media: str | None) -> None:
    for body in ("", " \n"):
        assert read(body, media, "to=1&text=a") == {"to": ("1",), "text": ("a",)}


@pytest.mark.parametrize("media", ["application/xml", "text/xml", "text/html", "image/png", "x"])
def test_other_bodies_are_refused_with_the_forms_that_are_taken(media: str) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        read("<sms/>", media)
    assert caught.value.detail == FORMS


def test_a_body_in_another_charset_is_refused() -> None:
    for media in (f"{FORM}; charset=iso-8859-1", f"{TEXT}; charset=utf-16"):
        with pytest.raises(UnsupportedMedia, match="UTF-8"):
            read("to=1&text=a", media)
    for media in (FORM, JSON, TEXT):
        with pytest.raises(BadInput, match="UTF-8"):
            read(b'{"text":"\xff"}' if media == JSON else b"text=\xff", media)
    with pytest.raises(BadInput, match="text is not UTF-8"):
        read(query="to=1&text=%FF")


# --- JSON as programs write it


def test_line_ends_within_a_text_of_json_need_no_escaping() -> None:
    assert read('{"to":"+15551112222","message":"Alert\r\nhost\tdown"}', JSON)["text"] == (
        "Alert\r\nhost\tdown",
    )


@pytest.mark.parametrize("text", ['say "hi"', "C:\\Users", 'a","to":"+1666'])
def test_what_can_mean_two_things_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(f'{{"to":"+15551112222","message":"{text}"}}', JSON)
    assert ESCAPING in caught.value.detail or "more than once" in caught.value.detail
    assert text not in caught.value.detail


@pytest.mark.parametrize(
    ("to", "read_as"),
    [
        ("+15551112222", ("+15551112222",)),
        (15551112222, ("15551112222",)),
        (["+15551112222", "+15553334444"], ("+15551112222", "+15553334444")),
        (["0171 555", 4917155, {"phone": "+15551112222"}], ("0171 555", "4917155", "+15551112222")),
        ({"number": "+15551112222", "name": "Ann"}, ("+15551112222",)),
    ],
)
def test_recipients_may_be_texts_numbers_and_objects(to: object, read_as: tuple[str, ...]) -> None:
    assert read(json.dumps({"recipients": to, "text": "x"}), JSON)["to"] == read_as


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"to": ["+15551112222", None], "text": "x"}, ["to[1]"]),
        ({"to": [["+15551112222"]], "text": "x"}, ["to[0]"]),
        ({"to": True, "text": {"a": 1}}, ["to", "text"]),
        ({"phone": {"name": "Ann"}, "text": ["a"]}, ["phone", "text"]),
        ({"to": "1", "text": "x", "ttl": {}}, ["ttl"]),
        ({"to": "1", "message": [], "text": "x"}, ["message"]),
    ],
)
def test_what_would_be_missed_is_named(fields: dict[str, Any], wrong: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        read(json.dumps(fields), JSON)
    assert [problem.field for problem in caught.value.problems] == wrong


def test_what_is_not_needed_may_be_anything() -> None:
    fields: dict[str, Any] = {
        "to": "1",
        "message": "x",
        "body": {"html": "y"},
        "user": {"id": 5},
        "token": ["a"],
        "attachments": [{}],
        "from": None,
    }
    assert read(json.dumps(fields), JSON) == {"to": ("1",), "text": ("x",)}


def test_who_calls_is_read_from_a_body_and_never_from_the_query() -> None:
    assert read("u=myorg&h=secret&to=1&msg=x", FORM)["user"] == ("myorg",)
    assert read("u=myorg&h=secret&to=1&msg=x", FORM)["key"] == ("secret",)
    assert read(query="u=myorg&api-key=secret&to=1&msg=x") == {"to": ("1",), "text": ("x",)}


# --- Lost plus signs


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("+15551112222", "+15551112222"),
        ("+15551112222,+15553334444", "+15551112222,+15553334444"),
        ("+15551112222;+15553334444", "+15551112222;+15553334444"),
        ("%2B15551112222,+15553334444", "+15551112222, 15553334444"),
        ("15551112222,+15553334444", "15551112222, 15553334444"),
        ("+0171", " 0171"),
        ("+1+555+111+2222", " 1 555 111 2222"),
    ],
)
def test_the_plus_of_a_number_that_was_not_encoded_is_given_back(given: str, meant: str) -> None:
    assert read(query=f"to={given}&text=1+%2B1")["to"] == (meant,)
    assert read(f"to={given}&text=1+%2B1", FORM)["to"] == (meant,)
    assert read(f"to={given}&text=1+%2B1", FORM)["text"] == ("1 +1",)
    assert read(query=f"from={given}")["from"] == (meant,)


def test_in_json_a_blank_is_a_blank() -> None:
    assert read('{"to":" 15551112222"}', JSON)["to"] == (" 15551112222",)


def test_the_plus_of_a_time_is_given_back() -> None:
    for time in (
        "2026-11-30T08:00:00+01:00",
        "2026-11-30T08:00+0100",
        "2026-11-30T08:00:00.123+01:00",
    ):
        assert read(query=f"send_at={time}")["send_at"] == (time,)
        assert read(query=f"date={quote(time)}")["send_at"] == (time,)


# --- Whatever comes

NAME = st.sampled_from(sorted({*(n for names in NAMES.values() for n in names), "x"}))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=6,
)
MEDIA = st.sampled_from([None, "", JSON, FORM, TEXT, "multipart/form-data; boundary=x", "text/xml"])


@given(
    st.binary(max_size=60) | st.dictionaries(NAME, VALUE).map(lambda v: json.dumps(v).encode()),
    MEDIA,
    st.text(max_size=20) | st.dictionaries(NAME, st.text(max_size=6)).map(urlencode),
)
@example(b"--x\r\n\r\n", "multipart/form-data; boundary=x", "")
def test_whatever_comes_is_read_or_refused(body: bytes, media: str | None, query: str) -> None:
    try:
        found = read(body, media, query.encode("utf-8", "replace").decode())
    except Refused:
        return
    assert found.keys() <= NAMES.keys()
    assert all(type(text) is str for texts in found.values() for text in texts)


@given(
    st.dictionaries(NAME, st.text(st.characters(codec="ascii"), max_size=6)),
    st.sampled_from(KEY_PARAMETERS),
    st.sampled_from(["query", "form", "json"]),
)
def test_a_secret_is_never_read_as_anything_else(
    fields: dict[str, str], name: str, place: str
) -> None:
    secret = "pgk_never-in-a-text"
    fields = {**fields, name: secret}
    if place == "query":
        found = read(query=urlencode(fields))
    elif place == "form":
        found = read(urlencode(fields), FORM)
    else:
        found = read(json.dumps(fields), JSON)
    shown = [part for part, texts in found.items() if any(secret in text for text in texts)]
    assert shown in ([], ["key"])
