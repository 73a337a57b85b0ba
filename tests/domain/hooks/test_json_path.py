"""Paths into JSON: what they lead to, and that to follow one takes no more than a look at it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.hooks.json_path import (
    MAX_PATH,
    MAX_STEPS,
    PathProblem,
    TooMuchWork,
    Work,
    parse_path,
)

POSTED: Any = {
    "status": "firing",
    "none": None,
    "a": {"b c": {"d": 7}, "it's": "quoted"},
    "alerts": [
        {"labels": {"name": "one", "x-y_z": 1}},
        {"labels": {"name": "two"}},
        {"labels": None},
    ],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


def found(path: str, value: Any = POSTED) -> list[Any]:
    return parse_path(path).find(value, Work(1_000))


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("status", ["firing"]),
        (" status ", ["firing"]),
        ("$.status", ["firing"]),
        ("$", [POSTED]),
        ("@", [POSTED]),
        ("@.status", ["firing"]),
        ("none", []),
        ("missing.more", []),
        ("status.more", []),
        ("alerts[0].labels.name", ["one"]),
        ("alerts[-2].labels.name", ["two"]),
        ("alerts[-3].labels.name", ["one"]),
        ("alerts[9].labels", []),
        ("alerts[*].labels.name", ["one", "two"]),
        ("alerts[0].labels.x-y_z", [1]),
        ("alerts[0].labels[*]", ["one", 1]),
        ("$.a['b c'].d", [7]),
        ('a["it\'s"]', ["quoted"]),
        ("['status']", ["firing"]),
        ("status[0]", []),
        ("alerts.labels", []),
    ],
)
def test_a_path_leads_to_what_it_says(path: str, values: list[Any]) -> None:
    assert found(path) == values


def test_only_what_begins_with_the_root_does() -> None:
    assert parse_path("$.a").from_root
    assert not parse_path("@.a").from_root
    assert not parse_path("a").from_root


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is empty"),
        ("a..b", "where a name is due"),
        (".a b", "where a dot or a bracket is due"),
        ("a.", "has nothing where a name is due"),
        ("a[", "does not end"),
        ("a['b", "does not end"),
        ("a[b]", "no number"),
        ("a[1.5]", "no number"),
        ("a[\uff11]", "no number"),
        ("a[1234567]", "no number"),
        ("a b", "where a dot or a bracket is due"),
        ("$a", "where a dot or a bracket is due"),
        ("a" * (MAX_PATH + 1), f"more than {MAX_PATH} characters"),
        ("a" + ".b" * MAX_STEPS, f"more than {MAX_STEPS} steps"),
    ],
)
def test_what_is_none_is_refused(path: str, problem: str) -> None:
    with pytest.raises(PathProblem, match=problem):
        parse_path(path)


def test_only_so_much_is_looked_at() -> None:
    value = [[0] * 100] * 100
    path = parse_path("[*][*]")
    assert len(path.find(value, Work(10_200))) == 10_000
    with pytest.raises(TooMuchWork):
        path.find(value, Work(10_000))


@given(st.text(max_size=30), json_values)
def test_no_text_and_no_json_makes_it_fail(text: str, value: Any) -> None:
    try:
        path = parse_path(text)
    except PathProblem:
        return
    path.find(value, Work(10_000))
