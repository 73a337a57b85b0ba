"""Values of JSON as texts, and the filters of templates."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.hooks.json_path import TooMuchWork, Work
from phonegate.domain.hooks.values import (
    FILTERS,
    Filter,
    FilterProblem,
    apply_filters,
    plain_text,
    read_filter,
    signed_number,
    text_of,
)


def applied(values: list[Any], name: str, argument: str = "") -> list[Any]:
    return apply_filters(values, [Filter(name, argument)], Work(1_000))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is ", "as it is "),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (93.4, "93.4"),
        ([1, "two", None], "1, two, null"),
        ({"team": "blue", "n": 1}, "team=blue, n=1"),
        ({"deep": {"ä": [1]}}, 'deep={"ä": [1]}'),
        ([], ""),
    ],
)
def test_a_value_is_written_as_people_read_it(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("values", "name", "argument", "expected"),
    [
        ([], "default", "x", ["x"]),
        ([""], "default", "x", ["x"]),
        (["a"], "default", "x", ["a"]),
        ([0], "default", "x", [0]),
        (["a", 1], "join", " / ", ["a / 1"]),
        ([], "join", " / ", []),
        (["a", "b"], "count", "", [2]),
        (["fire"], "upper", "", ["FIRE"]),
        (["FIRE"], "lower", "", ["fire"]),
        (["abcdef"], "cut", "4", ["abc…"]),
        (["abcd"], "cut", "4", ["abcd"]),
        (["<b>a</b>"], "plain", "", ["a"]),
        ([15553334444, "+1"], "plus", "", ["+15553334444", "+1"]),
    ],
)
def test_each_filter_does_what_it_says(
    values: list[Any], name: str, argument: str, expected: list[Any]
) -> None:
    assert applied(values, name, argument) == expected


def test_every_filter_is_explained() -> None:
    for name in FILTERS:
        try:
            read_filter(name, None)
        except FilterProblem:
            read_filter(name, "1")


@pytest.mark.parametrize(
    ("name", "argument"),
    [("nope", None), ("upper", "x"), ("default", None), ("cut", "x"), ("cut", "9" * 9)],
)
def test_wrong_filters_are_refused(name: str, argument: str | None) -> None:
    with pytest.raises(FilterProblem):
        read_filter(name, argument)


@pytest.mark.parametrize(
    ("number", "signed"),
    [
        ("15551112222", "+15551112222"),
        (" 15551112222 ", "+15551112222"),
        ("+15551112222", "+15551112222"),
        ("0151 123", "0151 123"),
        ("", ""),
        ("abc", "abc"),
    ],
)
def test_a_number_gets_the_plus_that_it_lacks(number: str, signed: str) -> None:
    assert signed_number(number) == signed


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("<p>Hello <b>World</b>,&nbsp;x</p><p>and&amp;so</p>", "Hello World, x\nand&so"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<style>p { color: red }</style><p>seen</p><script>if (a < b) {}</script>", "seen"),
        ("a  b\n\n c", "a b c"),
        ("a<!-- no -->b", "ab"),
        ("1 < 2", "1 < 2"),
        ("<", "<"),
        ("", ""),
        ('<a href="x">link</a> here', "link here"),
    ],
)
def test_html_becomes_the_text_that_it_shows(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(alphabet="<>/abp &;!-\n", max_size=200))
def test_no_html_makes_it_fail(html: str) -> None:
    plain_text(html)


@pytest.mark.parametrize("piece", ["<", "<!--", "<p", "&", "<style>", "</style", " "])
def test_long_html_takes_no_longer_than_its_length(piece: str) -> None:
    began = time.perf_counter()
    plain_text(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - began < 10


def test_only_so_much_is_changed() -> None:
    with pytest.raises(TooMuchWork):
        applied(["x" * 64_000] * 100, "upper")


def test_whether_there_is_a_default_needs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """To write all of a large object takes long, and nothing would count it."""

    def write(_: object) -> str:
        pytest.fail("it was written")

    monkeypatch.setattr("phonegate.domain.hooks.values.text_of", write)
    large = {"k": [{"a": n} for n in range(9_000)]}
    assert applied([large], "default", "x") == [large]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["", " ", "x"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just(""), inner),
        max_leaves=4,
    )
)
def test_a_default_stands_where_the_text_is_empty(value: Any) -> None:
    assert applied([value], "default", "x") == (["x"] if not text_of(value) else [value])
