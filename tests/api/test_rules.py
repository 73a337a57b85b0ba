from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.rules import Moment, Recipient, Sender, SimSelector
from phonegate.model.times import MAX_TIME_MS
from phonegate.typed_json.fields import Wrong
from tests.typed_json.anything import ANYTHING

RULES = [Recipient(), Sender(), SimSelector(), Moment()]


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
def test_a_sim_is_selected_by_slot_or_number(given_: object, sim_selector: str) -> None:
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
