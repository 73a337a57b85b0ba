from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.carriers import words
from phonegate.carriers.telnyx import terms as telnyx_terms
from phonegate.carriers.twilio import terms as twilio_terms

from .samples import patient

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (None, None),
        (b"", None),
        (b"<html>", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"a":[1]}', {"a": [1]}),
    ],
)
def test_json_that_is_none_is_nothing(body: bytes | None, data: Any) -> None:
    assert words.read_json(body) == data


def test_a_path_that_leads_nowhere_is_nothing() -> None:
    data = {"to": [{"status": "sent"}]}
    assert words.at(data, "to", 0, "status") == "sent"
    assert words.at(data, "to", 1, "status") is None
    assert words.at(data, "to", "status") is None
    assert words.at(data, "to", 0, "status", "x") is None
    assert words.at(None, "to") is None


@pytest.mark.parametrize(
    ("value", "code"),
    [(21610, "21610"), ("40300", "40300"), (None, None), ("", None), (True, None)],
)
def test_codes_are_text(value: Any, code: str | None) -> None:
    assert words.as_code(value) == code


@pytest.mark.parametrize(
    ("value", "count"),
    [("3", 3), (2, 2), ("0", None), (0, None), (-1, None), (True, None), ("x", None), (None, None)],
)
def test_counts_are_positive(value: Any, count: int | None) -> None:
    assert words.as_count(value) == count


def test_text_can_be_stored() -> None:
    assert words.as_text("a\x00b\ud83dc") == "a\ufffdb\ufffdc"
    assert words.as_text("\U0001f600") == "\U0001f600"
    assert words.as_text(None) == ""


@patient
@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (Hypothesis asks for it)
def test_dates_are_milliseconds(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ms = round(moment.timestamp() * 1000)
    assert words.from_iso8601(moment.isoformat()) == ms
    assert words.from_rfc2822(moment.strftime("%a, %d %b %Y %H:%M:%S +0000")) == ms // 1000 * 1000


@patient
@given(JSON)
def test_no_date_breaks_anything(value: Any) -> None:
    words.from_iso8601(value)
    words.from_rfc2822(value)


@pytest.mark.parametrize(
    "text", ["2024-01-15T20:16:07Z", "2024-01-15T20:16:07", "2024-01-15T21:16:07+01:00"]
)
def test_iso_dates_of_every_kind(text: str) -> None:
    assert words.from_iso8601(text) == 1_705_349_767_000


def test_words_for_people_are_one_short_line_without_secrets() -> None:
    said = words.for_people("Bad\r\n\x1b[31mtoken s3cret! " + "x" * 999, ["s3cret", "", "no"])
    assert said.startswith("Bad [31mtoken ***! xxx")
    assert len(said) == words.LONGEST_WORDS
    assert words.for_people({"a": 1}) == ""


@patient
@given(JSON)
def test_no_answer_breaks_anything(data: Any) -> None:
    twilio_terms.message(data)
    telnyx_terms.message(data)
    telnyx_terms.fault(data)
    twilio_terms.fault(data, data)


@patient
@given(
    st.dictionaries(
        st.sampled_from(["sid", "status", "num_segments", "error_code", "date_sent"]), JSON
    )
)
def test_no_twilio_message_breaks_anything(data: Any) -> None:
    twilio_terms.message({"sid": "SM1", "status": "failed", **data})


@patient
@given(st.dictionaries(st.sampled_from(["id", "to", "parts", "errors", "sent_at"]), JSON))
def test_no_telnyx_message_breaks_anything(data: Any) -> None:
    telnyx_terms.message({"id": "1", "to": [{"status": "sending_failed"}], **data})


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("accepted", "sending"),
        ("queued", "sending"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("undelivered", "failed"),
        ("canceled", "failed"),
        ("something new", "sending"),
    ],
)
def test_states_of_twilio(status: str, progress: str) -> None:
    found = twilio_terms.message({"sid": "SM1", "status": status, "num_segments": "2"})
    assert found is not None
    assert (found.progress, found.segments) == (progress, 2)
    assert (found.fault is not None) is (progress == "failed")


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("queued", "sending"),
        ("sent", "sent"),
        ("delivery_unconfirmed", "sent"),
        ("delivered", "delivered"),
        ("sending_failed", "failed"),
        ("delivery_failed", "failed"),
        ("expired", "failed"),
        ("something new", "sending"),
    ],
)
def test_states_of_telnyx(status: str, progress: str) -> None:
    done = "2024-01-15T20:16:07+00:00"
    found = telnyx_terms.message({"id": "1", "to": [{"status": status}], "completed_at": done})
    assert found is not None
    assert found.progress == progress
    assert (found.delivered_at is not None) is (progress == "delivered")
    assert (found.fault is not None) is (progress == "failed")


def test_a_failure_keeps_the_carriers_code_and_words() -> None:
    undelivered = twilio_terms.message(
        {"sid": "SM1", "status": "undelivered", "error_code": 30003, "error_message": "Unreachable"}
    )
    assert undelivered is not None
    assert undelivered.fault is not None
    assert undelivered.fault.code == "30003"
    assert (
        undelivered.fault.text
        == "The recipient's phone is off or out of reach. Twilio: Unreachable"
    )
    strange = telnyx_terms.fault([{"code": "49999", "title": "Odd", "detail": "Very odd"}])
    assert (strange.code, strange.text) == ("49999", "Odd: Very odd")
    assert twilio_terms.fault(None, None).text == "Twilio gave no reason."
