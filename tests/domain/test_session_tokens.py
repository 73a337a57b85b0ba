"""Tokens of sessions: known again by the key that signed them, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.session_tokens import KEY_BYTES, TokenSigner

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SIGNER = TokenSigner(bytes(KEY_BYTES))


@given(KEYS)
def test_a_token_is_known_again_for_its_purpose_alone(key: bytes) -> None:
    signer = TokenSigner(key)
    token = signer.make("session")
    shown = signer.read(token, "session")
    assert shown is not None
    assert shown == signer.read(token, "session")
    assert signer.read(token, "visitor") is None


@given(KEYS, KEYS)
def test_another_gateway_does_not_know_it(one: bytes, other: bytes) -> None:
    token = TokenSigner(one).make("session")
    assert (TokenSigner(other).read(token, "session") is not None) == (one == other)
    assert (TokenSigner(one).mark == TokenSigner(other).mark) == (one == other)


@given(st.integers(0, 63), st.sampled_from(URL_SAFE))
def test_one_that_was_changed_anywhere_is_unknown(place: int, character: str) -> None:
    token = SIGNER.make("session")
    changed = token[:place] + character + token[place + 1 :]
    assert (SIGNER.read(changed, "session") is not None) == (changed == token)


@given(st.text(max_size=100))
@pytest.mark.parametrize("purpose", ["session", "visitor"])
def test_what_was_made_up_is_unknown(purpose: str, text: str) -> None:
    assert SIGNER.read(text, purpose) is None  # type: ignore[arg-type] # one of the two


@pytest.mark.parametrize("around", [("", "\n"), ("", "="), (" ", ""), ("", "\0")])
def test_it_has_one_spelling(around: tuple[str, str]) -> None:
    assert SIGNER.read(SIGNER.make("session").join(around), "session") is None


def test_nothing_that_is_kept_or_shown_tells_it() -> None:
    token = SIGNER.make("session")
    shown = SIGNER.read(token, "session")
    assert shown is not None
    assert len({token, shown.form_token, shown.digest.hex(), SIGNER.mark}) == 4
    assert token not in repr(shown)
    assert shown.form_token not in repr(shown)


def test_tokens_and_their_forms_differ() -> None:
    tokens = {SIGNER.make("session") for _ in range(100)}
    assert len(tokens) == 100
    forms = {shown.form_token for t in tokens if (shown := SIGNER.read(t, "session"))}
    assert len(forms) == 100


def test_a_seal_depends_on_the_token_and_on_what_is_sealed() -> None:
    one, other = (SIGNER.read(SIGNER.make("session"), "session") for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.seal("operator-token") == one.seal("operator-token")
    assert one.seal("operator-token") != one.seal("another-token")
    assert one.seal("operator-token") != other.seal("operator-token")
