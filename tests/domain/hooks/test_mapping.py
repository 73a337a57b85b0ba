"""Mappings: the numbers and the text that they find, and what is wrong with one."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.hooks.mapping import (
    MAX_ENTRIES,
    MAX_RECIPIENTS,
    Found,
    NotWanted,
    cut,
    read_mapping,
)
from phonegate.domain.segmentation import count
from phonegate.model.hooks import HookMapping
from phonegate.model.refusals import BadInput
from tests.domain.hooks.test_json_path import json_values

MAPPING = HookMapping(to=("{to}",), text="{text}")


def found(value: Any, **changes: Any) -> Found:
    result = read_mapping(attrs.evolve(MAPPING, **changes)).apply(value)
    assert isinstance(result, Found)
    return result


def problem(value: Any, **changes: Any) -> dict[str, str]:
    with pytest.raises(BadInput) as error:
        found(value, **changes)
    return {one.field: one.problem for one in error.value.problems}


def test_numbers_come_from_the_mapping_and_from_what_is_posted() -> None:
    value = {"text": "x", "one": 15551112222, "more": ["+15551112222", "", None, "0151 1"]}
    to = ("+15553334444", "{one | plus}", "{more}", '{none | default:"12345"}')
    assert found(value, to=to).to == ("+15553334444", "+15551112222", "0151 1", "12345")


def test_a_text_is_trimmed_and_holds_nothing_that_can_t_be_stored() -> None:
    value = {"to": "+1555", "text": " \n a\x00b\ud800\r\nc \n"}
    assert found(value).text == "ab\nc"


def test_a_long_text_is_cut_and_shows_it() -> None:
    value = {"to": "+1555", "text": "word " * 100}
    text = found(value, max_characters=22).text
    assert text == "word word word word..."
    value["text"] = "ж" * 100
    assert found(value, max_characters=12).text == "ж" * 11 + "…"


@pytest.mark.parametrize("text", ["a" * 161, "a" * 200, "ж" * 71, "€" * 81])
def test_a_cut_never_takes_more_segments(text: str) -> None:
    for most in (20, 69, 70, 159, 160):
        assert len(cut(text, most)) <= most
        assert count(cut(text, most)) <= count(text)


def test_as_many_numbers_are_found_as_there_may_be() -> None:
    numbers = [str(n) for n in range(MAX_RECIPIENTS)]
    assert found({"to": numbers, "text": "x"}).to == tuple(numbers)


def test_nothing_is_wanted_where_a_condition_does_not_hold() -> None:
    mapping = attrs.evolve(MAPPING, when=("a", "status == firing"))
    result = read_mapping(mapping).apply({"a": 1, "status": "resolved"})
    assert isinstance(result, NotWanted)
    assert result.reason == "Its condition does not hold: status == firing"


@pytest.mark.parametrize(
    ("value", "changes", "field", "says"),
    [
        ({"text": "x"}, {}, "to", "finds nothing at to"),
        ({"to": "", "text": "x"}, {}, "to", "finds no number"),
        ({"to": "9" * 2_000, "text": "x"}, {}, "to", "too long"),
        ({"to": [str(n) for n in range(MAX_RECIPIENTS + 1)], "text": "x"}, {}, "to", "at most"),
        ({"to": "+1555"}, {}, "text", "finds nothing at text"),
        ({"to": "+1555", "text": "  "}, {}, "text", "nothing but blanks"),
        ([], {}, "to", "finds nothing at to"),
        ("text", {}, "to", "finds nothing at to"),
        (
            {"a": [0] * 700},
            {"to": ("12345",), "text": "{#$.a}{#$.a}{#$.a}{/}{/}{/}"},
            "text",
            "more values",
        ),
    ],
)
def test_what_can_t_be_found_is_named(
    value: Any, changes: dict[str, Any], field: str, says: str
) -> None:
    assert says in problem(value, **changes)[f"mapping.{field}"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": ()}, "to"),
        ({"to": ("12345",) * (MAX_ENTRIES + 1)}, "to"),
        ({"to": ("0151 5551234",)}, "to[0]"),
        ({"to": ("+15553334444", "{a} and {b}")}, "to[1]"),
        ({"to": ("{#a}{b}{/}",)}, "to[0]"),
        ({"to": ("{a",)}, "to[0]"),
        ({"text": "  "}, "text"),
        ({"text": "{a"}, "text"),
        ({"when": ("a", "b c")}, "when[1]"),
        ({"when": ("a",) * 11}, "when"),
        ({"sender": "shop"}, "sender"),
        ({"max_characters": 9}, "max_characters"),
        ({"repeat_s": -1}, "repeat_s"),
    ],
)
def test_every_wrong_field_of_a_mapping_is_named(changes: dict[str, Any], field: str) -> None:
    assert f"mapping.{field}" in problem({}, **changes)


def test_all_of_them_are_named_at_once() -> None:
    wrong = problem({}, to=("{",), text="{", when=("{",), sender="x")
    assert set(wrong) == {f"mapping.{one}" for one in ("to[0]", "text", "when[0]", "sender")}


@given(
    st.tuples(st.text(alphabet="{}#^/|:\"'=!ab$@.[]*0", max_size=40)),
    st.text(alphabet="{}#^/|:\"'=!ab$@.[]*0 \n", max_size=60),
    json_values,
)
def test_no_mapping_and_no_json_makes_it_fail(to: tuple[str, ...], text: str, value: Any) -> None:
    mapping = HookMapping(to=to, text=text, max_characters=40)
    try:
        result = read_mapping(mapping).apply(value)
    except BadInput:
        return
    assert isinstance(result, NotWanted) or 1 <= len(result.text) <= 40
