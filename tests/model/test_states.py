"""The transition table, by example and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model import states
from phonegate.model.states import Event, advance

FURTHEST = {
    states.QUEUED: 0,
    states.SENDING: 1,
    states.UNCERTAIN: 2,
    states.CANCELLED: 3,
    states.SENT: 4,
    states.FAILED: 5,
    states.EXPIRED: 5,
    states.DELIVERED: 6,
}
"""How far a state is from the start; the same figure for ends that exclude each other."""

events = st.sampled_from(Event)


def after(*happened: Event) -> str:
    status = states.QUEUED
    for event in happened:
        status = advance(status, event) or status
    return status


@pytest.mark.parametrize(
    ("happened", "status"),
    [
        ((), states.QUEUED),
        ((Event.PUSHED,), states.SENDING),
        ((Event.PUSHED, Event.RADIOED), states.SENT),
        ((Event.PUSHED, Event.RADIOED, Event.DELIVERED), states.DELIVERED),
        ((Event.PUSHED, Event.DELIVERED, Event.RADIOED), states.DELIVERED),
        ((Event.PUSHED, Event.REFUSED), states.FAILED),
        ((Event.PUSHED, Event.REFUSED, Event.RADIOED), states.FAILED),
        ((Event.PUSHED, Event.LOST_TRACK), states.UNCERTAIN),
        ((Event.PUSHED, Event.LOST_TRACK, Event.RADIOED), states.SENT),
        ((Event.PUSHED, Event.LOST_TRACK, Event.REFUSED), states.FAILED),
        ((Event.PUSHED, Event.OUT_OF_TIME), states.UNCERTAIN),
        ((Event.OUT_OF_TIME,), states.EXPIRED),
        ((Event.WITHDRAWN,), states.CANCELLED),
        ((Event.PUSHED, Event.WITHDRAWN), states.SENDING),
        ((Event.PUSHED, Event.DROPPED), states.CANCELLED),
        ((Event.PUSHED, Event.RADIOED, Event.LOST_TRACK), states.SENT),
        ((Event.PUSHED, Event.RADIOED, Event.UNDELIVERED), states.FAILED),
        ((Event.PUSHED, Event.RADIOED, Event.UNDELIVERED, Event.DELIVERED), states.DELIVERED),
        ((Event.PUSHED, Event.UNDELIVERED, Event.RADIOED), states.FAILED),
        ((Event.PUSHED, Event.RADIOED, Event.DELIVERED, Event.UNDELIVERED), states.DELIVERED),
        ((Event.PUSHED, Event.RECALLED), states.CANCELLED),
        ((Event.PUSHED, Event.RECALLED, Event.REFUSED), states.CANCELLED),
        ((Event.PUSHED, Event.RECALLED, Event.RADIOED), states.SENT),
        ((Event.RECALLED,), states.QUEUED),
        ((Event.RADIOED,), states.QUEUED),
    ],
)
def test_known_lives(happened: tuple[Event, ...], status: str) -> None:
    assert after(*happened) == status


@given(st.lists(events))
def test_no_order_of_events_leads_backwards(happened: list[Event]) -> None:
    status = states.QUEUED
    for event in happened:
        following = advance(status, event)
        if following is not None:
            assert FURTHEST[following] > FURTHEST[status]
            status = following


@given(st.lists(events), events)
def test_a_repeated_event_changes_nothing(happened: list[Event], event: Event) -> None:
    once = after(*happened, event)
    assert after(*happened, event, event) == once


@given(st.lists(events))
def test_only_proof_that_it_left_changes_a_final_state(happened: list[Event]) -> None:
    status = states.QUEUED
    for event in happened:
        if status in states.FINAL_STATES and advance(status, event) is not None:
            assert event in {Event.RADIOED, Event.DELIVERED}
        status = advance(status, event) or status


@given(st.lists(events))
def test_only_a_pushed_message_can_be_anywhere_but_waiting_or_withdrawn(
    happened: list[Event],
) -> None:
    # Proof that it left is proof that it was pushed.
    if not {Event.PUSHED, Event.RADIOED, Event.DELIVERED} & set(happened):
        assert after(*happened) in {states.QUEUED, states.EXPIRED, states.CANCELLED}


def test_inbound_never_changes() -> None:
    assert all(advance(states.RECEIVED, event) is None for event in Event)


@pytest.mark.parametrize(
    ("told", "at"),
    [(None, 200), (150, 150), (99, 100), (5, 100), (0, 200), (201, 200), (10**15, 200)],
)
def test_a_message_is_delivered_between_its_sending_and_the_report(
    told: int | None, at: int
) -> None:
    assert states.delivered_at(told, sent_at=100, now=200) == at


def test_a_message_that_a_carrier_sent_later_is_delivered_then() -> None:
    assert states.delivered_at(None, sent_at=300, now=200) == 300
