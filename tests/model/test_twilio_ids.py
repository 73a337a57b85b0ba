import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.bounds import MAX_ID
from phonegate.model.twilio_ids import (
    account_sid,
    media_of,
    media_sid,
    message_of,
    message_sid,
    number_sid,
    org_of,
)

_IDS = st.integers(1, MAX_ID)


@given(_IDS, st.integers(0, 999))
def test_ids_are_read_as_they_were_written(number: int, part: int) -> None:
    assert org_of(account_sid(number)) == number
    assert message_of(message_sid(number)) == number
    assert message_of(f"MM{number:032X}") == number
    assert media_of(media_sid(number, part)) == (number, part)
    assert {len(account_sid(number)), len(message_sid(number)), len(media_sid(1, 1))} == {34}


@pytest.mark.parametrize(
    "text", ["", "AC", "SM1", f"SM{'0' * 32}", f"SM{'f' * 32}", f"AC{1:032x}\n", f"XX{1:032x}"]
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert (org_of(text), message_of(text), media_of(text)) == (None, None, None)


def test_a_number_cannot_be_read_from_its_id() -> None:
    one = number_sid(1, "+15551112222")
    assert len(one) == 34
    assert one.startswith("PN")
    assert one == number_sid(1, "+15551112222")
    assert one != number_sid(2, "+15551112222")
    assert b"15551112222".hex() not in one
