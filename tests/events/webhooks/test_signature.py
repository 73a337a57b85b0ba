"""Signatures are verified by the packages that receivers use."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from phonegate.events.webhooks import signature
from phonegate.events.webhooks.shapes import write
from phonegate.model.times import now_ms
from phonegate.model.webhooks import Webhook
from tests.events.webhooks.rendered import event

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(64, 96))).decode()


def webhook(**fields: Any) -> Webhook:
    usual: dict[str, Any] = {
        "id": 1,
        "org": 1,
        "org_name": "acme",
        "url": "https://a.example/",
        "events": ("*",),
        "secret": SECRET,
        "created_at": 0,
        "position": 0,
    }
    return Webhook(**usual | fields)


def test_the_package_of_standard_webhooks_verifies_it() -> None:
    body = write("standard", event(), 1).body
    headers = dict(signature.standard_headers("1234", body, (SECRET,), now_ms()))
    assert headers["webhook-id"] == "1234"
    assert Verifier(SECRET).verify(body, headers) == event()
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body + b" ", headers)


def test_both_secrets_sign_until_the_old_one_ends() -> None:
    rotated = webhook(old_secret=OLD, old_secret_until=1_000)
    assert signature.current_secrets(rotated, 999) == (SECRET, OLD)
    assert signature.current_secrets(rotated, 1_000) == (SECRET,)
    headers = dict(signature.standard_headers("7", b"{}", (SECRET, OLD), now_ms()))
    for secret in (SECRET, OLD):
        assert Verifier(secret).verify(b"{}", headers) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Body", "From", "A", "AB"]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        ),
        max_size=6,
    ),
    st.sampled_from(
        ["https://a.example", "http://A.example:8080/x?b=1&c=%20#f", "http://a.example:80/ä"]
    ),
)
def test_the_package_of_twilio_verifies_it(fields: list[tuple[str, str]], url: str) -> None:
    from werkzeug.datastructures import MultiDict  # noqa: PLC0415 - as Flask gives it

    (header,) = signature.twilio_headers(url, tuple(fields), "secret")
    validator = RequestValidator("secret")
    assert validator.validate(signature.called(url), MultiDict(fields), header[1])
    assert not validator.validate(signature.called(url) + "x", MultiDict(fields), header[1])


def test_a_url_is_signed_as_its_receiver_finds_it() -> None:
    assert signature.called("http://A.Example:80") == "http://a.example/"
    assert signature.called("https://a.example:8443/x?y=1#z") == "https://a.example:8443/x?y=1"
    assert (
        urlencode(write("twilio", event(), 1).fields).encode() == write("twilio", event(), 1).body
    )
