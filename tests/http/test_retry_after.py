import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.retry_after import LONGEST_PAUSE_S, retry_after_s

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 12 ", 12),
        ("999999999", LONGEST_PAUSE_S),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_breaks_anything(value: str) -> None:
    pause = retry_after_s(value, NOW)
    assert pause is None or 0 <= pause <= LONGEST_PAUSE_S
