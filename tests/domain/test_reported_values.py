"""Whatever a field of a report holds is read as what it can be, or as nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.reported_texts import is_device_id, one_line
from phonegate.domain.reported_values import (
    KINDS,
    Body,
    Date,
    DeviceId,
    ErrorText,
    Flag,
    Kind,
    Label,
    LocalId,
    Media,
    MessageId,
    Reported,
    Sender,
    SimNumber,
    Slot,
    Text,
    Truth,
    Whole,
    Words,
)
from phonegate.typed_json.fields import Wrong
from tests.domain.reported_json import JSON

DECORATION: list[Reported] = [
    Text(),
    ErrorText(),
    Whole(1, 255),
    Flag(),
    Label(),
    SimNumber(),
    DeviceId(),
    Sender(),
    Slot(),
    Date(),
    LocalId(),
    Media(),
]


@pytest.mark.parametrize("rule", DECORATION, ids=repr)
@given(value=JSON)
def test_what_decorates_is_taken_in_any_form_and_then_needs_nothing_more(
    rule: Reported, value: Any
) -> None:
    cleaned: list[Kind] = []
    kept = rule.take(value, cleaned)
    assert set(cleaned) <= set(KINDS)
    again: list[Kind] = []
    assert rule.take(list(kept) if isinstance(kept, tuple) else kept, again) == kept
    assert again == []


@pytest.mark.parametrize("rule", [MessageId(), Truth(), Body()], ids=repr)
@given(value=JSON)
def test_what_must_be_known_is_taken_or_refused_without_a_quote(rule: Reported, value: Any) -> None:
    try:
        outcome = rule.take(value, [])
    except Wrong as error:
        outcome = error
    assert outcome is not None
    if isinstance(outcome, Wrong):
        assert str(outcome).startswith(("is missing", "must be"))


def test_words_have_no_order_and_an_end() -> None:
    cleaned: list[Kind] = []
    assert Words(2).take(["b", "a", "c"], cleaned) == {"a", "b"}
    assert cleaned == ["label"]


@given(JSON)
def test_any_value_is_a_flag_a_number_or_nothing(value: Any) -> None:
    assert Flag().read(value) in (True, False, None)
    number = Whole(1, 255).read(value)
    assert number is None or 1 <= number <= 255
    assert len(ErrorText().read(value) or "") <= 500
    name = DeviceId().read(value)
    assert name is None or is_device_id(name)


LONG = st.text(min_size=129, max_size=200)


@given(LONG, LONG)
def test_a_long_name_is_shortened_to_one_of_its_own(one: str, other: str) -> None:
    cleaned: list[Kind] = []
    names = [DeviceId().take(text, cleaned) for text in (one, other, one)]
    assert names[0] == names[2]
    assert all(name is None or is_device_id(name) for name in names)
    lines = [one_line(text) for text in (one, other)]
    if all(len(line) > 128 for line in lines) and lines[0] != lines[1]:
        assert names[0] != names[1]


def test_long_names_differ_by_their_ends() -> None:
    cleaned: list[Kind] = []
    names = {DeviceId().take("fcm:" + c * 148, cleaned) for c in "ab"}
    ends = {DeviceId().take("x" * 148 + c, cleaned) for c in "ab"}
    assert len(names | ends) == 4
    assert None not in names | ends
    assert cleaned == ["id"] * 4
    assert DeviceId().read("x" * 128) == "x" * 128
