import base64
import sys
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from phonegate.carriers.provider import BadSignature, SignatureUnsupported
from phonegate.carriers.telnyx.signature import TOLERANCE_S, check_public_key
from phonegate.carriers.telnyx.signature import check as check_telnyx
from phonegate.carriers.twilio.signature import check as check_twilio

from . import telnyx_library
from .samples import NOW, TOKEN, patient

URL = "https://gw.test/callbacks/twilio/1/token"
SIGNER = RequestValidator(TOKEN)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FIELDS = st.lists(
    st.tuples(st.sampled_from(["Body", "To", "MessageSid", "A", "AB"]), TEXT), max_size=5
)
URLS = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{port}/{quote(path)}{query}",
    st.sampled_from(["http", "https"]),
    st.sampled_from(["gw.test", "sms.example.org"]),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    TEXT,
    st.sampled_from(["", "?a=1&b=%20", "?x"]),
)


class Form:
    """Several values of one name, as web frameworks hand them to Twilio's library."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def __iter__(self) -> Any:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def getall(self, wanted: str) -> list[str]:
        return [value for name, value in self._pairs if name == wanted]


def twilio_agrees(
    signature: str, url: str, fields: list[tuple[str, str]] | None, body: bytes = b""
) -> bool:
    """Our verdict, which must be that of Twilio's library."""
    theirs = SIGNER.validate(url, body.decode() if fields is None else Form(fields), signature)
    try:
        check_twilio(TOKEN, signature, url=url, fields=fields, body=body)
    except BadSignature:
        ours = False
    else:
        ours = True
    assert ours == theirs
    return ours


@patient
@given(URLS, FIELDS)
def test_twilios_own_signatures_are_right(url: str, fields: list[tuple[str, str]]) -> None:
    assert twilio_agrees(SIGNER.compute_signature(url, Form(fields)), url, fields)


@pytest.mark.parametrize("signed", ["", ":443", ":8443"])
@pytest.mark.parametrize("called", ["", ":443", ":8443"])
def test_a_port_may_be_signed_or_not(signed: str, called: str) -> None:
    address = "https://gw.test{}/cb?x=1"
    signature = SIGNER.compute_signature(address.format(signed), {})
    right = twilio_agrees(signature, address.format(called), [])
    assert right is (signed in {"", called} or (signed, called) == (":443", ""))


@patient
@given(URLS, FIELDS, st.data())
def test_tampered_calls_of_twilio_are_judged_as_its_library_does(
    url: str, fields: list[tuple[str, str]], data: st.DataObject
) -> None:
    signature = SIGNER.compute_signature(url, Form(fields))
    what = data.draw(st.sampled_from(["url", "fields", "signature"]))
    if what == "url":
        url = data.draw(URLS)
    elif what == "fields":
        fields = data.draw(FIELDS)
    else:
        place = data.draw(st.integers(0, len(signature) - 1))
        signature = (
            signature[:place] + data.draw(st.sampled_from("Aa0+/=é")) + signature[place + 1 :]
        )
    twilio_agrees(signature, url, fields)


def test_any_change_of_a_field_is_seen() -> None:
    fields = [("MessageSid", "SM1"), ("MessageStatus", "sent")]
    signature = SIGNER.compute_signature(URL, dict(fields))
    assert twilio_agrees(signature, URL, fields)
    for wrong in (
        [],
        fields[:1],
        [*fields, ("ErrorCode", "1")],
        [fields[0], ("MessageStatus", "x")],
    ):
        assert not twilio_agrees(signature, URL, wrong)
    assert not twilio_agrees(signature[:-2] + "A=", URL, fields)
    assert not twilio_agrees(signature, f"{URL}x", fields)
    with pytest.raises(BadSignature, match="missing"):
        check_twilio(TOKEN, None, url=URL, fields=fields)
    with pytest.raises(BadSignature, match="auth_token"):
        check_twilio("another", signature, url=URL, fields=fields)


def test_a_json_body_is_signed_by_its_hash_in_the_address() -> None:
    body = '{"MessageSid":"SM1","Body":"é"}'
    url = f"{URL}?{urlencode({'bodySHA256': SIGNER.compute_hash(body)})}"
    signature = SIGNER.compute_signature(url, {})
    assert twilio_agrees(signature, url, None, body.encode())
    assert not twilio_agrees(signature, url, None, body.encode() + b" ")


def test_a_json_body_without_its_hash_is_signed_by_nobody() -> None:
    signature = SIGNER.compute_signature(URL, {})
    with pytest.raises(BadSignature):
        check_twilio(TOKEN, signature, url=URL, fields=None, body=b"")


@pytest.mark.parametrize("url", ["https://[", "", "https://gw.test:99999999/x"])
def test_no_address_breaks_anything(url: str) -> None:
    with pytest.raises(BadSignature):
        check_twilio(TOKEN, "x", url=url, fields=[])


def sign(body: bytes, at_s: int) -> str:
    return base64.b64encode(KEY.sign(f"{at_s}|".encode() + body)).decode()


def telnyx_agrees(
    signature: str, timestamp: str, body: bytes, *, public_key: str = PUBLIC_KEY
) -> bool:
    """Our verdict, which must be that of Telnyx's library."""
    named = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": timestamp}
    try:
        telnyx_library.verify_webhook_signature(body, named, public_key)
    except telnyx_library.WebhookVerificationError:
        theirs = False
    else:
        theirs = True
    now = time.time_ns() // 1_000_000
    try:
        check_telnyx(public_key, signature, timestamp, body=body, now=now)
    except BadSignature:
        ours = False
    else:
        ours = True
    assert ours == theirs
    return ours


@patient
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-250, 250))
def test_telnyxs_signatures_are_right(text: str, away_s: int) -> None:
    at_s = int(time.time()) + away_s
    assert telnyx_agrees(sign(text.encode(), at_s), str(at_s), text.encode())


@patient
@given(st.sampled_from(["body", "time", "signature", "age", "key"]), st.data())
def test_tampered_calls_of_telnyx_are_judged_as_its_library_does(
    what: str, data: st.DataObject
) -> None:
    body, at_s, public_key = b'{"data":{}}', int(time.time()), PUBLIC_KEY
    if what == "age":
        at_s += data.draw(st.sampled_from([-1, 1])) * data.draw(st.integers(310, 10**6))
    signature, timestamp = sign(body, at_s), str(at_s)
    if what == "body":
        body = data.draw(st.text(max_size=20)).encode("utf-8", "replace")
    elif what == "time":
        timestamp = str(at_s + data.draw(st.integers(1, 200)))
    elif what == "key":
        other = Ed25519PrivateKey.from_private_bytes(data.draw(st.binary(min_size=32, max_size=32)))
        public_key = base64.b64encode(other.public_key().public_bytes_raw()).decode()
    elif what == "signature":
        place = data.draw(st.integers(0, len(signature) - 1))
        letter = data.draw(st.sampled_from("Aa0+/=!é"))
        signature = signature[:place] + letter + signature[place + 1 :]
    telnyx_agrees(signature, timestamp, body, public_key=public_key)


def test_any_change_of_an_event_is_seen() -> None:
    at_s = int(time.time())
    signature = sign(b"body", at_s)
    assert telnyx_agrees(signature, str(at_s), b"body")
    assert not telnyx_agrees(signature, str(at_s), b"bodx")
    assert not telnyx_agrees(signature, str(at_s + 1), b"body")
    assert not telnyx_agrees("A" * 86 + "==", str(at_s), b"body")
    assert not telnyx_agrees(signature[:20], str(at_s), b"body")
    assert not telnyx_agrees("", str(at_s), b"body")
    assert not telnyx_agrees(signature, "", b"body")
    assert not telnyx_agrees(signature, "soon", b"body")


@pytest.mark.parametrize("away_s", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_a_time_within_the_tolerance_is_right(away_s: int) -> None:
    at_s = NOW // 1000 + away_s
    check_telnyx(PUBLIC_KEY, sign(b"", at_s), str(at_s), body=b"", now=NOW)


@pytest.mark.parametrize("away_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_a_repeat_from_yesterday_is_refused(away_s: int) -> None:
    at_s = NOW // 1000 + away_s
    with pytest.raises(BadSignature, match="300 s"):
        check_telnyx(PUBLIC_KEY, sign(b"", at_s), str(at_s), body=b"", now=NOW)


def test_a_key_that_is_none_is_no_reason_to_believe() -> None:
    for key in ("", "AAAA", "no base64!"):
        with pytest.raises(SignatureUnsupported, match="32 bytes"):
            check_telnyx(key, "x", "1", body=b"", now=NOW)


def test_without_cryptography_nothing_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_public_key(PUBLIC_KEY)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    at_s = NOW // 1000
    with pytest.raises(SignatureUnsupported, match="phonegate\\[telnyx\\]"):
        check_telnyx(PUBLIC_KEY, sign(b"", at_s), str(at_s), body=b"", now=NOW)
