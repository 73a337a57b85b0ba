import json
from typing import Any

import pytest

from phonegate.phone.smsgate.answers import (
    Pulled,
    read_messages,
    read_object,
    read_registration,
    read_webhooks,
)
from phonegate.phone.smsgate.app_errors import UnreadableAnswer
from phonegate.phone.smsgate.release import RELEASES

OLD, LATER = RELEASES["1.68"], RELEASES["later"]
MINIMAL = {"id": "m1", "textMessage": {"text": "hi"}, "phoneNumbers": ["+1"]}


def read(**fields: Any) -> Pulled:
    (message,) = read_messages(json.dumps([{**MINIMAL, **fields}]).encode(), OLD)
    return message


def test_a_whole_message_is_read() -> None:
    message = read(
        simNumber=2,
        withDeliveryReport=False,
        isEncrypted=False,
        validUntil="1970-01-01T00:00:01.000Z",
        scheduleAt="1970-01-01T00:00:00Z",
        priority=-128,
        state="Cancelling",
        createdAt="1970-01-01T00:00:00.000Z",
        unknown={"fields": ["are fine"]},
    )
    assert message == Pulled(
        id="m1",
        text="hi",
        phone_numbers=("+1",),
        sim_number=2,
        with_delivery_report=False,
        valid_until=1000,
        schedule_at=0,
        priority=-128,
        state="Cancelling",
    )


def test_what_is_left_out_has_the_apps_defaults() -> None:
    message = read(textMessage=None, message="old")
    assert (message.text, message.with_delivery_report, message.priority) == ("old", True, 0)
    assert message.state is None


def test_an_unknown_state_is_none_which_is_sent() -> None:
    assert read(state="Held").state is None


@pytest.mark.parametrize(
    "fields",
    [
        {"id": None},
        {"id": 5},
        {"phoneNumbers": []},
        {"phoneNumbers": "+1"},
        {"phoneNumbers": [1]},
        {"textMessage": "hi"},
        {"textMessage": {}},
        {"dataMessage": {"data": "AA"}},
        {"simNumber": "1"},
        {"simNumber": 1.5},
        {"simNumber": 2**31},
        {"simNumber": True},
        {"withDeliveryReport": "yes"},
        {"priority": 128},
        {"priority": -129},
        {"validUntil": 5},
        {"validUntil": "2026-01-01 00:00:00Z"},
        {"createdAt": "now"},
        {"state": 1},
    ],
)
def test_one_wrong_field_spoils_the_list(fields: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        read(**fields)


def test_only_later_versions_know_mms() -> None:
    mms = {"text": "look", "attachments": [{"contentType": "image/png", "data": "AAAA"}]}
    body = json.dumps([{"id": "m1", "phoneNumbers": ["+1"], "mmsMessage": mms}]).encode()
    assert read_messages(body, OLD)[0].mms is None
    assert read_messages(body, LATER)[0].mms == mms
    wrong = body.replace(b'"image/png"', b"5")
    assert read_messages(wrong, OLD)[0].mms is None
    with pytest.raises(UnreadableAnswer):
        read_messages(wrong, LATER)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1]", b"[", b"\xff"])
def test_other_lists_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_messages(body, OLD)


def test_webhooks_need_events_that_the_version_knows() -> None:
    hook = {"id": "1", "deviceId": None, "url": "http://h", "event": "sms:batch:received"}
    body = json.dumps([hook]).encode()
    assert read_webhooks(body, LATER)[0].event == "sms:batch:received"
    with pytest.raises(UnreadableAnswer, match="no event"):
        read_webhooks(body, OLD)


def test_registrations_and_objects() -> None:
    body = b'{"id":"a","token":"b","login":"c","password":"d"}'
    assert read_registration(body).token == "b"
    assert "b'" not in repr(read_registration(body))
    for wrong in (b'{"id":"a"}', b"[]"):
        with pytest.raises(UnreadableAnswer):
            read_registration(wrong)
    with pytest.raises(UnreadableAnswer, match="the settings"):
        read_object(b"[]", "the settings")
