from datetime import UTC, datetime

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from kit.fake_modem import pdu as pdus
from kit.fake_modem.pdu import BASIC, EXTENSION

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = st.text(st.sampled_from(BASIC.replace("\x1b", "") + "".join(EXTENSION)))
ANY = st.text(st.characters(exclude_categories=["Cs"]))


@given(PLAIN, st.integers(0, 6))
def test_septets_come_back_as_they_went(text: str, fill_bits: int) -> None:
    codes = pdus.septets(text)
    assert codes is not None
    assert pdus.text_of(pdus.unpack(pdus.pack(codes, fill_bits), len(codes), fill_bits)) == text


def test_the_example_of_the_standard() -> None:
    # 3GPP TS 23.038 packs "hello" so; each phone of the world does.
    assert pdus.pack(pdus.septets("hellohello") or []).hex() == "e8329bfd4697d9ec37"


@given(PLAIN | ANY)
def test_texts_are_split_as_another_program_does(text: str) -> None:
    theirs = smsutil.split(text)
    assert len(pdus.split(text)) == max(1, len(theirs.parts))
    assert "".join(pdus.split(text)) == text


@given(st.text("0123456789", min_size=1, max_size=15))
def test_numbers_come_back_as_they_went(digits: str) -> None:
    assert pdus.digits_of(pdus.semi_octets(digits)) == digits


@pytest.mark.parametrize(
    ("pdu", "to", "text"),
    [
        # As ModemManager 1.20.4 wrote them.
        ("0021000B915155214365F700080E00680069002020AC0020D83DDE00", "+15551234567", "hi € 😀"),
    ],
)
def test_what_a_daemon_wrote_is_read(pdu: str, to: str, text: str) -> None:
    sms = pdus.submitted(pdu)
    assert (sms.to, sms.text, sms.wants_report, sms.parts) == (to, text, True, 1)


def test_what_was_delivered_is_no_submit() -> None:
    (pdu,) = pdus.deliver("+1555", "hi", MOMENT)
    with pytest.raises(ValueError, match="SUBMIT"):
        pdus.submitted(pdu)


def test_a_long_text_has_parts_that_belong_together() -> None:
    parts = pdus.deliver("+1555", "x" * 200, MOMENT, reference=7)
    assert [part[32:44] for part in parts] == ["050003070201", "050003070202"]
    assert all(pdus.length(part) == len(part) // 2 - 1 for part in parts)
