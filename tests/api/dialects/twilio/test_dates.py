from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.twilio.dates import MAX_DATE, MomentText, Span, SpanText, rfc_2822
from phonegate.model.times import DAY_MS, MAX_TIME_MS, iso
from phonegate.typed_json.fields import Wrong

NOON = 1_800_000_000_000
MOMENT, SPAN = MomentText(1, MAX_DATE), SpanText(1, MAX_DATE)


def test_a_time_is_written_as_in_a_mail() -> None:
    assert rfc_2822(NOON + 999) == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert rfc_2822(None) is None


@given(st.integers(0, MAX_TIME_MS))
def test_a_time_is_read_as_it_is_written(ms: int) -> None:
    assert MOMENT.read(iso(ms)) == ms


def test_a_time_without_an_offset_is_in_utc() -> None:
    assert MOMENT.read("2027-01-15T08:00:00") == NOON
    assert MOMENT.read("2027-01-15T09:00:00+01:00") == NOON


def test_a_day_is_all_of_it_and_a_time_its_second() -> None:
    assert SPAN.read("2027-01-15") == Span(NOON - DAY_MS // 3, NOON + 2 * DAY_MS // 3 - 1)
    assert SPAN.read("2027-01-15T08:00:00Z") == Span(NOON, NOON + 999)


@given(st.text())
def test_whatever_comes_is_a_time_or_refused(text: str) -> None:
    for rule in (MOMENT, SPAN):
        with suppress(Wrong):
            rule.read(text)


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01", "2027-13-01", "2027-01-15T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        MOMENT.read(text)
