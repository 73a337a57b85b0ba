"""The transition table, by example and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model import states
from phonegate.model.states import Cause, advance

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

causes = st.sampled_from(Cause)


def after(*happened: Cause) -> str:
    status = states.QUEUED
    for cause in happened:
        status = advance(status, cause) or status
    return status


@pytest.mark.parametrize(
    ("happened", "status"),
    [
        ((), states.QUEUED),
        ((Cause.PUSHED,), states.SENDING),
        ((Cause.PUSHED, Cause.RADIOED), states.SENT),
        ((Cause.PUSHED, Cause.RADIOED, Cause.DELIVERED), states.DELIVERED),
        ((Cause.PUSHED, Cause.DELIVERED, Cause.RADIOED), states.DELIVERED),
        ((Cause.PUSHED, Cause.REFUSED), states.FAILED),
        ((Cause.PUSHED, Cause.REFUSED, Cause.RADIOED), states.FAILED),
        ((Cause.PUSHED, Cause.LOST_TRACK), states.UNCERTAIN),
        ((Cause.PUSHED, Cause.LOST_TRACK, Cause.RADIOED), states.SENT),
        ((Cause.PUSHED, Cause.LOST_TRACK, Cause.REFUSED), states.FAILED),
        ((Cause.PUSHED, Cause.OUT_OF_TIME), states.UNCERTAIN),
        ((Cause.OUT_OF_TIME,), states.EXPIRED),
        ((Cause.WITHDRAWN,), states.CANCELLED),
        ((Cause.PUSHED, Cause.WITHDRAWN), states.SENDING),
        ((Cause.PUSHED, Cause.DROPPED), states.CANCELLED),
        ((Cause.PUSHED, Cause.RADIOED, Cause.LOST_TRACK), states.SENT),
        ((Cause.PUSHED, Cause.RADIOED, Cause.UNDELIVERED), states.FAILED),
        ((Cause.PUSHED, Cause.RADIOED, Cause.UNDELIVERED, Cause.DELIVERED), states.DELIVERED),
        ((Cause.PUSHED, Cause.UNDELIVERED, Cause.RADIOED), states.FAILED),
        ((Cause.PUSHED, Cause.RADIOED, Cause.DELIVERED, Cause.UNDELIVERED), states.DELIVERED),
        ((Cause.PUSHED, Cause.RECALLED), states.CANCELLED),
        ((Cause.PUSHED, Cause.RECALLED, Cause.REFUSED), states.CANCELLED),
        ((Cause.PUSHED, Cause.RECALLED, Cause.RADIOED), states.SENT),
        ((Cause.RECALLED,), states.QUEUED),
        ((Cause.RADIOED,), states.QUEUED),
    ],
)
def test_known_lives(happened: tuple[Cause, ...], status: str) -> None:
    assert after(*happened) == status


@given(st.lists(causes))
def test_no_order_of_causes_leads_backwards(happened: list[Cause]) -> None:
    status = states.QUEUED
    for cause in happened:
        following = advance(status, cause)
        if following is not None:
            assert FURTHEST[following] > FURTHEST[status]
            status = following


@given(st.lists(causes), causes)
def test_a_repeated_cause_changes_nothing(happened: list[Cause], cause: Cause) -> None:
    once = after(*happened, cause)
    assert after(*happened, cause, cause) == once


@given(st.lists(causes))
def test_only_proof_that_it_left_changes_a_final_state(happened: list[Cause]) -> None:
    status = states.QUEUED
    for cause in happened:
        if status in states.FINAL_STATES and advance(status, cause) is not None:
            assert cause in {Cause.RADIOED, Cause.DELIVERED}
        status = advance(status, cause) or status


@given(st.lists(causes))
def test_only_a_pushed_message_can_be_anywhere_but_waiting_or_withdrawn(
    happened: list[Cause],
) -> None:
    # Proof that it left is proof that it was pushed.
    if not {Cause.PUSHED, Cause.RADIOED, Cause.DELIVERED} & set(happened):
        assert after(*happened) in {states.QUEUED, states.EXPIRED, states.CANCELLED}


def test_inbound_never_changes() -> None:
    assert all(advance(states.RECEIVED, cause) is None for cause in Cause)


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


@given(st.lists(causes, max_size=6))
def test_a_message_may_become_what_it_becomes_and_never_again_what_it_was(
    happened: list[Cause],
) -> None:
    seen = list(dict.fromkeys(after(*happened[:count]) for count in range(len(happened) + 1)))
    for at, status in enumerate(seen):
        assert all(states.may_become(status, later) for later in seen[at + 1 :])
        assert not any(states.may_become(status, earlier) for earlier in seen[: at + 1])


def test_ends_that_exclude_each_other_become_each_other_never() -> None:
    assert not states.may_become(states.EXPIRED, states.FAILED)
    assert not states.may_become(states.RECEIVED, states.SENT)
