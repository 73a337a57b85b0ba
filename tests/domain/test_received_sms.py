"""Received SMS are read in whatever form they come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.inbox import Received
from phonegate.domain.received_sms import Unread, read_received
from phonegate.domain.reported_numbers import moment
from phonegate.domain.reported_texts import storable
from phonegate.domain.reported_values import (
    KINDS,
    NO_SENDER,
    Kind,
)
from phonegate.model.bounds import MAX_RECEIVED
from phonegate.model.numbers import is_sender
from phonegate.model.times import MAX_TIME_MS
from tests.domain.reported_json import JSON, TEXT

DATE = 1_700_000_000_000


def read(**fields: Any) -> tuple[Received | Unread, list[Kind]]:
    cleaned: list[Kind] = []
    (one,) = read_received([fields], cleaned)
    return one, cleaned


def received(**fields: Any) -> Received:
    one, _ = read(**{"address": "+1555", "body": "x", **fields})
    assert isinstance(one, Received)
    return one


def test_a_plain_report_is_taken_as_it_is() -> None:
    fields = {
        "address": "+15551112222",
        "body": "hello\n\tyou \U0001f427",
        "date": DATE,
        "sim_slot": 0,
        "sim": "+15550001111",
        "id": "123",
        "media_urls": ["https://example.com/image.jpg"],
    }
    assert read(**fields) == (
        Received(
            address="+15551112222",
            body="hello\n\tyou \U0001f427",
            date=DATE,
            sim_slot=0,
            sim="+15550001111",
            local_id="123",
            media_urls=("https://example.com/image.jpg",),
        ),
        [],
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"address": None, "date": None, "sim_slot": None, "sim": None, "id": None},
        {"address": "", "date": -1, "sim_slot": -1, "sim": "", "id": "", "media_urls": []},
        {"date": 0, "sim_slot": ""},
    ],
)
def test_not_to_know_is_nothing_to_put_right(fields: dict[str, Any]) -> None:
    assert read(body="x", **fields) == (Received(address=NO_SENDER, body="x"), [])


@pytest.mark.parametrize(
    ("body", "kept", "kind"),
    [
        ("\udc26\U0001f427 birds", "\ufffd\U0001f427 birds", "text"),
        ("a\0b", "a\ufffdb", "text"),
        ("x" * (MAX_RECEIVED + 1), "x" * MAX_RECEIVED, "cut"),
        (482913, "482913", None),
        (1.5, "1.5", None),
        (True, "true", None),
        (None, "", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_texts(body: Any, kept: str, kind: Kind | None) -> None:
    one, cleaned = read(body=body)
    assert isinstance(one, Received)
    assert one.body == kept
    assert cleaned == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("INFO\n", "INFO"),
        (" +1555 ", "+1555"),
        ("\u202a+15551112222\u202c", "+15551112222"),
        ("\u0647\u0645\u0631\u0627\u0647\u200c\u0627\u0648\u0644",) * 2,
        ("A\ud800", "A\ufffd"),
        ("x" * 500, "x" * 64),
        (15551112222, "15551112222"),
        ({"number": 5}, NO_SENDER),
        ("\u200e", NO_SENDER),
    ],
    ids=repr,
)
def test_senders(value: Any, kept: str) -> None:
    assert received(address=value).address == kept


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (DATE, DATE),
        (float(DATE), DATE),
        (str(DATE), DATE),
        (DATE // 1000, DATE),
        (DATE / 1000 + 0.25, DATE + 250),
        ("1700000000", DATE),
        ("2023-11-14T22:13:20Z", DATE),
        ("2023-11-14T23:13:20+01:00", DATE),
        # A phone whose clock was never set tells it all the same: it tells repeats apart.
        (5, 5),
        ("2023-11-14T22:13:20", None),
        ("yesterday", None),
        (-5, None),
        (10**15, None),
        (1e300, None),
        (float("nan"), None),
        (True, None),
        ([], None),
    ],
    ids=repr,
)
def test_dates(value: Any, at: int | None) -> None:
    assert moment(value) == at
    assert received(date=value).date == at


@pytest.mark.parametrize(
    ("value", "slot"),
    [(0, 0), (16, 16), (99, 99), ("1", 1), (1.0, 1), (100, None), (-2, None), ("x", None)],
)
def test_slots(value: Any, slot: int | None) -> None:
    assert received(sim_slot=value).sim_slot == slot


@pytest.mark.parametrize(
    ("value", "number"),
    [(15550001111, "15550001111"), ("5" * 64,) * 2, ("5" * 65, None), ([], None)],
    ids=repr,
)
def test_a_part_of_a_number_is_no_number(value: Any, number: str | None) -> None:
    assert received(sim=value).sim == number


@pytest.mark.parametrize(
    ("value", "kept"),
    [(7, 7), (7.0, 7), ("i" * 900,) * 2, ("\ud800",) * 2, (2**63,) * 2, (1.5, None), ([], None)],
    ids=lambda value: repr(value)[:20],
)
def test_a_phones_own_id_comes_back_as_it_went(value: Any, kept: str | int | None) -> None:
    assert received(id=value).local_id == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://a.b/c", ("https://a.b/c",)),
        (["https://a.b/c", 5, "", "x y", "x" * 2049, "a\n"], ("https://a.b/c",)),
        (["x"] * 11, ("x",) * 10),
        ({}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_media(value: Any, kept: tuple[str, ...] | None) -> None:
    assert received(media_urls=value).media_urls == kept


@pytest.mark.parametrize(
    ("entry", "field"),
    [(None, ""), (5, ""), ([], ""), ({}, "body"), ({"body": []}, "body"), ({"body": {}}, "body")],
    ids=repr,
)
def test_a_report_of_no_message_is_left_out_alone(entry: Any, field: str) -> None:
    cleaned: list[Kind] = []
    good = {"address": "+1555", "body": "x"}
    first, unread, last = read_received([good, entry, good], cleaned)
    assert first == last == Received(address="+1555", body="x")
    assert isinstance(unread, Unread)
    assert (unread.field, cleaned) == (field, ["entry"])


def test_a_message_of_pictures_needs_no_text() -> None:
    one, cleaned = read(media_urls=["https://a.b/c"])
    assert one == Received(address=NO_SENDER, body="", media_urls=("https://a.b/c",))
    assert cleaned == []


@pytest.mark.parametrize(
    "fields",
    [
        {"media_urls": ["https://e.x/a b"]},
        {"media_urls": "https://e.x/a b"},
        {"media_urls": "x" * 3_000},
        {"media_urls": []},
        {"media_urls": None},
        {"media_urls": {}},
        {"media_urls": [], "body": {}},
        {"media_urls": ["https://e.x/a"], "body": ["t"]},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_message_of_pictures_happened_whatever_can_be_kept_of_them(
    fields: dict[str, Any],
) -> None:
    one, cleaned = read(address="+1", date=DATE, **fields)
    assert isinstance(one, Received)
    assert (one.address, one.date, one.body) == ("+1", DATE, "")
    assert cleaned == ["media"]


@given(
    st.fixed_dictionaries({"media_urls": JSON}, optional={"body": JSON, "address": JSON}),
)
def test_whatever_names_media_is_a_message(fields: dict[str, Any]) -> None:
    one, _ = read(**fields)
    assert isinstance(one, Received)


DECORATION = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("address", "date", "sim_slot", "sim", "id", "media_urls"), JSON)
)


@given(DECORATION, TEXT)
def test_what_decorates_never_costs_a_message(fields: dict[str, Any], body: str) -> None:
    one, cleaned = read(**fields, body=body)
    assert isinstance(one, Received)
    assert one.body == storable(body)
    assert one.address == NO_SENDER or is_sender(one.address)
    assert one.date is None or 0 < one.date <= MAX_TIME_MS
    assert one.sim_slot is None or 0 <= one.sim_slot <= 99
    assert set(cleaned) <= set(KINDS)
    for text in (one.body, one.address, one.sim or "", *(one.media_urls or ())):
        text.encode()
        assert "\0" not in text
    json.dumps(one.local_id)


@given(st.lists(JSON, max_size=5))
def test_each_entry_has_its_own_answer(entries: list[Any]) -> None:
    cleaned: list[Kind] = []
    assert len(read_received([*entries, {"body": "x"}], cleaned)) == len(entries) + 1
