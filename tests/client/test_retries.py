"""How long a client goes on trying."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.client import retries
from phonegate.client.retries import Patience, Retries, is_transient, retry_after


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 530])
def test_what_may_be_otherwise_later(status: int) -> None:
    assert is_transient(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 413, 422])
def test_what_stays_as_it_is(status: int) -> None:
    assert not is_transient(status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 120 ", 120),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("-1", 0),
        ("٣", 0),
        ("9" * 400, 0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


DICE = st.floats(0, 1)


@given(st.lists(st.floats(0, 1000), max_size=40), st.floats(0, 100), DICE)
def test_who_gives_up_has_paused_no_longer_than_the_limit(
    wanted: list[float], limit: float, dice: float
) -> None:
    one = Patience(Retries(pauses_s=limit), lambda: dice)
    total = 0.0
    for seconds in [*wanted, *[0.0] * 20]:
        pause = one.pause(seconds)
        if pause is not None:
            assert pause >= max(seconds, retries.RETRIES.first_s / 2)
            total += pause
    assert total <= limit + 1e-6
    assert one.pause(limit + 1) is None


@given(st.lists(st.floats(0, 1000), max_size=40), DICE)
def test_who_never_gives_up_asks_less_and_less_often(wanted: list[float], dice: float) -> None:
    one = Patience(retries.ENDLESS, lambda: dice)
    for seconds in wanted:
        pause = one.pause(seconds)
        assert pause is not None
        assert min(seconds, retries.LONGEST_HEEDED_S) <= pause
        assert pause <= retries.LONGEST_HEEDED_S


def test_many_do_not_come_back_at_once() -> None:
    least, most = Patience(Retries(), lambda: 0.0), Patience(Retries(), lambda: 1.0)
    assert [least.pause() for _ in range(4)] == [0.25, 0.5, 1, 2]
    assert [most.pause() for _ in range(4)] == [0.5, 1, 2, 4]
    assert Patience(retries.NO_RETRIES, lambda: 1.0).pause() is None
