"""The bodies are derived from the app's data classes, not captured from a phone."""

import json

from phonegate.phone.radios.radio import SimCard
from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.answers import Hook, Pulled
from phonegate.phone.smsgate.app_memory import (
    AppMemory,
    HookEvent,
    Job,
    Mail,
    Moved,
    Stored,
    UnknownCancelled,
)

SIM = SimCard(slot=0, number="+15551234567", carrier="Cell")
MESSAGE = Pulled(id="m1", text="hi", phone_numbers=("+1", "+2"), sim_number=1)


def test_devices() -> None:
    cards = [{"slotIndex": 0, "simNumber": 1, "phoneNumber": "********4567", "carrierName": "Cell"}]
    body = request_bodies.registration("Google/panther", (SIM,), "fcm")
    assert body == {"name": "Google/panther", "pushToken": "fcm", "simCards": cards}
    changed = request_bodies.device_change("d1", (SIM,), None)
    assert changed == {"id": "d1", "simCards": cards}
    assert request_bodies.write(changed).decode() == json.dumps(changed, separators=(",", ":"))


def test_a_report_is_the_whole_state() -> None:
    memory = AppMemory()
    memory.apply(Stored(message=MESSAGE, time=0))
    memory.apply(Moved(id="m1", number="+1", state="Processed", time=1))
    memory.apply(Moved(id="m1", number="+2", state="Failed", error="no", time=2))
    memory.apply(Moved(id="m1", number="+1", state="Sent", time=1003))
    assert request_bodies.report(memory, memory.jobs[1], 60, 0) == [
        {
            "id": "m1",
            "state": "Sent",
            "recipients": [
                {"phoneNumber": "+1", "state": "Sent"},
                {"phoneNumber": "+2", "state": "Failed", "error": "no"},
            ],
            "states": {
                "Pending": "1970-01-01T01:00:00.000+01:00",
                "Processed": "1970-01-01T01:00:00.002+01:00",
                "Sent": "1970-01-01T01:00:01.003+01:00",
            },
        }
    ]


def test_of_an_unknown_message_it_reports_the_cancelling() -> None:
    memory = AppMemory()
    memory.apply(UnknownCancelled(id="x"))
    assert request_bodies.report(memory, Job(number=1, id="x", known=False), 0, 5) == [
        {
            "id": "x",
            "state": "Cancelled",
            "recipients": [],
            "states": {"Cancelled": "1970-01-01T00:00:00.005Z"},
        }
    ]


def test_events() -> None:
    mail = Mail(number=0, sender="+3", text="hello", received_at=0, sim_number=1)
    payloads = request_bodies.received(mail, own="+4", offset_min=0)
    hook = Hook(id="h", url="http://h", event="sms:received")
    queued = HookEvent(id="e", webhook=hook, payload=payloads["sms:received"], queued_at=0)
    assert request_bodies.event(queued, "d1") == {
        "id": "e",
        "webhookId": "h",
        "event": "sms:received",
        "deviceId": "d1",
        "payload": {
            "messageId": request_bodies.content_hash(mail),
            "sender": "+3",
            "recipient": "+4",
            "simNumber": 1,
            "phoneNumber": "+3",
            "message": "hello",
            "receivedAt": "1970-01-01T00:00:00.000Z",
        },
    }


def test_the_signature_is_over_body_and_time() -> None:
    # Made with: printf '{}1700000000' | openssl dgst -sha256 -hmac key
    assert request_bodies.signature("key", b"{}", "1700000000") == (
        "93800482ca289ca2ab5ad69bbb6a631e6a997ad0fb659f5edfb80f566fc07457"
    )
