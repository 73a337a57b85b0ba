import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.modem import sms as messages
from phonegate.phone.radios.modem.objects import SmsObject, sms_of
from phonegate.phone.radios.radio import Failed, Uncertain

SMS = SmsObject(
    state=3,
    kind=1,
    number="+1555",
    text="hi",
    data=b"",
    timestamp="2026-01-02T03:04:05Z",
    discharged="",
    reference=0,
    delivery_state=256,
)


@given(st.text(), st.text(), st.binary(max_size=20))
def test_an_sms_is_known_again_and_no_other_is_taken_for_it(
    number: str, text: str, data: bytes
) -> None:
    sms = attrs.evolve(SMS, number=number, text=text, data=data)
    name = messages.received_id(sms)
    assert name == messages.received_id(attrs.evolve(sms, state=2, reference=9))
    assert len(name) <= 200
    for other in (
        attrs.evolve(sms, number=number + "1"),
        attrs.evolve(sms, text=text + "1"),
        attrs.evolve(sms, data=data + b"1"),
        attrs.evolve(sms, timestamp="2026-01-02T03:04:06Z"),
    ):
        assert messages.received_id(other) != name


def test_the_form_of_the_time_does_not_matter() -> None:
    forms = ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01", "2026-01-02T04:04:05+01:00")
    assert len({messages.received_id(attrs.evolve(SMS, timestamp=form)) for form in forms}) == 1
    assert len({messages.date_ms(form) for form in forms}) == 1
    assert messages.date_ms("") is None
    assert messages.date_ms("yesterday") is None


def test_a_binary_sms_is_shown_as_its_bytes() -> None:
    assert messages.body_of(SMS) == "hi"
    assert messages.body_of(attrs.evolve(SMS, text="")) == ""
    assert messages.body_of(attrs.evolve(SMS, text="", data=b"\x01\xff")) == "binary SMS: 01FF"


def test_parts_become_whole_or_hopeless() -> None:
    now = messages.date_ms(SMS.timestamp)
    assert now is not None
    partial = attrs.evolve(SMS, state=2)
    limit = messages.INCOMPLETE_FOR_S * 1000
    assert messages.progress_of(SMS, now + 2 * limit) == "whole"
    assert messages.progress_of(partial, now + limit) == "partial"
    assert messages.progress_of(partial, now + limit + 1) == "hopeless"
    assert messages.progress_of(attrs.evolve(partial, timestamp=""), now) == "partial"
    assert messages.progress_of(attrs.evolve(partial, state=0), now + 2 * limit) == "partial"


@given(st.integers(0, 10_000), st.from_regex(r"[0-9]{7,12}", fullmatch=True))
def test_a_report_finds_its_message_by_any_form_of_the_number(reference: int, number: str) -> None:
    forms = (number, f"+49{number}", f"0{number}", " ".join(number))
    references = {messages.reference_of(form, reference) for form in forms}
    assert len(references) == 1
    assert messages.reference_of(number, reference + 256) in references
    assert messages.reference_of(number, reference + 1) not in references


@pytest.mark.parametrize(
    ("status", "delivered"),
    [(0, True), (1, None), (0x20, None), (0x40, False), (0x65, False), (256, None)],
)
def test_what_a_report_says(status: int, *, delivered: bool | None) -> None:
    sms = attrs.evolve(SMS, delivery_state=status, discharged="2026-01-02T05:00:00Z")
    report = messages.report_of(sms)
    assert report.delivered is delivered
    assert report.date_ms == messages.date_ms("2026-01-02T05:00:00Z")
    assert messages.report_of(attrs.evolve(sms, discharged="")).date_ms == messages.date_ms(
        SMS.timestamp
    )


@given(st.text())
def test_an_unknown_error_is_uncertain(name: str) -> None:
    outcome = messages.outcome_of(f"ModemManager1.Error.Unheard.{name}")
    assert isinstance(outcome, Uncertain)
    assert isinstance(messages.outcome_of(f"ModemManager1.Error.Message.{name}"), Failed)


@given(st.text(), st.text())
def test_what_d_bus_can_not_carry_is_refused(number: str, text: str) -> None:
    # Hypothesis makes no half pairs by itself, and NUL at times.
    assert (messages.fault_of(number, text) is None) is ("\0" not in number + text)
    assert messages.fault_of(number, text + "\ud800") == Failed(messages.NOT_TEXT)


def test_an_object_without_properties_is_nothing_yet() -> None:
    assert sms_of({}).state == 0
    assert "hi" not in repr(SMS)
