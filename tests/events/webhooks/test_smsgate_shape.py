"""Events as the app SMS Gateway for Android reports them, read by its client for Python."""

import hmac
import json
from typing import Any

import attrs
import pytest
from android_sms_gateway import webhooks as client
from android_sms_gateway.enums import WebhookEvent
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.webhook_rendering import WebhookRendering
from phonegate.domain.announced_mms import NOT_FETCHED
from phonegate.events.webhooks.envelope import seal
from phonegate.events.webhooks.samples import sample
from phonegate.events.webhooks.shapes import has_form
from phonegate.events.webhooks.smsgate_shape import EVENTS, fits
from phonegate.model.events import EVENT_TYPES, Event, EventType
from phonegate.model.messages import MessageView
from phonegate.model.webhooks import Webhook

AT = 1_800_000_000_000
KEY = "the-signing-key"


def webhook(event: str | None = None, **fields: Any) -> Webhook:
    made: dict[str, Any] = {
        "id": 3,
        "org": 1,
        "org_name": "myorg",
        "url": "http://receiver.lan/hook",
        "events": ("*",) if event is None else EVENTS[event],
        "shape": "smsgate",
        "secret": KEY,
        "created_at": AT,
        "position": 0,
        "client_event": event,
        **fields,
    }
    return Webhook(**made)


def happened(kind: EventType = "message.received", **fields: Any) -> Event:
    """An event of a message, which is received unless the kind says otherwise."""
    is_in = kind == "message.received"
    shown: dict[str, Any] = {
        **dict.fromkeys(MessageView._fields),
        "id": 5,
        "direction": "in" if is_in else "out",
        "address": "+15553334444",
        "body": "Grüße",
        "status": kind.partition(".")[2],
        "created_at": AT,
        "phone": 7,
        "sim_selector": "",
        "sim_slot": 0,
        "sim": "+15551112222",
        "date": AT - 1_000 if is_in else None,
        "segments": 2,
        "provider": "phone",
        "parts": 0,
        **fields,
    }
    return Event(id=12, org=1, type=kind, at=AT, message=MessageView(**shown))


def written(hook: Webhook, event: Event) -> dict[str, Any]:
    shown = WebhookRendering(lambda: "http://gate.lan")(event, hook)
    found: dict[str, Any] = json.loads(seal(hook, shown, "evt_12", AT).body)
    return found


def test_a_received_sms() -> None:
    body = written(webhook("sms:received", client_id="ha-1"), happened())
    payload = body.pop("payload")
    assert body == {
        "deviceId": "7",
        "event": "sms:received",
        "id": "evt_12",
        "webhookId": "ha-1",
    }
    read = client.SmsReceivedPayload.from_dict(payload)
    assert (read.message_id, read.sender, read.recipient, read.sim_number) == (
        "5",
        "+15553334444",
        "+15551112222",
        1,
    )
    assert (read.phone_number, read.message) == ("+15553334444", "Grüße")
    assert payload["receivedAt"] == "2027-01-15T07:59:59.000Z"


@pytest.mark.parametrize(
    ("event", "kind", "more"),
    [
        ("sms:sent", "message.sent", {"partsCount": 2, "sentAt": "2027-01-15T08:00:00.000Z"}),
        ("sms:delivered", "message.delivered", {"deliveredAt": "2027-01-15T08:00:00.000Z"}),
        (
            "sms:failed",
            "message.failed",
            {"failedAt": "2027-01-15T08:00:00.000Z", "reason": "no credit"},
        ),
        (
            "sms:failed",
            "message.expired",
            {"failedAt": "2027-01-15T08:00:00.000Z", "reason": "Unknown"},
        ),
        ("sms:cancelled", "message.cancelled", {"cancelledAt": "2027-01-15T08:00:00.000Z"}),
    ],
)
def test_what_became_of_a_message(event: str, kind: EventType, more: dict[str, Any]) -> None:
    error = "no credit" if kind == "message.failed" else None
    told = happened(kind, client_id="order-1", error=error)
    assert fits(webhook(event), told)
    assert written(webhook(event), told)["payload"] == {
        "messageId": "order-1",
        "phoneNumber": "+15553334444",
        "sender": "+15551112222",
        "recipient": "+15553334444",
        "simNumber": 1,
        **more,
    }


def test_a_received_mms() -> None:
    event = attrs.evolve(
        happened(parts=2), data={"parts": {1: ("image/png", "cat.png", 40), 2: ("text/x", None, 2)}}
    )
    body = written(webhook("mms:downloaded"), event)
    read = client.MmsDownloadedPayload.from_dict(body["payload"])
    assert read.body == "Grüße"
    assert [(one.part_id, one.content_type, one.name, one.size) for one in read.attachments] == [
        (1, "image/png", "cat.png", 40),
        (2, "text/x", None, 2),
    ]
    told = client.MmsReceivedPayload.from_dict(written(webhook("mms:received"), event)["payload"])
    assert (told.message_id, told.size) == ("5", 42)


def test_batches_are_of_one() -> None:
    body = written(webhook("sms:batch:received"), happened())
    read = client.SmsBatchReceivedPayload.from_dict(body["payload"])
    assert [one.message for one in read.messages] == ["Grüße"]


def test_sms_and_mms_are_told_apart() -> None:
    sms, mms = happened(), happened(parts=1)
    carriers, announced = happened(media_urls=("https://c/1",)), happened(error=NOT_FETCHED)
    wanted = {
        name: [fits(webhook(name), one) for one in (sms, mms, carriers, announced)]
        for name, types in EVENTS.items()
        if "message.received" in types
    }
    assert wanted == {
        "sms:received": [True, False, False, False],
        "sms:batch:received": [True, False, False, False],
        "mms:received": [False, True, True, True],
        "mms:batch:received": [False, True, True, True],
        "mms:downloaded": [False, True, True, False],
        "mms:batch:downloaded": [False, True, True, False],
        "sms:data-received": [False] * 4,
        "sms:batch:data-received": [False] * 4,
    }
    assert all(fits(webhook(), one) for one in (sms, mms, carriers, announced))


def test_one_that_is_for_several_events_names_each() -> None:
    told = [
        happened(),
        happened(parts=1),
        happened(error=NOT_FETCHED),
        happened("message.sent"),
        happened("message.expired"),
    ]
    assert [written(webhook(), one)["event"] for one in told] == [
        "sms:received",
        "mms:downloaded",
        "mms:received",
        "sms:sent",
        "sms:failed",
    ]


def test_how_a_phone_is() -> None:
    said = {"id": 7, "kind": "link", "online": True, "last_seen": AT, "battery": 8}
    data = {**said, "charging": False, "sims": [{"slot": 1, "given": False}]}
    ping = Event(id=12, org=1, type="phone.health", at=AT, phone=7, data=data)
    body = written(webhook("system:ping"), ping)
    assert (body["deviceId"], body["event"]) == ("7", "system:ping")
    checks = body["payload"]["health"]["checks"]
    assert {name: (one["status"], one["observedValue"]) for name, one in checks.items()} == {
        "connection:status": ("pass", 1),
        "battery:level": ("fail", 8),
        "battery:charging": ("pass", 0),
    }
    start = attrs.evolve(ping, type="phone.online")
    assert written(webhook("app:started"), start)["payload"] == {
        "simCards": [{"slotIndex": 1, "simNumber": 2}]
    }


def test_it_is_signed_as_the_app_signs() -> None:
    hook = webhook("sms:received", headers=(("X-Signature", "mine"), ("Authorization", "Basic x")))
    shown = WebhookRendering(lambda: "")(happened(), hook)
    call = seal(hook, shown, "evt_12", AT + 999)
    right = hmac.new(KEY.encode(), call.body + b"1800000000", "sha256").hexdigest()
    assert dict(call.headers) == {
        "content-type": "application/json",
        "x-timestamp": "1800000000",
        "x-signature": right,
        "Authorization": "Basic x",
    }


def test_the_app_has_these_events_and_no_others() -> None:
    assert set(EVENTS) == {one.value for one in WebhookEvent}


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_what_has_no_form_is_refused(kind: EventType) -> None:
    hook = webhook()
    event = sample(attrs.evolve(hook, events=(kind,)), AT)
    if has_form("smsgate", kind):
        assert event.type == kind
        assert written(hook, event)["event"] in EVENTS
    else:
        shown: dict[str, Any] = {"type": kind, "id": 1, "created_at": "x", "data": {}}
        with pytest.raises(ValueError, match=kind):
            seal(hook, shown, "evt_1", AT)


@given(st.sampled_from(sorted(EVENTS)), st.text(), st.none() | st.integers(0, 9))
def test_every_text_is_told(event: str, body: str, slot: int | None) -> None:
    told = happened(body=body, sim_slot=slot, sim=None, date=None)
    if "message.received" in EVENTS[event] and "data" not in event:
        payload = written(webhook(event), told)["payload"]
        one = payload["messages"][0] if "messages" in payload else payload
        assert one.get("simNumber") == (None if slot is None else slot + 1)
