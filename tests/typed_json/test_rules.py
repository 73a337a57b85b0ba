from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.bounds import MAX_ID
from phonegate.typed_json.fields import Wrong
from phonegate.typed_json.rules import Flag, OneOf, Several, Text, Whole
from tests.typed_json.anything import ANYTHING

RULES = [Text(1, 10), Whole(-5, 5), Flag(), OneOf(("in", "out")), Several(1, 3)]


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
