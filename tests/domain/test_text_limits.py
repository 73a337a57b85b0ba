"""How long a text may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.segmentation import count
from phonegate.domain.text_limits import carrier_text_fault, text_fault
from phonegate.model.bounds import MAX_BODY, MAX_CHARACTERS, MAX_SEGMENTS


@pytest.mark.parametrize(
    ("letter", "most"),
    [("a", 255 * 153), ("€", 255 * 76), ("ж", 255 * 67), ("\U0001f600", 255 * 33)],
)
def test_no_text_has_more_segments_than_a_byte_counts(letter: str, most: int) -> None:
    assert text_fault(letter * most) is None
    assert count(letter * most) == MAX_SEGMENTS
    fault = text_fault(letter * (most + 1))
    assert fault in {
        "takes 256 segments, at most 255 are allowed",
        "has 39016 characters, at most 39015 are allowed",
    }


def test_an_org_may_allow_fewer_characters_or_more() -> None:
    assert text_fault("x" * 160, 160) is None
    assert text_fault("x" * 161, 160) == "has 161 characters, at most 160 are allowed"
    assert text_fault("x" * MAX_CHARACTERS, MAX_CHARACTERS) is None


def test_a_carrier_takes_what_its_own_interface_takes() -> None:
    assert carrier_text_fault("x" * MAX_BODY) is None
    assert carrier_text_fault("x" * (MAX_BODY + 1)) == (
        "has 1601 characters, and the carrier of this number takes at most 1600"
    )


@given(st.text("a€ж\U0001f600", min_size=1, max_size=40), st.integers(1, 1_200))
def test_what_passes_fits_and_what_does_not_is_too_long(text: str, times: int) -> None:
    fits = len(text * times) <= MAX_CHARACTERS and count(text * times) <= MAX_SEGMENTS
    assert (text_fault(text * times) is None) == fits
