"""Templates of hooks: what is written, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.hooks.json_path import TooMuchWork, Work
from phonegate.domain.hooks.template import (
    MAX_DEPTH,
    MAX_PLACEHOLDERS,
    MAX_TEMPLATE,
    NothingFound,
    Scope,
    TemplateProblem,
    parse_condition,
    parse_template,
)
from tests.domain.hooks.test_json_path import json_values

POSTED: Any = {
    "status": "firing",
    "off": False,
    "zero": 0,
    "empty": "",
    "tags": ["a", "b"],
    "one": {"name": "only"},
    "alerts": [
        {"name": "cpu", "status": "firing", "hosts": ["x", "y"]},
        {"name": "disk", "status": "resolved"},
    ],
}


def written(template: str, value: Any = POSTED, most: int = 1_000) -> str:
    return parse_template(template).render(value, most=most, work=Work(10_000))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("as it is", "as it is"),
        ("{status}", "firing"),
        ("{ status | upper }!", "FIRING!"),
        ('{missing | default:"none"}', "none"),
        ("{missing | default:'a}b|c'}", "a}b|c"),
        ('{missing | default:""}', ""),
        ("{tags}", "a, b"),
        ('{tags | join:"\\n"}', "a\nb"),
        ("{tags|count} tags", "2 tags"),
        ('{"{"}{"}"}', "{}"),
        ("{alerts[*].name}", "cpu, disk"),
        ("{#alerts}{name};{/}", "cpu;disk;"),
        ("{#alerts[*].hosts}{@}.{/}", "x.y."),
        ("{#alerts[*].name}{@}.{/}", "cpu.disk."),
        ("{#tags}<{@}>{/tags}", "<a><b>"),
        ("{#alerts}{name}{#hosts} {@}{/}, {/}", "cpu x y, disk, "),
        ("{#alerts}{$.status}{/}", "firingfiring"),
        ("{#one}{name}{/}", "only"),
        ("{#status}yes {status}{/}", "yes firing"),
        ("{#off}yes{/}{#zero}yes{/}{#empty}yes{/}{#missing}yes{/}", ""),
        ("{^off}no{/}{^status}never{/}{^missing}none{/}", "nonone"),
        ('{#status == "firing"}A{/}{#status == resolved}B{/}', "A"),
        ("{^status == firing}A{/}{#status != resolved}B{/}", "B"),
        ("{#alerts}{#status == firing}{name}{/}{/}", "cpu"),
        ("{#tags == b}has b{/}", "has b"),
        ("{#missing == x}A{/}{#missing != x}B{/}", "B"),
    ],
)
def test_a_template_writes_what_it_says(template: str, text: str) -> None:
    assert written(template) == text


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{", "does not end"),
        ("}", "ends nothing"),
        ("{{status}}", "two braces"),
        ("{}", "is empty"),
        ("{a b}", "where a dot"),
        ("{a | nope}", "there is not"),
        ('{a | default:"x}', "does not end"),
        ('{"a" b}', "does not end where"),
        ("{#a}", "{/} is missing"),
        ("{/}", "does not begin"),
        ("{#}x{/}", "is empty"),
        ("x" * (MAX_TEMPLATE + 1), "more than"),
        ("{a}" * (MAX_PLACEHOLDERS + 1), "more than"),
        ("{#a}" * (MAX_DEPTH + 1) + "{/}" * (MAX_DEPTH + 1), "within one another"),
    ],
)
def test_what_is_malformed_is_refused(template: str, problem: str) -> None:
    with pytest.raises(TemplateProblem, match=problem):
        parse_template(template)


@pytest.mark.parametrize("template", ["{missing}", "{tags[9]}", "{missing | upper}"])
def test_what_is_not_there_is_named(template: str) -> None:
    with pytest.raises(NothingFound, match=r"missing|tags\[9\]"):
        written(template)


def test_no_more_is_written_than_is_wanted() -> None:
    text = written("{#alerts}{name}{/}" * 20, most=10)
    assert text == "cpudiskcpudisk"


def test_sections_within_sections_are_bounded() -> None:
    many = {"a": list(range(100))}
    with pytest.raises(TooMuchWork):
        written("{#$.a}{#$.a}{#$.a}{/}{/}{/}", many)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("status", True),
        ("missing", False),
        ("status == firing", True),
        ('status == "firing"', True),
        ("status==resolved", False),
        ("status != firing", False),
        ("zero == 0", True),
        ("off == false", True),
        ("alerts[*].status == resolved", True),
        ("alerts[*].status == none", False),
        ("empty == ''", True),
    ],
)
def test_a_condition_holds_or_not(condition: str, *, holds: bool) -> None:
    assert parse_condition(condition).holds(Scope(POSTED, POSTED), Work(100)) is holds


@given(st.text(alphabet="{}#^/|:\"'=!ab$@.[]*0\\ \n", max_size=60), json_values)
def test_no_template_and_no_json_makes_it_fail(template: str, value: Any) -> None:
    try:
        text = written(template, value, most=200)
    except (TemplateProblem, NothingFound, TooMuchWork):
        return
    assert isinstance(text, str)
