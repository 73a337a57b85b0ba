"""What a rule's schema allows is what the rule takes, in both directions."""

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phonegate.api.assistants_types import Number
from phonegate.api.openapi.rules import schema_of_rule
from phonegate.api.payload import read_object
from phonegate.api.rules import (
    Moment,
    PhoneNumber,
    Recipient,
    Sender,
    SimSelector,
    WebAddress,
)
from phonegate.typed_json.fields import Rule, Wrong
from phonegate.typed_json.rules import OneOf, Several, Text, Whole
from tests.json_schema import validator

RULES: tuple[Rule, ...] = (
    Text(0, 5),
    Text(1, 5),
    Text(1, 5, blank=False),
    Whole(-3, 7),
    OneOf(("in", "out")),
    Several(1, 3),
    Several(0, 2),
    Recipient(),
    PhoneNumber("to"),
    Number(),
    Sender(),
    SimSelector(),
)
"""The rules whose schema says all that there is to say."""

NUMBERS = st.from_regex(r"\+?[0-9]{0,21}", fullmatch=True)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 110)
    | st.text(max_size=7)
    | st.text(" \t\n\x00\x1f\x7f\x85\u2028a", max_size=4)
    | NUMBERS
    | st.sampled_from(["in", "out", "112", "+15553334444"])
    | st.lists(st.integers(0, 3), max_size=4)
)


def takes(rule: Rule, value: Any) -> bool:
    try:
        rule.read(value)
    except Wrong:
        return False
    return True


def allows(rule: Rule, value: Any) -> bool:
    valid: bool = validator(schema_of_rule(rule)).is_valid(value)
    return valid


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(value=VALUES)
@settings(max_examples=150)
def test_a_schema_allows_what_its_rule_takes(rule: Rule, value: Any) -> None:
    # Python's `$` stands before a last line feed too; ECMA-262's, which JSON Schema means, doesn't.
    assume(not (isinstance(value, str) and value.endswith("\n")))
    assert allows(rule, value) == takes(rule, value)


@given(value=st.text(max_size=5) | st.text(" \t\x00\x1f\x9f\u2028a\u200e", max_size=4))
def test_a_line_allows_at_least_what_its_rule_takes(value: str) -> None:
    for rule in (Text(1, 4, line=True), Text(1, 4, blank=False, line=True)):
        if takes(rule, value):
            assert allows(rule, value)
        elif not re.search(r"[^\x20-\x7e]", value):
            assert not allows(rule, value)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (Moment(), ["2030-01-31T08:00:00Z", "2030-01-31T08:00:00.5+02:00", 0, 1700000000], ["x"]),
        (Moment(), [253_402_300_799_999], [-1, 10**18, True, "2030-01-31", None]),
        (WebAddress(), ["https://example.com/image.jpg", "HTTP://a:1?b"], ["ftp://a", "", "/x", 5]),
    ],
)
def test_times_and_addresses(rule: Rule, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        assert allows(rule, value), value
        assert takes(rule, value), value
    for value in wrong:
        assert not allows(rule, value), value
        assert not takes(rule, value), value


def test_a_number_without_a_fraction_is_whole_as_in_a_schema() -> None:
    body = read_object(b'{"a":5.0,"b":1e2,"c":5.5,"d":1e400,"e":9007199254740994.0}')
    assert (body["a"], body["b"], body["c"]) == (5, 100, 5.5)
    assert [type(value) for value in body.values()] == [int, int, float, float, float]


def test_a_rule_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="str has no schema"):
        schema_of_rule("x")
