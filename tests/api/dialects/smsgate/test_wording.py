"""What clients are answered, read by the one for Python."""

from typing import Any

import pytest
from android_sms_gateway import domain
from android_sms_gateway.enums import ProcessState
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.smsgate.forms import STATES
from phonegate.api.dialects.smsgate.wording import (
    STATE_WORDS,
    encoded,
    message,
    state_of,
    statuses_of,
    webhook,
)
from phonegate.model.messages import MessageView
from phonegate.model.states import OUTBOUND_STATES
from tests.events.webhooks import test_smsgate_shape as shape

AT = 1_800_000_000_000


def view(id_: int, to: str, status: str, **fields: Any) -> MessageView:
    shown: dict[str, Any] = {
        **dict.fromkeys(MessageView._fields),
        "id": id_,
        "direction": "out",
        "address": to,
        "body": "Hello",
        "status": status,
        "created_at": AT,
        "sim_selector": "",
        "provider": "phone",
        "parts": 0,
        **fields,
    }
    return MessageView(**shown)


def test_every_status_has_a_state_that_clients_know() -> None:
    assert set(STATE_WORDS) == set(OUTBOUND_STATES)
    assert set(STATE_WORDS.values()) < {one.value for one in ProcessState} == set(STATES)
    assert {status for state in STATES for status in statuses_of(state)} == {
        *OUTBOUND_STATES,
        "none",
    }


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        (["Sent", "Pending", "Failed"], "Pending"),
        (["Sent", "Processed"], "Processed"),
        (["Sent", "Cancelled", "Processed"], "Cancelled"),
        (["Sent", "Failed"], "Sent"),
        (["Delivered", "Failed"], "Sent"),
        (["Delivered", "Delivered"], "Delivered"),
        (["Failed", "Failed"], "Failed"),
    ],
)
def test_the_state_of_a_message_is_the_apps(states: list[str], whole: str) -> None:
    assert state_of(states) == whole


def test_a_copy_counts_for_what_it_replaces() -> None:
    lost = view(5, "+1555", "uncertain", client_id="m", error="its phone is gone")
    copy = view(6, "+1555", "delivered", client_id="m", delivered_at=AT + 1)
    found = message([lost, copy], content=False)
    assert found["recipients"] == [{"phoneNumber": "+1555", "state": "Delivered"}]
    assert (found["id"], found["state"]) == ("m", "Delivered")


@given(
    st.lists(
        st.tuples(st.sampled_from(["+1555", "+1666"]), st.sampled_from(OUTBOUND_STATES), st.text()),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_the_client_reads_every_message(found: list[tuple[str, str, str]], content: Any) -> None:
    group = [
        view(at, to, status, error=error, sent_at=AT if status == "sent" else None)
        for at, (to, status, error) in enumerate(found, 1)
    ]
    shown = message(group, content=content)
    read = domain.MessageState.from_dict(shown)
    assert {one.phone_number for one in read.recipients} == {to for to, _, _ in found}
    assert read.created_at is not None
    assert encoded(shown)


def test_a_webhook_of_several_events_is_shown_by_one_that_it_has() -> None:
    made = webhook(shape.webhook(events=("message.sent", "message.received"), client_event=None))
    assert domain.Webhook.from_dict(made).event.value == "sms:received"
    made = webhook(shape.webhook("sms:cancelled", client_id="x", phone=3))
    assert made == {
        "id": "x",
        "url": "http://receiver.lan/hook",
        "event": "sms:cancelled",
        "deviceId": "3",
    }
