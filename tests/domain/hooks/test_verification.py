"""Whether a call comes from its program, against signatures that others have made."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from phonegate.domain.hooks.verification import TOLERANCE_S, require_verification, verify
from phonegate.model.hooks import Verification
from phonegate.model.refusals import BadInput, Unauthorized

NOW = 1_800_000_000
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"a": 1}'

STANDARD = Verification(kind="standard", secret=f"v1,whsec_{SECRET}")
ZITADEL = Verification(kind="zitadel", secret="k" * 40)
HMAC = Verification(kind="hmac", secret="secret", header="X-Signature")
TIMED = Verification(kind="hmac", secret="secret", header="X-Signature", timestamp_header="X-Time")
BASIC = Verification(kind="basic", secret="listmonk:p4ss")
HEADER = Verification(kind="header", secret="Bearer abc")

ALL = (STANDARD, ZITADEL, HMAC, TIMED, BASIC, HEADER)


def signed(one: Verification, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    """Returns the headers of a call as its program makes it."""
    if one.kind == "standard":
        signature = Webhook(f"whsec_{SECRET}").sign(
            "msg_1", datetime.fromtimestamp(at, tz=UTC), body.decode()
        )
        return {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at),
            "webhook-signature": signature,
        }
    key = one.secret.encode()
    if one.kind == "zitadel":
        text = f"{at}.".encode() + body
        return {"zitadel-signature": f"t={at},v1={hmac.new(key, text, hashlib.sha256).hexdigest()}"}
    if one.kind == "basic":
        return {"authorization": "Basic " + base64.b64encode(key).decode()}
    if one.kind == "header":
        return {"authorization": one.secret}
    text = body if one.timestamp_header is None else f"{at}:".encode() + body
    digest = hmac.new(key, text, hashlib.sha256).hexdigest()
    return {"x-signature": digest, "x-time": str(at)}


def is_right(one: Verification, headers: dict[str, str], body: bytes = BODY) -> bool:
    try:
        verify(one, headers, body, NOW * 1000)
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.kind)
def test_a_call_of_its_program_passes_and_no_other(one: Verification) -> None:
    headers = signed(one)
    assert is_right(one, headers)
    assert not is_right(one, {})
    for name, value in headers.items():
        if name in {"webhook-id", "x-time"} and one is HMAC:
            continue
        assert not is_right(one, {**headers, name: value[:-1]}), name
        assert not is_right(one, {**headers, name: "ö" + value}), name


@pytest.mark.parametrize("one", [STANDARD, ZITADEL, HMAC, TIMED], ids=lambda one: one.kind)
def test_a_signature_is_of_its_body_alone(one: Verification) -> None:
    assert not is_right(one, signed(one), BODY + b" ")


@pytest.mark.parametrize("one", [STANDARD, ZITADEL, TIMED], ids=lambda one: one.kind)
@pytest.mark.parametrize("off", [-TOLERANCE_S, TOLERANCE_S])
def test_a_signature_holds_for_some_minutes(one: Verification, off: int) -> None:
    assert is_right(one, signed(one, at=NOW + off))
    assert not is_right(one, signed(one, at=NOW + off + (1 if off > 0 else -1)))


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed(STANDARD)
    right = headers["webhook-signature"]
    for several in (f"v1,abc= {right}", f"{right} v1,abc=", f"v1,abc=, {right}", f"{right}, v1,a="):
        assert is_right(STANDARD, headers | {"webhook-signature": several})
    ours = signed(ZITADEL)["zitadel-signature"]
    assert is_right(ZITADEL, {"zitadel-signature": ours.replace(",", ",v1=00ff,")})


def test_github_names_the_digest_before_it() -> None:
    assert is_right(HMAC, {"x-signature": "sha256=" + signed(HMAC)["x-signature"].upper()})


def test_a_header_of_any_name_can_be_fixed() -> None:
    one = Verification(kind="header", secret="s3cret", header="X-Api-Key")
    assert is_right(one, {"x-api-key": " s3cret "})
    assert not is_right(one, {"authorization": "s3cret"})


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.kind)
def test_their_forms_are_right(one: Verification) -> None:
    require_verification(one)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "standard", "secret": ""}, "secret"),
        ({"kind": "standard", "secret": "whsec_!"}, "secret"),
        ({"kind": "zitadel", "secret": "ö"}, "secret"),
        ({"kind": "zitadel", "secret": " a"}, "secret"),
        ({"kind": "zitadel", "secret": "a" * 501}, "secret"),
        ({"kind": "basic", "secret": "user"}, "secret"),
        ({"kind": "hmac", "secret": "a"}, "header"),
        ({"kind": "hmac", "secret": "a", "header": "X Y"}, "header"),
        ({"kind": "standard", "secret": SECRET, "header": "X"}, "header"),
        ({"kind": "header", "secret": "a", "timestamp_header": "X"}, "timestamp_header"),
    ],
)
def test_wrong_forms_are_named_without_the_secret(fields: Any, field: str) -> None:
    with pytest.raises(BadInput) as error:
        require_verification(Verification(**fields))
    assert [one.field for one in error.value.problems] == [f"verification.{field}"]
    assert "secret" not in repr(Verification(**fields))


@given(
    st.sampled_from(ALL),
    st.dictionaries(
        st.sampled_from(
            (
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "zitadel-signature",
                "authorization",
                "x-signature",
                "x-time",
            )
        ),
        st.text(max_size=40),
    ),
)
def test_no_header_makes_it_fail(one: Verification, headers: dict[str, str]) -> None:
    assert not is_right(one, headers)
