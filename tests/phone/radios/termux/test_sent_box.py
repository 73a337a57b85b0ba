"""Finding what was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.termux import sent_box
from phonegate.phone.radios.termux.sms_list import Row


def row(number: int, address: str, body: str) -> Row:
    return Row(id=number, box="sent", address=address, body=body, date=0)


@given(st.text(), st.text(st.characters(max_codepoint=0x20)), st.text(st.sampled_from(" \n\t\0")))
def test_a_text_is_found_whatever_the_command_trims(body: str, before: str, after: str) -> None:
    sent = sent_box.trimmed(body)
    assert sent_box.find([row(1, "+15551", sent)], "+15551", before + body + after) is not None


@given(st.text(min_size=1), st.text(min_size=1))
def test_another_text_is_not_it(one: str, other: str) -> None:
    found = sent_box.find([row(1, "+15551", one)], "+15551", other)
    assert (found is not None) == (sent_box.trimmed(one) == sent_box.trimmed(other))


def test_the_first_of_several_is_taken() -> None:
    rows = [
        row(1, "+15552", "hi"),
        row(2, "+15551", "ho"),
        row(3, "+15551", "hi"),
        row(4, "+15551", "hi"),
    ]
    found = sent_box.find(rows, "+15551", "hi")
    assert found is not None
    assert found.id == 3


def test_trimming_is_that_of_java() -> None:
    # A no-break space is white to Python, and stays.
    assert sent_box.trimmed("\0\x1f hi\u00a0") == "hi\u00a0"
    assert sent_box.trimmed("half \ud83d") == "half ?"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+15551234567", "+15551234567", True),
        ("+1 555-123-4567", "+15551234567", True),
        ("5551234567", "+15551234567", True),
        ("01701234567", "+491701234567", True),
        ("12345", "12345", True),
        ("2345", "12345", False),
        ("+15551234567", "+15551234568", False),
        ("ACME", "ACME", True),
        ("ACME", "OTHER", False),
        ("", "+15551", False),
    ],
)
def test_two_spellings_of_a_number(one: str, other: str, *, same: bool) -> None:
    assert sent_box.same_number(one, other) is same
    assert sent_box.same_number(other, one) is same
