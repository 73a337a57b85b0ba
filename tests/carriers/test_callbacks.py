import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from kit.fake_carrier import FakeCarrier, SentCallback
from phonegate.carriers.provider import BadSignature, Callback, MalformedCallback
from phonegate.carriers.telnyx import callbacks as telnyx_callbacks
from phonegate.carriers.twilio import callbacks as twilio_callbacks
from phonegate.domain.carrier import InboundReport, StatusReport
from phonegate.model.times import now_ms

from .samples import NOW, TOKEN, patient
from .stub import answer, stub
from .test_words import JSON

URL = "https://gw.test/callbacks/twilio/1/token"
SIGNER = RequestValidator(TOKEN)
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


def read_twilio(*, url: str, headers: Mapping[str, str], body: bytes, auth_token: str) -> Any:
    """What Twilio's callback to one address says."""
    named = {name.lower(): value for name, value in headers.items()}
    credentials = {"auth_token": auth_token}
    return twilio_callbacks.read(
        Callback(addresses=(url,), headers=named, body=body, credentials=credentials, now=NOW)
    )


def read_telnyx(
    *, headers: Mapping[str, str], body: bytes, public_key: str | None, now: int
) -> Any:
    """What Telnyx's callback says."""
    named = {name.lower(): value for name, value in headers.items()}
    credentials = {} if public_key is None else {"public_key": public_key}
    return telnyx_callbacks.read(
        Callback(addresses=(URL,), headers=named, body=body, credentials=credentials, now=now)
    )


def twilio(fields: Mapping[str, Any]) -> Any:
    """Reads a form that Twilio signed."""
    headers = {**FORM, "X-Twilio-Signature": SIGNER.compute_signature(URL, fields)}
    return read_twilio(url=URL, headers=headers, body=urlencode(fields).encode(), auth_token=TOKEN)


def twilio_json(body: str) -> Any:
    url = f"{URL}?bodySHA256={SIGNER.compute_hash(body)}"
    headers = {
        "content-type": "application/json",
        "x-twilio-signature": SIGNER.compute_signature(url, {}),
    }
    return read_twilio(url=url, headers=headers, body=body.encode(), auth_token=TOKEN)


def telnyx(event: object) -> Any:
    return read_telnyx(headers={}, body=json.dumps(event).encode(), public_key=None, now=NOW)


def event(kind: str, **payload: Any) -> dict[str, Any]:
    return {
        "data": {
            "event_type": kind,
            "id": "e1",
            "occurred_at": "2024-01-15T20:16:07Z",
            "payload": {"id": "m1", **payload},
        },
        "meta": {"attempt": 1},
    }


STATUS = {
    "MessageSid": "SM1",
    "SmsSid": "SM1",
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "To": "+15551230001",
    "From": "+15005550006",
    "AccountSid": "AC1",
    "ApiVersion": "2010-04-01",
    "SomethingNew": "x",
}
INBOUND = {
    "MessageSid": "SM2",
    "SmsStatus": "received",
    "From": "+15551230001",
    "To": "+15005550006",
    "Body": "hi \U0001f600 & more",
    "NumMedia": "0",
    "NumSegments": "2",
    "FromCity": "",
}


def test_a_state_from_twilio() -> None:
    assert twilio(STATUS) == StatusReport(carrier_id="SM1", progress="delivered")


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_a_failure_from_twilio_says_why(status: str) -> None:
    told = twilio({**STATUS, "MessageStatus": status, "ErrorCode": "30003"})
    assert told.progress == "failed"
    assert told.fault.code == "30003"
    assert "out of reach" in told.fault.text


@pytest.mark.parametrize(
    "fields",
    [{**STATUS, "MessageStatus": "brand new"}, {"CallSid": "CA1", "CallStatus": "completed"}],
)
def test_events_that_say_nothing_are_passed_over(fields: dict[str, str]) -> None:
    assert twilio(fields) is None


def test_a_message_from_twilio() -> None:
    assert twilio(INBOUND) == InboundReport(
        carrier_id="SM2",
        sender="+15551230001",
        recipient="+15005550006",
        body="hi \U0001f600 & more",
        segments=2,
    )


def test_media_from_twilio() -> None:
    urls = {f"MediaUrl{place}": f"https://api.twilio.com/{place}" for place in range(2)}
    told = twilio({**INBOUND, "Body": "", "NumMedia": "2", **urls})
    assert told.media_urls == ("https://api.twilio.com/0", "https://api.twilio.com/1")
    assert twilio({**INBOUND, "NumMedia": "999"}).media_urls == ()
    assert twilio({**INBOUND, "NumMedia": "-1"}).media_urls == ()


def test_json_from_twilio() -> None:
    assert twilio_json(json.dumps(STATUS)) == twilio(STATUS)
    assert twilio_json(json.dumps(INBOUND)) == twilio(INBOUND)


@pytest.mark.parametrize("body", ["", "[]", "7", "{"])
def test_json_that_is_no_message_is_malformed(body: str) -> None:
    with pytest.raises(MalformedCallback):
        twilio_json(body)


@pytest.mark.parametrize(
    "fields",
    [{}, {"MessageStatus": "sent"}, {"MessageSid": "a b"}, {**INBOUND, "MessageSid": ""}],
)
def test_forms_that_are_no_message_are_malformed(fields: dict[str, str]) -> None:
    with pytest.raises(MalformedCallback):
        twilio(fields)


@pytest.mark.parametrize(
    ("sender", "kept"),
    [
        ("", ""),
        (None, ""),
        ("SUPPORT\n", "SUPPORT"),
        ("68849", "68849"),
        ("\u202a+15551230001\u202c", "+15551230001"),
        ("x" * 500, "x" * 64),
    ],
)
def test_a_message_is_taken_whoever_sent_it(sender: str | None, kept: str) -> None:
    told = twilio_json(json.dumps({**INBOUND, "From": sender}))
    assert (told.sender, told.body) == (kept, INBOUND["Body"])
    assert bool(told.cleaned) == (sender not in (kept, None))


def test_a_message_is_taken_whomever_it_is_for() -> None:
    told = telnyx(event("message.received", **{"from": {"phone_number": "+1555"}, "to": []}))
    assert (told.sender, told.recipient, told.body) == ("+1555", None, "")


def test_what_can_not_be_read_is_refused() -> None:
    many = "&".join(f"a{place}=1" for place in range(2000)).encode()
    for body in (b"a=\xff", b"a=%ff", many):
        with pytest.raises(MalformedCallback):
            read_twilio(url=URL, headers=FORM, body=body, auth_token=TOKEN)


def test_an_unsigned_call_is_refused_before_it_is_read() -> None:
    for headers in (FORM, {"Content-Type": "application/json"}, {"Content-Type": "text/x"}, {}):
        with pytest.raises(BadSignature):
            read_twilio(url=URL, headers=headers, body=b"", auth_token=TOKEN)
    with pytest.raises(BadSignature):
        read_twilio(
            url=URL,
            headers={**FORM, "X-Twilio-Signature": "AAAA"},
            body=urlencode(STATUS).encode(),
            auth_token=TOKEN,
        )


def test_any_of_the_addresses_may_be_the_signed_one() -> None:
    def called(*addresses: str, body: bytes = urlencode(STATUS).encode()) -> Callback:
        return Callback(
            addresses=addresses,
            headers={"x-twilio-signature": SIGNER.compute_signature(URL, STATUS)},
            body=body,
            credentials={"auth_token": TOKEN},
            now=NOW,
        )

    for addresses in ((URL, "http://other.test/"), ("http://other.test/", URL)):
        assert twilio_callbacks.read(called(*addresses)) == twilio(STATUS)
    with pytest.raises(BadSignature, match="check auth_token"):
        twilio_callbacks.read(called("http://other.test/", "https://other.test/"))
    with pytest.raises(BadSignature, match="too long"):
        twilio_callbacks.read(called(body=b"a=\xff"))


def test_states_from_telnyx() -> None:
    told = telnyx(event("message.finalized", to=[{"status": "delivered"}], parts=2))
    assert told == StatusReport(
        carrier_id="m1", progress="delivered", segments=2, at=1_705_349_767_000
    )
    told = telnyx(event("message.sent", to=[{"status": "sent"}]))
    assert told.progress == "sent"


def test_a_failure_from_telnyx_says_why() -> None:
    errors = [{"code": "40300", "title": "Blocked due to STOP message"}]
    told = telnyx(event("message.finalized", to=[{"status": "delivery_failed"}], errors=errors))
    assert told.progress == "failed"
    assert told.fault.code == "40300"
    assert "opted out" in told.fault.text


def test_a_message_from_telnyx() -> None:
    told = telnyx(
        event(
            "message.received",
            **{"from": {"phone_number": "+15551230001", "carrier": "x"}},
            to=[{"phone_number": "+15005550010", "status": "webhook_delivered"}],
            text="hi\x00 \ud83d",
            media=[{"url": "https://media.telnyx.test/1"}, {"size": 3}, None],
            received_at="2024-01-15T20:16:07.5Z",
            parts=1,
        )
    )
    assert told == InboundReport(
        carrier_id="m1",
        sender="+15551230001",
        recipient="+15005550010",
        body="hi\ufffd \ufffd",
        media_urls=("https://media.telnyx.test/1",),
        date=1_705_349_767_500,
        segments=1,
    )


@pytest.mark.parametrize(
    "told",
    [
        event("call.initiated"),
        event("message.something.new"),
        event("message.finalized", to=[{"status": "brand new"}]),
        event("message.sent"),
    ],
)
def test_telnyx_events_that_say_nothing_are_passed_over(told: object) -> None:
    assert telnyx(told) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"data": []},
        {"data": {"event_type": 7}},
        {"data": {"event_type": "message.sent"}},
        event("message.received"),
    ],
)
def test_telnyx_events_of_no_message_are_malformed(told: object) -> None:
    with pytest.raises(MalformedCallback):
        telnyx(told)


@patient
@given(st.dictionaries(st.sampled_from([*STATUS, *INBOUND, "MediaUrl0", "ErrorCode"]), JSON))
def test_no_call_of_twilio_breaks_anything(fields: dict[str, Any]) -> None:
    try:
        told = twilio_json(json.dumps({"MessageSid": "SM1", **fields}))
    except MalformedCallback:
        return
    assert told is None or told.carrier_id


@patient
@given(
    st.sampled_from(["message.received", "message.sent", "message.finalized", "x"]),
    st.dictionaries(
        st.sampled_from(["id", "from", "to", "text", "media", "errors", "parts"]), JSON
    ),
)
def test_no_event_of_telnyx_breaks_anything(kind: str, payload: dict[str, Any]) -> None:
    try:
        told = telnyx(event(kind, **payload))
    except MalformedCallback:
        return
    assert told is None or told.carrier_id


def read(call: SentCallback, fake: FakeCarrier) -> Any:
    headers = dict(call.headers)
    if call.carrier == "twilio":
        token = fake.twilio.token
        return read_twilio(url=call.url, headers=headers, body=call.body, auth_token=token)
    key = fake.telnyx.public_key
    return read_telnyx(headers=headers, body=call.body, public_key=key, now=now_ms())


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
async def test_an_mms_of_the_fake_carriers_is_read(carrier: Any, nursery: trio.Nursery) -> None:
    fake = FakeCarrier()
    await nursery.start(fake.serve)
    async with stub(answer(200)) as served:
        _, (call,) = await fake.receive(
            carrier,
            sender="+15551230001",
            recipient="+15005550006",
            text="hello",
            media=["https://example.com/a.jpg"],
            url=f"{served.url}/cb?x=1",
        )
    told = read(call, fake)
    assert isinstance(told, InboundReport)
    assert (told.sender, told.body) == ("+15551230001", "hello")
    assert len(told.media_urls) == 1
    assert told.carrier_id
    nursery.cancel_scope.cancel()
