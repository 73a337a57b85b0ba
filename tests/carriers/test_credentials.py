import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.fake_carrier import TelnyxAccount
from phonegate.carriers.credentials import mask, masked
from phonegate.carriers.registry import CARRIERS, check_credentials
from phonegate.model.refusals import BadInput

from .samples import API_KEY, SERVICE, SID, TOKEN, patient

TWILIO = {"account_sid": SID, "auth_token": TOKEN}
TELNYX = {"api_key": API_KEY}
PUBLIC_KEY = TelnyxAccount().public_key


def problems(provider: str, given: dict[str, object]) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        check_credentials(provider, given)
    told = f"{caught.value} {caught.value.problems}"
    assert not [text for text in given.values() if isinstance(text, str) and text and text in told]
    return {problem.field: problem.problem for problem in caught.value.problems}


def test_right_credentials_are_kept() -> None:
    assert check_credentials("twilio", TWILIO) == TWILIO
    whole = {**TWILIO, "messaging_service_sid": SERVICE}
    assert check_credentials("twilio", whole) == whole
    assert check_credentials("telnyx", TELNYX) == TELNYX
    whole = {**TELNYX, "public_key": PUBLIC_KEY, "messaging_profile_id": "4000eba1-a0c0"}
    assert check_credentials("telnyx", whole) == whole


def test_optional_ones_may_be_empty() -> None:
    assert check_credentials("twilio", {**TWILIO, "messaging_service_sid": ""}) == TWILIO
    assert check_credentials("telnyx", {**TELNYX, "public_key": None}) == TELNYX


def test_all_faults_are_named_and_no_value() -> None:
    wrong = {"account_sid": "AC12secret", "messaging_service_sid": 7, "api_key": "KEYsecret12"}
    assert problems("twilio", wrong) == {
        "credentials.api_key": "is unknown to twilio; "
        "known: account_sid, auth_token, messaging_service_sid",
        "credentials.account_sid": "must be AC and 32 hexadecimal digits",
        "credentials.auth_token": "is required",
        "credentials.messaging_service_sid": "must be MG and 32 hexadecimal digits",
    }


@pytest.mark.parametrize(
    "key", ["has a blank", "line\r\nbreak", "uml\u00e4ut-key", "short", "x" * 257]
)
def test_what_no_header_takes_is_no_key(key: str) -> None:
    assert problems("telnyx", {"api_key": key})


@pytest.mark.parametrize("key", ["AAAA", "!" * 44, "A" * 43 + "=="])
def test_a_public_key_is_32_bytes(key: str) -> None:
    assert "credentials.public_key" in problems("telnyx", {**TELNYX, "public_key": key})


def test_a_public_key_asks_for_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    told = problems("telnyx", {**TELNYX, "public_key": PUBLIC_KEY})
    assert "'phonegate[telnyx]'" in told["credentials.public_key"]
    assert check_credentials("telnyx", TELNYX) == TELNYX


def test_secrets_are_marked() -> None:
    secret = {field.name for one in CARRIERS.values() for field in one.fields if field.secret}
    assert secret == {"auth_token", "api_key"}


@patient
@given(st.text(max_size=60))
def test_a_mask_shows_at_most_the_last_four(value: str) -> None:
    shown = mask(value)
    assert shown == "…" + (value[-4:] if len(value) >= 12 else "")


def test_everything_is_masked() -> None:
    assert masked(TWILIO) == {"account_sid": "…cdef", "auth_token": "…0123"}
