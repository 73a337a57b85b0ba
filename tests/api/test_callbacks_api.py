"""What carriers call: only they may, everything that they tell is kept, and once."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.fake_carrier.callbacks import twilio_signature
from phonegate.model.assistants import Assistant
from phonegate.model.messages import Message, PageQuery
from tests.api.conftest import (
    NOW,
    ORG,
    Reply,
    Web,
)

SENDER = "+1234567890"
RECIPIENT = "+1555123456"
TOKEN = "canary-token-0123456789abcdef"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
KEY = Ed25519PrivateKey.from_private_bytes(b"the tests' own telnyx signing k.")
PUBLIC_KEY = base64.b64encode(
    KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()

INBOUND = {
    "MessageSid": "SM" + "a" * 32,
    "AccountSid": "AC" + "0" * 32,
    "From": RECIPIENT,
    "To": SENDER,
    "Body": "Grüße & 你好",
    "NumMedia": "1",
    "MediaUrl0": "https://api.twilio.com/media/1",
    "SmsStatus": "received",
}


@attrs.frozen
class Line:
    """An assistant, and its carrier's hand."""

    web: Web
    assistant: Assistant
    address: str
    """Where its carrier calls."""

    @property
    def path(self) -> str:
        return self.address.removeprefix("https://sms.example.org")

    async def twilio(
        self, fields: dict[str, str], *, query: str = "", signed: str | None = None, **more: Any
    ) -> Reply:
        """A call of Twilio's, signed for its address unless told otherwise."""
        url = self.address + query if signed is None else signed
        headers = {
            "Content-Type": FORM,
            "X-Twilio-Signature": twilio_signature(TOKEN, url, fields.items()),
            **more,
        }
        raw = urlencode(fields).encode()
        return await self.web.call("POST", self.path + query, raw=raw, secret=None, headers=headers)

    async def telnyx(
        self, data: Any, *, query: str = "", at: int = NOW, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """A call of Telnyx's, signed at a time in ms."""
        raw = json.dumps({"data": data}).encode()
        stamp = str(at // 1000)
        signature = KEY.sign(f"{stamp}|".encode() + raw)
        sent = {
            "Content-Type": "application/json",
            "telnyx-timestamp": stamp,
            "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
            **(headers or {}),
        }
        return await self.web.call("POST", self.path + query, raw=raw, secret=None, headers=sent)

    async def send(self) -> Message:
        """A message that the carrier has."""
        body = {"from_phone_number": SENDER, "to_phone_number": RECIPIENT, "message": "Hello"}
        reply = await self.web.call("POST", f"/sms/send?org_id={ORG}", body)
        assert reply.status == 200, reply.data
        return (await self.stored())[-1]

    async def stored(self) -> list[Message]:
        org = self.assistant.org
        return await self.web.database.read(lambda tx: tx.messages.page(org, PageQuery()))


async def open_line(web: Web, provider: str, credentials: dict[str, str]) -> Line:
    body = {
        "name": "support",
        "provider": provider,
        "phone_numbers": [SENDER],
        "credentials": credentials,
    }
    added = await web.call("POST", f"/assistants?org_id={ORG}", body)
    number = added.json["assistant"]["id"]
    assistant = await web.database.read(lambda tx: tx.assistants.get(number))
    assert assistant is not None
    address = web.services.assistants.callback_url(assistant)
    assert address is not None
    return Line(web, assistant, address)


@pytest.fixture
async def twilio(web: Web) -> Line:
    credentials = {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN}
    return await open_line(web, "twilio", credentials)


@pytest.fixture
async def telnyx(web: Web) -> Line:
    credentials = {"api_key": "KEY0123456789", "public_key": PUBLIC_KEY}
    return await open_line(web, "telnyx", credentials)


def event(kind: str, **payload: Any) -> dict[str, Any]:
    return {"event_type": kind, "id": "e1", "record_type": "event", "payload": payload}


def report(message: Message, status: str) -> dict[str, str]:
    return {"MessageSid": message.carrier_id or "", "MessageStatus": status, "To": RECIPIENT}


# --- Twilio


async def test_twilio_s_states_arrive(twilio: Line) -> None:
    message = await twilio.send()
    query = f"?message={message.id}"
    for status, ours in (("sent", "sent"), ("delivered", "delivered"), ("sent", "delivered")):
        reply = await twilio.twilio(report(message, status), query=query)
        assert (reply.status, reply.json) == (200, {"ok": True})
        assert (await twilio.stored())[0].status == ours


async def test_twilio_s_failure_keeps_its_code(twilio: Line) -> None:
    message = await twilio.send()
    await twilio.twilio({**report(message, "undelivered"), "ErrorCode": "30003"})
    (message,) = await twilio.stored()
    assert message.status == "failed"
    assert (message.error or "").startswith("30003: ")


async def test_an_inbound_message_is_stored_once_and_answered_with_nothing(twilio: Line) -> None:
    for _ in range(3):
        reply = await twilio.twilio(INBOUND)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/xml"
        assert reply.data.endswith(b"<Response/>")
    (message,) = await twilio.stored()
    assert (message.direction, message.status) == ("in", "received")
    assert (message.address, message.sim) == (RECIPIENT, SENDER)
    assert (message.body, message.provider) == (INBOUND["Body"], "twilio")
    assert message.media_urls == (INBOUND["MediaUrl0"],)
    page = await twilio.web.call("GET", f"/messages/{ORG}?direction=in")
    assert page.json["messages"][0]["body"] == INBOUND["Body"]


async def test_a_call_may_come_by_another_name_of_this_gateway(twilio: Line) -> None:
    tunnel = "https://tunnel.example.net" + twilio.path
    reply = await twilio.twilio(INBOUND, signed=tunnel, Host="tunnel.example.net")
    assert reply.status == 200
    reply = await twilio.twilio(INBOUND, signed=tunnel)
    assert reply.status == 403


@pytest.mark.parametrize("query", ["", "?message=1", "?message=x", "?message=", "?a=b&message=99"])
async def test_unknown_messages_are_200_and_change_nothing(twilio: Line, query: str) -> None:
    before = await twilio.send()
    fields = {"MessageSid": "SM" + "f" * 32, "MessageStatus": "failed"}
    reply = await twilio.twilio(fields, query=query)
    assert reply.status == 200
    assert await twilio.stored() == [before]


@pytest.mark.parametrize(
    "change",
    [
        {"X-Twilio-Signature": "wrong"},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": twilio_signature("other", "https://sms.example.org", [])},
    ],
)
async def test_a_wrong_signature_is_403(twilio: Line, change: dict[str, str]) -> None:
    reply = await twilio.twilio(INBOUND, **change)
    assert (reply.status, reply.json["code"]) == (403, "forbidden")
    assert await twilio.stored() == []


async def test_a_signature_of_another_body_is_403(twilio: Line) -> None:
    good = twilio_signature(TOKEN, twilio.address, INBOUND.items())
    reply = await twilio.twilio({**INBOUND, "Body": "x"}, **{"X-Twilio-Signature": good})
    assert reply.status == 403
    assert await twilio.stored() == []


async def test_a_wrong_token_is_403_and_looks_like_a_wrong_signature(twilio: Line) -> None:
    refused = await twilio.twilio(INBOUND, **{"X-Twilio-Signature": "wrong"})
    token = twilio.assistant.token
    for path in (
        twilio.path.replace(token, token[:-1]),
        twilio.path.replace(token, "é"),
        twilio.path.replace(f"/{twilio.assistant.id}/", "/999/"),
        twilio.path.replace(f"/{twilio.assistant.id}/", "/x/"),
        twilio.path.replace("/twilio/", "/telnyx/"),
    ):
        address = f"https://sms.example.org{path}"
        reply = await attrs.evolve(twilio, address=address).twilio(INBOUND)
        assert (reply.status, reply.json) == (403, refused.json), path
    assert await twilio.stored() == []


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"MessageSid=%ff", FORM, 400),
        (b"x", "text/plain", 403),
        (b"", FORM, 403),
        (b"{", "application/json", 403),
    ],
)
async def test_nonsense_is_refused(twilio: Line, raw: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": kind, "X-Twilio-Signature": "wrong"}
    reply = await twilio.web.call("POST", twilio.path, raw=raw, secret=None, headers=headers)
    assert reply.status == status
    assert await twilio.stored() == []


async def test_a_call_without_sense_is_400_though_it_is_signed(twilio: Line) -> None:
    assert (await twilio.twilio({"Hello": "World"})).status == 400
    assert (await twilio.twilio({**INBOUND, "MessageSid": "x y"})).status == 400
    assert await twilio.stored() == []


async def test_a_message_without_a_sender_is_stored(twilio: Line) -> None:
    without = {name: value for name, value in INBOUND.items() if name != "From"}
    assert (await twilio.twilio(without)).status == 200
    (message,) = await twilio.stored()
    assert (message.address, message.body) == ("", INBOUND["Body"])


# --- Telnyx


def received(**changes: Any) -> dict[str, Any]:
    payload = {
        "id": "in-1",
        "from": {"phone_number": RECIPIENT},
        "to": [{"phone_number": SENDER}],
        "text": "yo",
        "media": [{"url": "https://m.telnyx.com/1"}],
        "received_at": "2027-01-15T08:00:00.000+00:00",
    }
    return event("message.received", **{**payload, **changes})


async def test_telnyx_s_states_arrive(telnyx: Line) -> None:
    message = await telnyx.send()
    for kind, status, ours in (
        ("message.finalized", "delivered", "delivered"),
        ("message.sent", "sent", "delivered"),
    ):
        told = event(kind, id=message.carrier_id, to=[{"status": status}], parts=2)
        reply = await telnyx.telnyx(told, query=f"?message={message.id}")
        assert (reply.status, reply.json) == (200, {"ok": True})
        (changed,) = await telnyx.stored()
        assert (changed.status, changed.segments) == (ours, 2)


async def test_telnyx_s_messages_are_stored_once(telnyx: Line) -> None:
    for _ in range(2):
        assert (await telnyx.telnyx(received())).status == 200
    (message,) = await telnyx.stored()
    assert (message.address, message.sim, message.body) == (RECIPIENT, SENDER, "yo")
    assert (message.provider, message.media_urls) == ("telnyx", ("https://m.telnyx.com/1",))
    assert message.date == 1_800_000_000_000


async def test_a_wrong_or_old_telnyx_signature_is_403(telnyx: Line) -> None:
    replies = [
        await telnyx.telnyx(received(), headers={"telnyx-signature-ed25519": "AAAA"}),
        await telnyx.telnyx(received(), headers={"telnyx-timestamp": str(NOW // 1000 - 1)}),
        await telnyx.telnyx(received(), at=NOW - 301_000),
        await telnyx.telnyx(received(), at=NOW + 301_000),
    ]
    assert [reply.status for reply in replies] == [403] * 4
    assert await telnyx.stored() == []


async def test_an_event_without_sense_is_400(telnyx: Line) -> None:
    assert (await telnyx.telnyx([])).status == 400
    assert (await telnyx.telnyx(received(id="x y"))).status == 400
    assert (await telnyx.telnyx(event("call.hangup"))).status == 200
    assert await telnyx.stored() == []


async def test_without_a_public_key_the_token_must_do(web: Web) -> None:
    line = await open_line(web, "telnyx", {"api_key": "KEY0123456789"})
    reply = await line.telnyx(received(), headers={"telnyx-signature-ed25519": "AAAA"})
    assert reply.status == 200
    assert len(await line.stored()) == 1


async def test_without_a_public_key_a_wrong_token_is_403(web: Web) -> None:
    line = await open_line(web, "telnyx", {"api_key": "KEY0123456789"})
    token = line.assistant.token
    for wrong in (token[:-1], token + "x", token.swapcase(), "x"):
        other = attrs.evolve(line, address=line.address.replace(token, wrong))
        assert (await other.telnyx(received())).status == 403
    assert await line.stored() == []


# --- Both


async def test_a_call_that_is_too_large_is_413(twilio: Line) -> None:
    reply = await twilio.twilio({**INBOUND, "Body": "x" * 100_001})
    assert reply.status == 413
    assert await twilio.stored() == []


async def test_what_is_not_stored_is_not_acknowledged(
    telnyx: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phonegate.model.storage_errors import StorageUnavailable  # noqa: PLC0415 - beside its only use

    async def full(_: Any) -> None:
        raise StorageUnavailable("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(telnyx.web.database, "write", full)
        assert (await telnyx.telnyx(received())).status == 503
    assert (await telnyx.telnyx(received())).status == 200
    assert len(await telnyx.stored()) == 1
