"""Events in a line, whatever another version has recorded of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.events import EVENT_TYPES
from phonegate.pages.console.programs.event_words import event_line, mood

values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.dictionaries(
        st.sampled_from(["address", "body", "direction", "name", "id", "sentence", "alarm"]), inner
    ),
)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            {"message": {"direction": "in", "address": "+15551112222", "body": "one\n two"}},
            "from +15551112222: one two",
        ),
        ({"message": {"direction": "out", "address": "+1555", "body": None}}, "to +1555: "),
        ({"message": {"direction": "in", "address": ""}}, "from an unnamed sender: "),
        ({"phone": {"id": 3, "name": None, "model": "Pixel 7"}}, "Pixel 7"),
        ({"phone": {"id": 3}}, "phone 3"),
        ({"alarm": {"alarm": "phone_away", "sentence": "It is away."}}, "It is away."),
        ({"webhook": {"id": 1, "name": "crm", "disabled_reason": "410."}}, "crm: 410."),
        ({}, ""),
    ],
)
def test_what_an_event_is_about(data: dict[str, Any], line: str) -> None:
    assert event_line({"data": data}) == line


def test_a_long_text_is_cut() -> None:
    line = event_line({"data": {"message": {"address": "+1", "body": "x" * 10_000}}})
    assert len(line) < 200
    assert line.endswith("x…")


def test_a_report_of_a_phone_says_what_it_reports() -> None:
    phone = {"name": "Pixel", "battery": 83, "charging": True, "sims": [{"slot": 0}, {"slot": 1}]}
    shown = {kind: event_line({"type": kind, "data": {"phone": phone}}) for kind in EVENT_TYPES}
    assert shown["phone.health"] == "Pixel: battery 83 %, charging"
    assert shown["phone.sims"] == "Pixel: slot 0, slot 1"
    assert shown["phone.online"] == "Pixel"
    bare = {"type": "phone.sims", "data": {"phone": {"name": "Pixel"}}}
    assert event_line(bare) == "Pixel: no SIM"


@given(
    st.dictionaries(
        st.sampled_from(["message", "phone", "alarm", "webhook"]),
        st.dictionaries(
            st.sampled_from(["address", "body", "direction", "name", "id", "sentence"]), values
        ),
    )
)
def test_nothing_that_was_recorded_fails(data: dict[str, Any]) -> None:
    assert "\n" not in event_line({"data": {"message": data.get("message")}})
    event_line({"data": data})


def test_every_type_has_a_mood() -> None:
    assert {mood(one) for one in EVENT_TYPES} == {"", "ok", "warn", "bad"}
