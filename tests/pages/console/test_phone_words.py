"""What the console says of a phone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.pages.console.phone_words import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    length_words,
    share_words,
    signal_words,
)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (MINUTE_MS - 1, "less than a minute"),
        (59 * MINUTE_MS, "59 min"),
        (2 * HOUR_MS + 5 * MINUTE_MS, "2 h 5 min"),
        (3 * HOUR_MS, "3 h"),
        (2 * DAY_MS + HOUR_MS, "2 d 1 h"),
        (2 * DAY_MS, "2 d"),
    ],
)
def test_a_length_is_said_in_two_units(ms: int, words: str) -> None:
    assert length_words(ms) == words


@given(st.floats(0, 1))
def test_only_all_of_it_is_a_hundred_percent(share: float) -> None:
    assert (share_words(share) == "100 %") == (share == 1)


def test_a_signal_is_said_as_the_phone_gives_it() -> None:
    assert [signal_words(one) for one in (None, 0, 1, 4, -71)] == [
        None, "0 bars", "1 bar", "4 bars", "-71 dBm",
    ]  # fmt: skip
