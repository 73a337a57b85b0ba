"""One received SMS in the forms of apps that only forward: pure, and over the whole web."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phonegate.api.flat_message import FORM, MAX_FIELDS, TEXT, org_named, read_pushed
from phonegate.api.query import parse_query
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.reported_texts import storable
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.refusals import BadInput
from phonegate.store.database import Database
from tests.api.conftest import ORG, SECRET, Reply, Web, build_web

HARD = 'He said "100% \\ off" & more + a/b\r\n\ttab 🎉 {"a":1} [x] %20 &amp; = ü'
"""What breaks templates that are filled without escaping."""

BOUNDARY = "----x1"


def read(
    body: bytes | str, media: str | None = "application/json", query: str = "", **headers: str
) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if media is not None:
        sent["content-type"] = media
    raw = body.encode() if isinstance(body, str) else body
    return read_pushed(raw, sent, parse_query(query))


def entry(*args: Any, **headers: str) -> dict[str, Any]:
    """The message of a body, without what is left out."""
    (found,) = read(*args, **headers)["messages"]
    return {name: value for name, value in found.items() if value not in (None, "")}


def multipart(*fields: tuple[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


# --- which form it is


@pytest.mark.parametrize(
    "body",
    [
        {"org_id": "a", "messages": [{"address": "+1", "body": "x"}]},
        {"messages": [{"address": "+1", "body": "x"}], "text": "y", "from": "+2"},
        {"messages": [], "body": "y"},
        {"messages": None, "body": "y"},
        {"org_id": "a"},
        {},
    ],
    ids=str,
)
def test_what_has_messages_or_no_message_at_all_is_left_as_it_is(body: dict[str, Any]) -> None:
    for media in (None, "", "application/json", "application/x+json", FORM, TEXT):
        assert read(json.dumps(body), media, "device_id=other") == body


@pytest.mark.parametrize("address", ["address", "from", "sender", "number", "From"])
@pytest.mark.parametrize("text", ["body", "text", "message", "content", "TEXT"])
def test_apps_call_sender_and_text_by_many_names(address: str, text: str) -> None:
    fields = {address: "+15551112222", text: HARD}
    expected = {"address": "+15551112222", "body": HARD}
    assert entry(json.dumps(fields)) == expected
    assert entry(urlencode(fields), FORM) == expected
    assert entry(urlencode(fields, quote_via=quote), FORM + "; charset=UTF-8") == expected
    sent = multipart(*fields.items())
    assert entry(sent, f"multipart/form-data; boundary={BOUNDARY}") == expected


def test_the_first_name_that_is_not_empty_counts() -> None:
    both = {"body": "", "message": "second", "content": "third", "from": "", "number": "+1"}
    assert entry(json.dumps(both)) == {"address": "+1", "body": "second"}
    assert entry("from=a&from=b&text=c&text=d", FORM) == {"address": "a", "body": "c"}


def test_a_plain_text_is_the_text_and_the_query_or_headers_have_the_rest() -> None:
    query = "address=%2B15551112222&date=1700000000000&sim=SIM2&id=7&org_id=a&device_id=p"
    whole = {
        "org_id": "a",
        "device_id": "p",
        "messages": [
            {
                "address": "+15551112222",
                "body": HARD,
                "sim_slot": 1,
                "sim": None,
                "date": "1700000000000",
                "id": "7",
            }
        ],
    }
    assert read(HARD, TEXT, query) == whole
    headers = {
        "x_address": "+15551112222",
        "x_date": "1700000000000",
        "x_sim_slot": "1",
        "x_id": "7",
        "x_org_id": "a",
        "x_device_id": "p",
    }
    assert read(HARD, TEXT, **headers) == whole
    # The query counts before headers.
    assert entry(HARD, TEXT, "from=%2B1", x_address="+2")["address"] == "+1"


@pytest.mark.parametrize("text", ['{"messages":[{"address":"+666","body":"x"}]}', "{", "[x] y", ""])
def test_a_text_that_looks_like_json_is_a_text_where_its_sender_is_named(text: str) -> None:
    for query, headers in (("address=%2B1", {}), ("from=", {}), ("", {"x_address": ""})):
        (found,) = read(text, TEXT, query, **headers)["messages"]
        assert found["body"] == text


def test_without_a_sender_only_what_begins_an_object_is_json() -> None:
    assert entry("[Bank] Your code is 1", TEXT) == {"body": "[Bank] Your code is 1"}
    with pytest.raises(BadInput, match="not valid JSON"):
        read("{broken", TEXT)
    with pytest.raises(BadInput, match="empty"):
        read("", TEXT)


@pytest.mark.parametrize(
    "media", ["text/html", "application/xml", "text/plain; charset=utf-16", "image/png", "x"]
)
def test_other_bodies_are_refused(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        read("text", media)


# --- what it says


@pytest.mark.parametrize(
    ("given", "slot", "number"),
    [
        ({"sim": "sim1"}, 0, None),
        ({"sim": "SIM2_Vodafone 5"}, 1, None),
        ({"sim": "Sim 3"}, 2, None),
        ({"sim": "0"}, 0, None),
        ({"sim": 1}, 1, None),
        ({"sim": "+15550001111"}, None, "+15550001111"),
        ({"sim": 15550001111}, None, "15550001111"),
        ({"sim": "undetected"}, None, None),
        ({"sim": ""}, None, None),
        ({"sim": ["sim1"]}, None, None),
        ({"sim_slot": "1"}, 1, None),
        ({"sim_slot": 0, "sim": "+15550001111"}, 0, "+15550001111"),
        ({"sim_slot": "sim2"}, 1, None),
        ({"sim_slot": -1, "sim": "sim2"}, 1, None),
        ({"sim": "sim10"}, None, None),
    ],
    ids=str,
)
def test_sims_are_named_in_many_ways(
    given: dict[str, Any], slot: int | None, number: str | None
) -> None:
    (found,) = read(json.dumps({"body": "x", **given}))["messages"]
    assert (found["sim_slot"], found["sim"]) == (slot, number)


def test_a_plus_that_a_form_has_lost_is_put_back() -> None:
    assert entry("from=+15551112222&text=a+b", FORM) == {"address": "+15551112222", "body": "a b"}
    assert entry("x", TEXT, "address=+15551112222") == {"address": "+15551112222", "body": "x"}
    assert entry("from=+A+Bank&text=+15551112222", FORM) == {
        "address": " A Bank",
        "body": " 15551112222",
    }


def test_bytes_that_are_no_text_cost_no_more_than_themselves() -> None:
    for body, media in ((b"a\xffb", TEXT), (b"body=a%FFb", FORM), (b"body=a\xffb", FORM)):
        assert entry(body, media)["body"] == "a\N{REPLACEMENT CHARACTER}b"
    sent = multipart(("body", "a?b")).replace(b"?", b"\xff")
    media = f'multipart/form-data; boundary="{BOUNDARY}"'
    assert entry(sent, media)["body"] == "a\N{REPLACEMENT CHARACTER}b"
    assert entry(b"x", TEXT, x_address="Z\xc3\xbcrich")["address"] == "Zürich"
    assert entry(b"x", TEXT, x_address="Z\xfcrich")["address"] == "Zürich"


def test_line_ends_need_no_escape_in_json_and_quotes_do() -> None:
    assert entry('{"from":"+1","text":"a\r\n\tb"}')["body"] == "a\r\n\tb"
    with pytest.raises(BadInput, match="not valid JSON at line 1"):
        read('{"from":"+1","text":"a "b" c"}')


@pytest.mark.parametrize(
    ("body", "media", "field"),
    [
        ('{"from":"+1"}', "application/json", "body"),
        ('{"from":"+1","text":["x"]}', "application/json", "text"),
        ('{"message":{"body":"x"}}', "application/json", "message"),
        ("from=%2B1", FORM, "body"),
        (multipart(("from", "+1")), f"multipart/form-data; boundary={BOUNDARY}", "body"),
    ],
)
def test_a_message_without_a_text_is_refused_by_its_field(
    body: bytes | str, media: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read(body, media)
    assert [one.field for one in caught.value.problems] == [field]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("a=b&" * (MAX_FIELDS + 1), FORM),
        (
            multipart(*[("a", "b")] * (MAX_FIELDS + 1)),
            f"multipart/form-data; boundary={BOUNDARY}",
        ),
        (multipart(("body", "x")), "multipart/form-data"),
        (multipart(("body", "x"))[:-12], f"multipart/form-data; boundary={BOUNDARY}"),
        (b"", f"multipart/form-data; boundary={BOUNDARY}"),
        (b"no parts", f"multipart/form-data; boundary={BOUNDARY}"),
    ],
    ids=range(6),
)
def test_a_form_that_can_t_be_read_is_refused(body: bytes | str, media: str) -> None:
    with pytest.raises(BadInput):
        read(body, media)


def test_a_part_without_a_name_loses_no_message() -> None:
    media = f"multipart/form-data; boundary={BOUNDARY}"
    nameless = f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode()
    assert entry(nameless + multipart(("text", "hi")), media) == {"body": "hi"}
    with pytest.raises(BadInput, match="body is required"):
        entry(nameless + multipart(), media)


@given(st.binary(), st.sampled_from([FORM, TEXT, f"multipart/form-data; boundary={BOUNDARY}"]))
def test_any_bytes_but_an_object_are_a_message_or_a_refusal(body: bytes, media: str) -> None:
    assume(not body.lstrip().startswith(b"{"))
    try:
        found = read(body, media, "org_id=a")
    except BadInput:
        return
    assert set(found) <= {"org_id", "secret_key", "device_id", "messages"}
    assert len(found["messages"]) == 1


@given(st.text(min_size=1), st.text(max_size=20))
def test_every_text_comes_through_every_form(text: str, sender: str) -> None:
    fields = {"from": sender, "text": text}
    expected = storable(text)
    encoded = {name: value.encode("utf-8", "replace") for name, value in fields.items()}
    assert entry(urlencode(encoded), FORM).get("body") == encoded["text"].decode()
    query = urlencode({"address": encoded["from"]})
    assert entry(encoded["text"], TEXT, query).get("body", "") == encoded[
        "text"
    ].decode().removeprefix("\ufeff")
    assert storable(entry(json.dumps(fields))["body"]) == expected


@pytest.mark.parametrize(
    ("body", "query", "headers", "org"),
    [
        (b"x", "org_id=myorg", {}, "myorg"),
        (b"x", "org=myorg", {}, "myorg"),
        (b"x", "", {"x-org-id": "myorg"}, "myorg"),
        (b"a=b&org_id=myorg", "", {}, "myorg"),
        (b"org=myorg&a=b", "", {}, "myorg"),
        (b"a=b", "", {}, None),
    ],
)
def test_the_org_is_found_without_reading_the_body(
    body: bytes, query: str, headers: dict[str, str], org: str | None
) -> None:
    assert org_named(body, headers, parse_query(query)) == org


# --- over the web


async def push(
    web: Web, body: str | bytes, media: str, path: str = "/webhook", secret: str | None = SECRET
) -> Reply:
    raw = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": media}
    return await web.call("POST", path, raw=raw, headers=headers, secret=secret)


async def test_each_form_is_stored_as_the_seed_s_is_and_repeats_are_known(web: Web) -> None:
    seed = {
        "org_id": ORG,
        "device_id": "p",
        "messages": [
            {"address": "+15551112222", "body": HARD, "date": 1700000000000, "sim_slot": 0}
        ],
    }
    assert (await web.call("POST", "/webhook", seed)).json["stored"] == 1
    fields = {
        "org": ORG,
        "device_id": "p",
        "from": "+15551112222",
        "text": HARD,
        "date": "1700000000",
        "sim": "SIM1_x",
    }
    beside = urlencode({k: v for k, v in fields.items() if k != "text"})
    sent = multipart(*fields.items())
    for body, media, path in (
        (json.dumps(fields), "application/json", "/webhook"),
        (urlencode(fields), FORM, "/webhook"),
        (sent, f"multipart/form-data; boundary={BOUNDARY}", "/webhook"),
        (HARD, TEXT, f"/webhook?{beside}"),
    ):
        reply = await push(web, body, media, path)
        assert reply.json == {"ok": True, "org_id": ORG, "stored": 0, "duplicates": 1}, media
    (kept,) = (await web.call("GET", f"/messages/{ORG}")).json["messages"]
    assert (kept["address"], kept["body"], kept["sim_slot"]) == ("+15551112222", HARD, 0)


async def test_equal_texts_without_date_and_id_are_both_kept(web: Web) -> None:
    for _ in range(2):
        reply = await push(web, "x", TEXT, f"/webhook?org_id={ORG}&address=a&date=&id=")
        assert reply.json["stored"] == 1


async def test_a_key_alone_names_the_org_and_a_secret_may_stand_in_the_form(web: Web) -> None:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "p", "scopes": ["phone"]})
    key = made.json["key"]
    for body, media, path in (
        ("x", TEXT, f"/webhook?secret_key={key}"),
        (urlencode({"secret_key": key, "text": "x"}), FORM, "/webhook"),
        (urlencode({"secret_key": SECRET, "org": ORG, "text": "x"}), FORM, "/webhook"),
        (json.dumps({"secret_key": key, "text": "x"}), "application/json", "/webhook"),
    ):
        reply = await push(web, body, media, path, None)
        assert (reply.status, reply.json["org_id"]) == (200, ORG)
    wrong = urlencode({"secret_key": "wrong-secret-123", "org": ORG, "text": "x"})
    assert (await push(web, wrong, FORM, secret=None)).status == 401
    nameless = await push(web, "text=x", FORM)
    assert (nameless.status, list(nameless.fields)) == (400, ["org_id"])


async def test_a_refused_form_is_a_clear_json_error(web: Web) -> None:
    reply = await push(web, f"from=a&org={ORG}", FORM)
    assert (reply.status, reply.json["code"], list(reply.fields)) == (400, "bad_input", ["body"])
    assert (await push(web, "x", "text/html")).json["code"] == "unsupported_media_type"
    assert (await web.call("GET", f"/webhook?org_id={ORG}&address=a&body=x")).status == 405


async def test_no_other_endpoint_takes_a_form(web: Web) -> None:
    reply = await push(web, "to=%2B15553334444&body=x", FORM, f"/send/{ORG}")
    assert reply.status == 415


@pytest.mark.parametrize(
    ("body", "media", "query"),
    [("x", TEXT, f"?org_id={ORG}"), (f"text=x&org_id={ORG}", FORM, "")],
    ids=["text", "form"],
)
async def test_an_app_with_a_right_secret_is_heard_beside_others_of_its_address(
    database: Database, body: str, media: str, query: str
) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(address_requests_per_s=1)))
    await web.make_org()
    while (await push(web, "text=x", FORM, secret=None)).status != 429:
        pass
    assert (await push(web, body, media, f"/webhook{query}")).json["stored"] == 1
