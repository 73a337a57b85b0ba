import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.model.numbers import (
    is_e164,
    is_recipient,
    is_sender,
    is_short_code,
    recipient_fault,
)


@pytest.mark.parametrize(
    "text", ["+1555123456", "+15551112222", "+15553334444", "+112", "+123456789012345"]
)
def test_numbers_that_pass(text: str) -> None:
    assert is_e164(text)
    assert is_recipient(text)
    assert is_sender(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+12",
        "+0123456",
        "+1234567890123456",
        "15551112222",
        "0015551112222",
        " +15551112222",
        "+15551112222\n",
        "+1 555 111 2222",
        "+1-555-1112222",
        "++15551112222",
        "+1\u0665\u0665\u06651112222",
        "+1555abc2222",
        "+15551112222\0",
    ],
)
def test_what_is_no_e164_number(text: str) -> None:
    assert not is_e164(text)


@pytest.mark.parametrize(
    ("text", "short"),
    [("112", True), ("12345678", True), ("0800", True), ("12", False), ("123456789", False)],
)
def test_short_codes(text: str, short: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_short_code(text) is short
    assert is_recipient(text) is short


def test_a_name_sends_and_is_never_sent_to() -> None:
    assert is_sender("AMAZON")
    assert not is_recipient("AMAZON")


@pytest.mark.parametrize(
    "text", ["a", "x" * 64, "My Bank", "Ma\u00a0Banque", "Zoë\u200d", "+1 (555) 111-2222", "*121#"]
)
def test_senders_that_pass(text: str) -> None:
    assert is_sender(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 65, " ", "\u00a0", "a\nb", "a\0", "\x1b[31m", "a\ud800", "a\u2028b", "\x85"]
)
def test_what_is_no_sender(text: str) -> None:
    assert not is_sender(text)


@settings(deadline=None)
@given(st.from_regex(r"\+[1-9][0-9]{2,14}", fullmatch=True))
def test_every_number_of_the_form_passes(text: str) -> None:
    assert is_recipient(text)
    assert is_sender(text)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_recipient(text) == (is_e164(text) or is_short_code(text))
    if is_sender(text):
        text.encode("utf-8")  # can be stored


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("+1 555 333 4444", "leave out its spaces, dashes, dots and brackets"),
        ("+1-555-333-4444", "leave out its spaces, dashes, dots and brackets"),
        ("+1 (555) 333.4444", "leave out its spaces, dashes, dots and brackets"),
        ("+1\u00a0555\u20113334444", "leave out its spaces, dashes, dots and brackets"),
        ("\u202a+15553334444\u202c", "leave out its spaces, dashes, dots and brackets"),
        (" +15553334444", "leave out its spaces, dashes, dots and brackets"),
        ("0015553334444", "write + in place of 00, and nothing between its digits"),
        ("00 1 555 333 4444", "write + in place of 00, and nothing between its digits"),
        ("0170 1234567", "write + and the country code in place of the 0 that it begins with"),
        ("01701234567", "write + and the country code in place of the 0 that it begins with"),
        ("+01701234567", "no country code begins with 0"),
        ("15553334444", "it lacks the + before its country code"),
        ("1 555 333 4444", "it lacks the + before its country code"),
        ("+1234567890123456", "it has 16 digits, and 3 to 15 are right"),
        ("+12", "it has 2 digits, and 3 to 15 are right"),
        ("1", "it has 1 digits, and 3 to 15 are right"),
        ("+", "it has no digits"),
        ("", "it has no digits"),
        ("AMAZON", "it may hold digits alone, and a + before them"),
        ("+1555CALLME", "it may hold digits alone, and a + before them"),
        ("++15553334444", "it may hold digits alone, and a + before them"),
    ],
)
def test_what_is_wrong_with_a_recipient_is_told(text: str, fault: str) -> None:
    assert not is_recipient(text)
    assert recipient_fault(text) == fault


@given(st.text() | st.from_regex(r"[+0-9 ()-]*", fullmatch=True))
def test_every_fault_has_a_sentence(text: str) -> None:
    assert recipient_fault(text)
