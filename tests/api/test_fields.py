from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.fields import (
    LocalId,
    Moment,
    OneOf,
    Recipient,
    Sender,
    Several,
    SimSelector,
    Text,
    Whole,
    Wrong,
    field,
    fields_of,
    read_parameters,
)
from phonegate.model.bounds import MAX_ID, MAX_TIME_MS

ANYTHING: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RULES = [
    Text(1, 10),
    Whole(-5, 5),
    OneOf(("in", "out")),
    Several(1, 3),
    Recipient(),
    Sender(),
    SimSelector(),
    Moment(),
    LocalId(),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@given(value=ANYTHING)
def test_a_rule_reads_a_value_or_calls_it_wrong(rule: Any, value: object) -> None:
    with suppress(Wrong):
        rule.read(value)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@given(text=st.text(st.characters(exclude_categories=[])))
def test_a_rule_reads_a_parameter_or_calls_it_wrong(rule: Any, text: str) -> None:
    with suppress(Wrong):
        rule.read_text(text)


@pytest.mark.parametrize("value", [None, True, 5, 1.5, [], {}])
def test_text_is_only_text(value: object) -> None:
    with pytest.raises(Wrong, match="must be text"):
        Text(0, 5).read(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "must not be empty"),
        ("abcdef", "has 6 characters, at most 5"),
        ("a\x00", "NUL character at position 1"),
        ("ab\ud83d", "half of a surrogate pair at position 2"),
    ],
)
def test_text_says_what_is_wrong_with_it(value: str, problem: str) -> None:
    with pytest.raises(Wrong, match=problem):
        Text(1, 5).read(value)


def test_text_counts_characters_not_bytes() -> None:
    assert Text(1, 5).read("😀" * 5) == "😀" * 5


@pytest.mark.parametrize("value", [None, True, False, 1.5, "5", [5]])
def test_a_whole_number_is_only_that(value: object) -> None:
    with pytest.raises(Wrong, match="must be a whole number"):
        Whole(0, 10).read(value)


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    assert Whole(0, 10).read(1.0) == 1
    assert type(Whole(0, 10).read(1.0)) is int


@given(st.integers())
def test_a_whole_number_keeps_its_limits(value: int) -> None:
    if 0 <= value <= 10:
        assert Whole(0, 10).read(value) == value
    else:
        with pytest.raises(Wrong, match=r"at (least 0|most 10)"):
            Whole(0, 10).read(value)


@pytest.mark.parametrize(
    "text", ["", " 5", "5 ", "+5", "0x5", "1_0", "\u0665", "5.0", "--5", "9" * 31]
)
def test_a_whole_number_in_a_query_is_decimal_digits(text: str) -> None:
    with pytest.raises(Wrong, match="must be a whole number"):
        Whole(0, MAX_ID).read_text(text)


def test_a_number_beyond_the_database_is_out_of_range() -> None:
    with pytest.raises(Wrong, match="must be at most"):
        Whole(0, MAX_ID).read_text(str(MAX_ID + 1))


@pytest.mark.parametrize("number", ["+15553334444", "+1555123456", "24273", "112"])
def test_a_recipient_is_a_number_in_form(number: str) -> None:
    assert Recipient().read(number) == number


@pytest.mark.parametrize("number", [15553334444, "", "5", "+", "+0123", "tel:+1555", "+1 555", "a"])
def test_what_is_no_number_is_no_recipient(number: object) -> None:
    with pytest.raises(Wrong):
        Recipient().read(number)


@pytest.mark.parametrize(
    ("given_", "sim_selector"),
    [(0, "0"), ("0", "0"), ("01", "1"), ("+15551112222", "+15551112222")],
)
def test_a_sim_is_wished_by_slot_or_number(given_: object, sim_selector: str) -> None:
    assert SimSelector().read(given_) == sim_selector


@pytest.mark.parametrize("value", [True, -1, 1.0, "", "x", None, 10**20, "1\x00", [0]])
def test_other_things_are_no_sim(value: object) -> None:
    with pytest.raises(Wrong):
        SimSelector().read(value)


def test_a_plus_that_a_query_turned_into_a_space_is_restored() -> None:
    assert SimSelector().read_text(" 15551112222") == "+15551112222"
    assert Sender().read_text(" 15551112222") == "+15551112222"


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 - the offset is drawn apart
    st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_is_read_from_iso_8601_in_any_offset(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert abs(Moment().read(moment.isoformat()) - since / timedelta(milliseconds=1)) <= 1


def test_a_moment_in_utc_may_end_in_z_and_leave_out_seconds() -> None:
    assert Moment().read("1970-01-01T00:00:01.5Z") == 1500
    assert Moment().read("1970-01-01t00:01z") == 60_000


def test_an_epoch_time_is_seconds_or_milliseconds_by_its_size() -> None:
    assert Moment().read(1_900_000_000) == 1_900_000_000_000
    assert Moment().read(1_900_000_000_000) == 1_900_000_000_000


@pytest.mark.parametrize(
    "value",
    [
        "2030-01-31T08:00:00",
        "2030-01-31",
        "2030-02-30T08:00:00Z",
        "2030-01-31T08:00:60Z",
        "tomorrow",
        "1900000000",
        -1,
        MAX_TIME_MS + 1,
        1.5,
        True,
        None,
    ],
)
def test_a_moment_without_offset_or_sense_is_wrong(value: object) -> None:
    with pytest.raises(Wrong):
        Moment().read(value)


def test_a_local_id_is_kept_as_text() -> None:
    assert LocalId().read(123) == LocalId().read("123") == "123"


@pytest.mark.parametrize("value", [True, 1.5, "", "\x00", 10**30, None])
def test_what_is_no_local_id_is_wrong(value: object) -> None:
    with pytest.raises(Wrong):
        LocalId().read(value)


@attrs.frozen(kw_only=True)
class _Query:
    limit: Annotated[int, Whole(1, 9)] = field("how many", default=5)
    kind: Annotated[str, OneOf(("a", "b"))] | None = field("which", default=None)
    must: Annotated[str, Text(1, 5)] = field("needed", example="x", private=True)


def test_parameters_take_their_defaults_and_unknown_ones_pass() -> None:
    query, problems = read_parameters(_Query, {"must": ["x"], "other": ["y", "z"]})
    assert query == _Query(must="x")
    assert problems == {}


def test_every_wrong_parameter_is_told() -> None:
    query, problems = read_parameters(_Query, {"limit": ["10"], "kind": ["a", "a"]})
    assert query is None
    assert problems == {
        "limit": "must be at most 9",
        "kind": "is given more than once",
        "must": "is required",
    }


def test_the_documents_find_everything_about_a_field() -> None:
    limit, kind, must = fields_of(_Query)
    assert (limit.rule, limit.required, limit.default) == (Whole(1, 9), False, 5)
    assert (kind.rule, kind.description) == (OneOf(("a", "b")), "which")
    assert (must.required, must.example, must.private) == (True, "x", True)
