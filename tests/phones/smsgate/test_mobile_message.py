import re

import attrs
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.bounds import MAX_ID
from phonegate.phones.frames import SendSms
from phonegate.phones.smsgate.mobile_message import (
    Attachment,
    app_message_id,
    message_number,
    mobile_message,
)

SMS = SendSms(id=5, to="+15553334444", body="hi", sim=None)

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
"""Three digits of a second: the app takes six for so many milliseconds."""


def test_a_message_is_of_the_form_that_the_app_reads() -> None:
    sms = attrs.evolve(SMS, sim_slot=1, expires_at=1_795_899_600_001, priority=7)
    assert mobile_message(sms, created_at=1_795_899_600_000) == {
        "id": app_message_id(5, "+15553334444", "hi"),
        "message": "hi",
        "textMessage": {"text": "hi"},
        "phoneNumbers": ["+15553334444"],
        "withDeliveryReport": True,
        "isEncrypted": False,
        "priority": 7,
        "state": "Pending",
        "createdAt": "2026-11-28T21:00:00.000Z",
        # Counted from 1, as the app does.
        "simNumber": 2,
        "validUntil": "2026-11-28T21:00:00.001Z",
    }


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 4_000_000_000_000), st.integers())
def test_no_value_keeps_a_list_from_being_read(created: int, expires: int, priority: int) -> None:
    sms = attrs.evolve(SMS, expires_at=expires, priority=priority)
    written = mobile_message(sms, created_at=created)
    assert ISO.fullmatch(written["createdAt"])
    assert ISO.fullmatch(written["validUntil"])
    assert -128 <= written["priority"] <= 127
    assert None not in written.values()


@given(st.integers(1, MAX_ID), st.text(max_size=20), st.text(max_size=50))
def test_an_id_stands_for_one_text(number: int, to: str, body: str) -> None:
    known = app_message_id(number, to, body)
    assert len(known) <= 36
    assert message_number(known) == number
    assert known != app_message_id(number, to, f"{body}.")
    assert known != app_message_id(number, f"{to}.", body)
    assert known != app_message_id(number, to, body, ["https://a.example/a.png"])
    assert known == app_message_id(number, to, body, ())


def test_an_id_of_another_server_is_none_of_ours() -> None:
    for other in (
        None,
        5,
        "5",
        "",
        "V1StGXR8Z5jdHi6BmyTaa",
        f"{MAX_ID + 1}-0123456789ab",
        "0-" + "0" * 12,
    ):
        assert message_number(other) is None


def test_an_mms_holds_its_media_and_no_text_beside_it() -> None:
    sms = attrs.evolve(SMS, media_urls=("https://a.example/a.png",))
    picture = Attachment(content_type="image/png", name="a.png", data=b"picture")
    written = mobile_message(sms, created_at=0, attachments=[picture])
    attachment = {"contentType": "image/png", "name": "a.png", "data": "cGljdHVyZQ=="}
    assert written["mmsMessage"] == {"text": "hi", "attachments": [attachment]}
    # The app would send these and not the MMS.
    assert not {"textMessage", "message", "dataMessage"} & written.keys()
    silent = mobile_message(attrs.evolve(sms, body=""), created_at=0, attachments=[picture])
    assert silent["mmsMessage"] == {"attachments": [attachment]}
