"""The rows of termux-sms-list."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.termux import sms_list
from phonegate.phone.radios.termux.errors import CommandFailed
from phonegate.phone.radios.termux.sms_list import Row

ROW = {
    "threadid": 3,
    "type": "inbox",
    "read": False,
    "sender": "Ann",
    "address": "+15551",
    "number": "+15551",
    "received": "2026-03-04 05:06:07",
    "body": "hi \U0001f389",
    "_id": 12,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*ROW, "x"]), inner),
    max_leaves=20,
)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_row_with_everything(berlin: None) -> None:
    (row,) = sms_list.rows([ROW])
    assert (row.id, row.box, row.address, row.body) == (12, "inbox", "+15551", "hi \U0001f389")
    assert row.date == 1772597167000  # 04:06:07 UTC


def test_what_is_odd_is_kept() -> None:
    rows = sms_list.rows(
        [
            {"_id": "7", "body": None, "address": None, "number": 123, "received": "yesterday"},
            {"_id": 8, "received": "9999999-01-01 00:00:00"},
            {"_id": 9, "received": "1960-01-01 00:00:00"},
            {"_id": None, "body": "no row"},
            {"_id": -1},
            {"_id": True},
            "no row",
        ]
    )
    assert [(row.id, row.address, row.body, row.date) for row in rows] == [
        (7, "123", "", 0),
        (8, "", "", 0),
        (9, "", "", 0),
    ]


def test_no_list_is_no_answer() -> None:
    assert sms_list.rows(None) == []
    with pytest.raises(CommandFailed, match="not a list"):
        sms_list.rows({})


@given(st.lists(JSON))
def test_any_list_gives_rows(answer: list[Any]) -> None:
    for row in sms_list.rows(answer):
        assert row.id >= 0
        assert row.date >= 0
        assert str(row.mark).count("-") == 2


TEXTS = st.text(st.characters(), max_size=3)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_mark_differs_where_the_text_or_the_other_party_does(
    a: str, b: str, c: str, d: str
) -> None:
    one = Row(id=1, box="inbox", address=a, body=b, date=1)
    other = Row(id=1, box="inbox", address=c, body=d, date=1)
    # No number holds the NUL that parts them.
    if "\0" not in a + c:
        assert (one.mark == other.mark) == ((a, b) == (c, d))


def test_the_arguments_of_a_query() -> None:
    assert sms_list.arguments("inbox", limit=50, where="_id > 3", order="ASC") == (
        *("-t", "inbox", "-l", "50", "-o", "0"),
        "--message-selection=_id > 3",
        "--message-sort-order=_id ASC",
        "--message-return-no-order-reverse",
    )
    assert "--message-selection=" not in sms_list.arguments("all", limit=1, order="DESC")


def test_no_text_in_a_trace() -> None:
    (row,) = sms_list.rows([ROW])
    assert "hi" not in repr(row)
    assert "+15551" not in repr(row)
