import json
from typing import Any, get_args
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.events.webhooks.shapes import flat, has_form, twilio_fields, write
from phonegate.model.events import EVENT_TYPES
from phonegate.model.twilio_ids import message_sid
from phonegate.model.webhooks import Shape
from tests.events.webhooks.rendered import event


def test_standard_is_the_event_itself() -> None:
    written = write("standard", event(), 1)
    assert written.content_type == "application/json"
    assert json.loads(written.body) == event()
    assert "😀".encode() in written.body


def test_flat_has_the_keys_of_automation_tools() -> None:
    found = json.loads(write("flat", event(media_urls=["http://g/1", "http://g/2"]), 1).body)
    assert found["event"] == "message.received"
    assert (found["from"], found["to"]) == ("+15553334444", "+15551112222")
    assert (found["text"], found["status"], found["id"]) == ("Grüße & 😀", "received", 5)
    assert found["media_urls"] == "http://g/1 http://g/2"
    sent = flat(event("message.sent"))
    assert (sent["from"], sent["to"]) == ("+15551112222", "+15553334444")


def test_flat_of_other_events_has_one_level() -> None:
    shown = {
        "id": 9,
        "type": "phone.sims",
        "created_at": "x",
        "data": {
            "phone": {
                "id": 3,
                "name": "Desk",
                "online": True,
                "sims": [{"slot": 0, "number": "+1555"}, {"slot": 1, "number": None}],
                "health": {"battery": 80},
            }
        },
    }
    assert flat(shown) == {
        "event": "phone.sims",
        "event_id": 9,
        "created_at": "x",
        "phone_id": 3,
        "phone_name": "Desk",
        "phone_online": True,
        "phone_sims": "+1555, 1",
        "phone_health_battery": 80,
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["phone", "alarm", "webhook"]), _JSON))
def test_flat_never_nests(data: dict[str, Any]) -> None:
    shown = {"id": 9, "type": "alarm.raised", "created_at": "x", "data": data}
    assert not any(isinstance(value, dict | list) for value in flat(shown).values())
    json.loads(write("flat", shown, 1).body)


def test_a_received_message_is_twilios_form() -> None:
    found = dict(twilio_fields(event(media_urls=["http://g/1", "http://g/2"]), 3, ["image/png"]))
    sid = message_sid(5)
    assert len(sid) == 34
    assert found == {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": "AC" + "0" * 31 + "3",
        "ApiVersion": "2010-04-01",
        "SmsStatus": "received",
        "From": "+15553334444",
        "To": "+15551112222",
        "Body": "Grüße & 😀",
        "NumSegments": "1",
        "NumMedia": "2",
        "MediaUrl0": "http://g/1",
        "MediaContentType0": "image/png",
        "MediaUrl1": "http://g/2",
        # It is a carrier's, which says so when it is fetched.
        "MediaContentType1": "application/octet-stream",
    }
    assert "MediaContentType0" not in dict(twilio_fields(event(), 3, ["image/png"]))


def test_a_form_is_written_as_web_forms_are() -> None:
    written = write("twilio", event(), 3)
    assert written.content_type == "application/x-www-form-urlencoded"
    read = {name: value for name, (value,) in parse_qs(written.body.decode()).items()}
    assert read == dict(written.fields)


@pytest.mark.parametrize(
    ("kind", "word", "code"),
    [
        ("message.queued", "queued", None),
        ("message.sent", "sent", None),
        ("message.delivered", "delivered", None),
        ("message.failed", "failed", "30008"),
        ("message.expired", "failed", "30036"),
        ("message.cancelled", "canceled", None),
    ],
)
def test_a_state_is_twilios_status_callback(kind: str, word: str, code: str | None) -> None:
    found = dict(write("twilio", event(kind), 3).fields)
    assert (found["MessageStatus"], found["SmsStatus"]) == (word, word)
    assert (found["From"], found["To"]) == ("+15551112222", "+15553334444")
    assert found.get("ErrorCode") == code


def test_what_failed_after_it_was_sent_is_undelivered() -> None:
    found = dict(write("twilio", event("message.failed", sent_at="x"), 3).fields)
    assert (found["MessageStatus"], found["ErrorCode"]) == ("undelivered", "30008")


def test_what_twilio_has_no_form_for_is_known_before() -> None:
    for kind in EVENT_TYPES:
        for shape in set(get_args(Shape)) - {"smsgate"}:  # which has a module of its own
            shown = event(kind) if kind.startswith("message.") else {**event(), "data": {}}
            shown["type"] = kind
            if has_form(shape, kind):
                write(shape, shown, 1)
            else:
                assert shape == "twilio"
                with pytest.raises(ValueError, match="no form"):
                    write(shape, shown, 1)
    assert not has_form("twilio", "message.held")
    assert not has_form("twilio", "message.uncertain")
    assert not has_form("twilio", "phone.online")
