"""Whole numbers of queries and forms."""

import pytest

from phonegate.pages.console.whole_numbers import MOST_DIGITS, whole


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * MOST_DIGITS, 10**MOST_DIGITS - 1),
        ("9" * (MOST_DIGITS + 1), None),
        ("", None),
        (None, None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("\u0663", None),
        ("\u00b2", None),
        ("1e3", None),
    ],
)
def test_a_number_is_digits_alone(text: str | None, number: int | None) -> None:
    assert whole(text) == number


def test_it_may_have_so_many_digits() -> None:
    assert (whole("12345", 5), whole("123456", 5)) == (12345, None)
