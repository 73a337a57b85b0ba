"""Which changes of messages a follower shows."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli.following import MOST_REMEMBERED, Following, same_state, spans
from phonegate.model.bounds import MAX_PAGE
from tests.cli.stub import changed, event, message

LIFE = ("queued", "sending", "sent", "delivered")


def state(number: int, status: str, **fields: Any) -> dict[str, Any]:
    own = {"direction": "out", "waiting_for": None, **fields}
    return message(number, status=status, **own)


def shown(found: list[Any]) -> list[tuple[int, str]]:
    return [(one["id"], one["status"]) for one in found]


def test_what_happens_is_shown_in_its_order() -> None:
    following = Following()
    events = [changed(1, "queued", 5), changed(2, "received", 6), changed(3, "sending", 5)]
    assert shown(following.news(events)) == [(5, "queued"), (6, "received"), (5, "sending")]
    assert following.last == 6


def test_what_is_on_the_screen_already_is_shown_when_it_changes() -> None:
    following = Following()
    following.shown([state(5, "sending"), state(6, "failed")])
    following.read(12)
    events = [
        *(changed(9, "queued", 5), changed(10, "sending", 5), changed(11, "failed", 6)),
        *(changed(12, "sent", 5), changed(13, "delivered", 6)),
    ]
    assert shown(following.news(events)) == [(5, "sent"), (6, "delivered")]


def test_what_was_approved_is_shown() -> None:
    held = {"waiting_for": "approval"}
    following = Following()
    following.shown([state(5, "queued", **held)])
    following.read(9)
    again = {**changed(2, "queued", 5, **held), "type": "message.held"}
    assert shown(following.news([again])) == []
    assert shown(following.news([changed(3, "queued", 5)])) == [(5, "queued")]
    following.shown([state(6, "queued")])
    assert shown(following.news([changed(4, "queued", 6, **held)])) == []
    assert not same_state(state(5, "queued"), state(5, "queued", **held))


def test_what_comes_after_the_pages_is_always_shown() -> None:
    following = Following()
    following.shown([state(5, "received")])
    following.read(9)
    # The pictures of an MMS that was announced before.
    assert shown(following.news([changed(9, "received", 5)])) == []
    assert shown(following.news([changed(10, "received", 5)])) == [(5, "received")]


def test_events_of_other_kinds_are_passed_over() -> None:
    assert Following().news([event(1, "phone.online", phone={"id": 1}), event(2, "new")]) == []


def test_what_is_remembered_is_bounded() -> None:
    following = Following()
    following.shown(state(number, "sent") for number in range(MOST_REMEMBERED + 1))
    following.read(9)
    assert shown(following.news([changed(1, "sent", 0), changed(2, "sent", 1)])) == [(0, "sent")]


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_each_change_is_shown_once_whenever_the_page_is_read(
    asked: int, read: int, checked: int
) -> None:
    asked, read, checked = sorted((asked, read, checked))
    # The event with the id n brings the state n of its life.
    following = Following()
    following.shown([state(5, LIFE[read])])
    following.read(checked)
    events = [changed(number, LIFE[number], 5) for number in range(asked + 1, 4)]
    assert [one["status"] for one in following.news(events)] == list(LIFE[read + 1 :])


@given(st.sets(st.integers(1, 5 * MAX_PAGE), max_size=30))
def test_spans_hold_every_id_and_fit_a_page(numbers: set[int]) -> None:
    found = list(spans(numbers))
    assert all(any(first <= number <= last for first, last in found) for number in numbers)
    assert all(last - first < MAX_PAGE for first, last in found)
    assert all(last < first for (_, last), (first, _) in pairwise(found))
