"""HMAC-SHA1 in two halves, against the standard library's."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http import hmac_state


@given(st.binary(max_size=200), st.binary(max_size=400))
def test_it_signs_as_the_key_does(key: bytes, message: bytes) -> None:
    state = hmac_state.state_of(key)
    assert len(state) == hmac_state.STATE_SIZE
    assert hmac_state.sign(state, message) == hmac.digest(key, message, "sha1")


@pytest.mark.parametrize("size", [0, 54, 55, 56, 63, 64, 65, 119, 120, 128, 10_000])
def test_each_length_around_the_ends_of_blocks(size: int) -> None:
    for key in (b"k", b"k" * 63, b"k" * 64, b"k" * 65):
        message = b"m" * size
        wanted = hmac.digest(key, message, "sha1")
        assert hmac_state.sign(hmac_state.state_of(key), message) == wanted


@given(st.text(min_size=1, max_size=100))
def test_the_key_is_not_in_what_is_stored(key: str) -> None:
    state = hmac_state.state_of(key.encode())
    assert hashlib.sha1(key.encode()).digest() not in (state[:20], state[20:])
    assert len(key) < 3 or key.encode() not in state


@pytest.mark.parametrize("size", [0, 20, 39, 41])
def test_a_state_of_another_size_is_none(size: int) -> None:
    with pytest.raises(ValueError, match="40 bytes"):
        hmac_state.sign(bytes(size), b"")
