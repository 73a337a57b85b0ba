import base64
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.inbox import Received, fingerprint_of
from phonegate.domain.reported_values import Kind
from phonegate.model.enrolments import SimCard
from phonegate.phones import frames
from phonegate.phones.smsgate.app_event import AppEvent, Messages, Mms, Started, read_event
from phonegate.phones.smsgate.mobile_message import app_message_id
from phonegate.phones.smsgate.state_report import StateReport

SMS = {
    "messageId": "9b0e1f22",
    "message": "hello",
    "sender": "+15553334444",
    "phoneNumber": "+15553334444",
    "recipient": "+15551112222",
    "simNumber": 2,
    "receivedAt": "2026-11-29T11:00:00.000+07:00",
}

MAIL = {
    "messageId": "77",
    "sender": "+15553334444",
    "subject": "Look",
    "body": "a cat",
    "attachments": [
        {
            "partId": 1,
            "contentType": "image/png",
            "name": "cat.png",
            "size": 3,
            "data": base64.b64encode(b"cat").decode(),
        },
        {"partId": 2, "contentType": "video/mp4", "name": None, "size": 9_000_000, "data": None},
    ],
    "receivedAt": "2026-11-29T04:00:01.000Z",
}


def event(name: str, payload: Any) -> AppEvent:
    cleaned: list[Kind] = []
    body = {"id": "e", "webhookId": "w", "event": name, "deviceId": "d", "payload": payload}
    return read_event(body, cleaned)


def sms(**other: Any) -> Received:
    read = event("sms:received", {**SMS, **other})
    assert isinstance(read, Messages)
    (received,) = read.received
    return received


def test_an_sms_is_read() -> None:
    received = sms()
    assert (received.address, received.body) == ("+15553334444", "hello")
    assert (received.sim_slot, received.sim) == (1, "+15551112222")
    assert received.date == 1_795_924_800_000


def test_the_same_sms_is_a_repeat_however_its_sim_is_named() -> None:
    assert fingerprint_of(sms(), "a") == fingerprint_of(sms(recipient=None, simNumber=None), "a")
    assert fingerprint_of(sms(), "a") != fingerprint_of(sms(), "b")


def test_the_same_text_at_another_time_is_another_sms() -> None:
    later = sms(receivedAt="2026-11-29T11:00:01.000+07:00")
    assert fingerprint_of(sms(), "a") != fingerprint_of(later, "a")


def test_an_sms_without_a_time_is_kept_each_time() -> None:
    received = sms(receivedAt="yesterday")
    assert received.date is None
    assert received.identity is None


def test_earlier_versions_call_the_sender_otherwise() -> None:
    payload = {name: value for name, value in SMS.items() if name != "sender"}
    read = event("sms:received", payload)
    assert isinstance(read, Messages)
    assert read.received[0].address == "+15553334444"


def test_a_data_sms_is_kept_as_the_app_writes_it() -> None:
    read = event("sms:data-received", {**SMS, "data": "AAEC"})
    assert isinstance(read, Messages)
    assert read.received[0].body == "AAEC"


def test_a_batch_is_several_sms() -> None:
    read = event("sms:batch:received", {"messages": [SMS, 5, SMS]})
    assert isinstance(read, Messages)
    assert len(read.received) == 2


def test_an_mms_has_its_text_and_its_parts() -> None:
    read = event("mms:downloaded", MAIL)
    assert isinstance(read, Mms)
    assert read.are_there
    (mail,) = read.received
    assert mail.body == "Look\na cat"
    assert [(part.content_type, part.name, part.data) for part in mail.parts] == [
        ("image/png", "cat.png", b"cat")
    ]
    assert mail.mms is not None


def test_an_announced_mms_is_not_there_yet() -> None:
    read = event("mms:received", {**MAIL, "messageId": "T1", "transactionId": "T1"})
    assert isinstance(read, Mms)
    assert not read.are_there
    assert read.received[0].body == "Look"


def test_results_say_what_snapshots_say() -> None:
    known = app_message_id(5, "+15553334444", "hi")
    about = {"messageId": known, "phoneNumber": "+15553334444"}
    sent = event("sms:sent", {**about, "partsCount": 2, "sentAt": "2026-11-29T04:00:00.000Z"})
    assert isinstance(sent, StateReport)
    assert sent.frames() == [frames.SendResult(id=5, success=True, segments=2)]
    delivered = event("sms:delivered", {**about, "deliveredAt": "2026-11-29T04:00:00.000Z"})
    assert isinstance(delivered, StateReport)
    assert delivered.frames()[-1] == frames.DeliveryReport(
        id=5, delivered=True, date=1_795_924_800_000
    )
    failed = event("sms:failed", {**about, "reason": "RESULT_NO_CREDIT"})
    assert isinstance(failed, StateReport)
    assert failed.frames() == [frames.SendResult(id=5, success=False, error="RESULT_NO_CREDIT")]
    cancelled = event("sms:cancelled", about)
    assert isinstance(cancelled, StateReport)
    assert cancelled.frames() == [frames.SendResult(id=5, success=False, error="cancelled")]


def test_a_ping_says_how_the_phone_is() -> None:
    checks = {
        "battery:level": {"observedValue": 83, "status": "pass"},
        "battery:charging": {"observedValue": 4},
        "connection:status": {"observedValue": 0},
        "connection:transport": {"observedValue": 4},
        "messages:failed": {"observedValue": 0},
    }
    assert event("system:ping", {"health": {"checks": checks}}) == frames.Status(
        battery=83, charging=True, network="wifi"
    )
    assert event("system:ping", {}) == frames.Status()


def test_the_app_shows_its_sim_cards_whole_when_it_starts() -> None:
    card = {"slotIndex": 1, "simNumber": 2, "phoneNumber": "+15551112222", "carrierName": "AT&T"}
    assert event("app:started", {"simCards": [card]}) == Started(
        (SimCard(slot=1, number="+15551112222", carrier="AT&T", traits=("number:2222",)),)
    )


def test_what_is_unknown_means_nothing() -> None:
    assert event("app:updated", {}) is None
    assert event("sms:received", None) is None
    assert read_event([], []) is None


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([])
)


@given(
    st.sampled_from(
        [
            "sms:received",
            "sms:data-received",
            "mms:received",
            "mms:downloaded",
            "sms:sent",
            "sms:failed",
            "system:ping",
            "app:started",
            "sms:batch:received",
        ]
    ),
    st.dictionaries(
        st.sampled_from([*SMS, *MAIL, "data", "health", "simCards", "messages"]), VALUES
    ),
)
def test_whatever_was_received_is_kept(name: str, payload: dict[str, Any]) -> None:
    read = event(name, payload)
    if isinstance(read, Messages | Mms) and "messages" not in payload:
        assert len(read.received) == 1
        attrs.asdict(read.received[0])
