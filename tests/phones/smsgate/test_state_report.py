from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.states import SENDING, Cause, advance
from phonegate.phones import frames
from phonegate.phones.frames import PhoneFrame
from phonegate.phones.smsgate.mobile_message import app_message_id
from phonegate.phones.smsgate.pull_list import PullList
from phonegate.phones.smsgate.state_report import APP_STATES, StateReport, read_reports
from phonegate.phones.window import Window

TO = "+15553334444"
ID = app_message_id(5, TO, "hi")
SMS = frames.SendSms(id=5, to=TO, body="hi", sim=None)

LIVES = (
    ("Pending", "Processed", "Sent", "Delivered"),
    ("Pending", "Processed", "Delivered"),
    ("Pending", "Processed", "Sent", "Failed"),
    ("Pending", "Processed", "Failed"),
    ("Pending", "Cancelling", "Cancelled"),
    ("Pending", "Failed"),
)
"""The ways that a message goes in the app. On some phones it is delivered and was never sent."""

ENDS = {"Delivered": "delivered", "Failed": "failed", "Cancelled": "cancelled", "Sent": "sent"}


def snapshot(life: Sequence[str], error: str | None = None) -> dict[str, Any]:
    """What the app reports once it has come so far in a life."""
    recipient: dict[str, Any] = {"phoneNumber": TO, "state": life[-1]}
    if error is not None:
        recipient["error"] = error
    return {
        "id": ID,
        "state": life[-1],
        "recipients": [recipient],
        "states": {state: f"2026-11-29T04:00:0{at}.000Z" for at, state in enumerate(life)},
    }


def read(item: object) -> StateReport:
    (report,) = read_reports([item])
    return report


def cause_of(frame: PhoneFrame) -> Cause | None:
    match frame:
        case frames.SendResult(success=True):
            return Cause.RADIOED
        case frames.SendResult(error="cancelled"):
            return Cause.DROPPED
        case frames.SendResult():
            return Cause.REFUSED
        case frames.DeliveryReport(delivered=delivered):
            return Cause.DELIVERED if delivered else Cause.UNDELIVERED
    return None


def status_after(reports: Sequence[StateReport], status: str = SENDING) -> list[str]:
    """The states that a message goes through, by the one table of states."""
    gone = [status]
    for report in reports:
        for frame in report.frames():
            cause = cause_of(frame)
            gone.append((cause and advance(gone[-1], cause)) or gone[-1])
    return gone


@pytest.mark.parametrize("life", LIVES, ids="-".join)
def test_a_life_ends_as_the_app_says(life: Sequence[str]) -> None:
    reports = [read(snapshot(life[: at + 1])) for at in range(len(life))]
    assert status_after(reports)[-1] == ENDS[life[-1]]


def test_what_the_app_has_and_not_sent_is_acknowledged() -> None:
    for state in ("Pending", "Processed", "Cancelling", "NoSuchState", None, 5):
        assert read({"id": ID, "state": state}).frames() == [frames.Ack(id=5)]


def test_a_failure_has_its_reason() -> None:
    report = read(snapshot(("Pending", "Failed"), "RESULT_ERROR_NO_SERVICE"))
    assert report.frames() == [
        frames.SendResult(id=5, success=False, error="RESULT_ERROR_NO_SERVICE")
    ]


def test_a_delivery_counts_as_sent_and_has_its_time() -> None:
    report = read(snapshot(("Pending", "Processed", "Delivered")))
    assert report.frames() == [
        frames.SendResult(id=5, success=True),
        frames.DeliveryReport(id=5, delivered=True, date=1_795_924_802_000),
    ]


def test_a_recipient_may_be_further_than_its_message() -> None:
    item = snapshot(("Pending", "Processed"))
    item["recipients"][0]["state"] = "Delivered"
    assert status_after([read(item)])[-1] == "delivered"


@given(st.sampled_from(LIVES), st.data())
def test_snapshots_in_any_order_end_as_the_furthest_and_never_go_back(
    life: Sequence[str], data: st.DataObject
) -> None:
    snapshots = [read(snapshot(life[: at + 1])) for at in range(len(life))]
    some = data.draw(st.lists(st.sampled_from(snapshots), max_size=8))
    order = data.draw(st.permutations([*snapshots, *some]))
    gone = status_after(order)
    assert gone[-1] == ENDS[life[-1]]
    ranks = ("sending", "sent", "cancelled", "failed", "delivered")
    places = [ranks.index(status) for status in gone]
    assert places == sorted(places)


@given(st.lists(st.sampled_from(["pull", *APP_STATES]), max_size=12))
def test_what_was_reported_on_is_never_listed_again(steps: Sequence[str]) -> None:
    window, listed = Window(4, now=0), PullList()
    window.reserve()
    assert window.push(5)
    listed.put(SMS, 0)
    reported = False
    for step in steps:
        if step == "pull":
            answer, _ = listed.pull(window.in_flight, now=0, knows_cancelling=True)
            assert [one["id"] for one in answer] == ([] if reported else [ID])
        else:
            reported = True
            for frame in read({"id": ID, "state": step}).frames():
                assert isinstance(frame, frames.Ack | frames.SendResult | frames.DeliveryReport)
                window.answer(frame.id)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "state", "recipients", "states", "error"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_comes_is_read(value: object) -> None:
    for report in read_reports(value):
        report.frames()
    for report in read_reports([{"id": ID, "state": value, "recipients": value, "states": value}]):
        assert report.frames()
