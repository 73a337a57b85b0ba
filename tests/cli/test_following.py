"""Which messages a follower shows, and what it looks at again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli.following import LOOK, MOST_WATCHED, SENT_S, Following
from phonegate.model.bounds import MAX_PAGE

Messages = dict[int, dict[str, Any]]
NEXT = {"queued": "sending", "sending": "sent", "sent": "delivered", "delivered": "delivered"}


def out(number: int, status: str = "queued") -> dict[str, Any]:
    return {"id": number, "direction": "out", "status": status}


def page(stored: Messages, after: int, limit: int) -> list[dict[str, Any]]:
    """As the gateway answers: copies, the first `limit` after an id."""
    return [dict(stored[number]) for number in sorted(stored) if number > after][:limit]


def look(follower: Following, stored: Messages, now: float = 0.0) -> list[tuple[int, str]]:
    after = follower.next_poll(now)
    if after is None:
        return []
    shown = follower.changed(after, page(stored, after, LOOK), now)
    return [(message["id"], message["status"]) for message in shown]


def test_a_message_is_shown_as_it_comes_and_at_each_change() -> None:
    follower = Following(0)
    stored = {5: out(5), 6: {"id": 6, "direction": "in", "status": "received"}}
    assert [m["id"] for m in follower.take(page(stored, 0, 10), 0)] == [5, 6]
    assert follower.last == 6
    assert look(follower, stored) == []
    for status in ("sending", "sent", "delivered"):
        stored[5]["status"] = status
        assert look(follower, stored) == [(5, status)]
        assert look(follower, stored) == []
    assert follower.next_poll(0) is None


def test_what_is_on_the_screen_already_is_shown_when_it_changes() -> None:
    follower = Following(9)
    follower.seen([out(9, "sending"), out(10, "failed")], 0)
    assert look(follower, {9: out(9, "uncertain")}) == [(9, "uncertain")]
    assert look(follower, {9: out(9, "sent")}) == [(9, "sent")]


def test_a_state_that_is_wanted_is_shown_when_it_is_reached() -> None:
    follower = Following(0, lambda message: message["status"] == "failed")
    assert follower.take([out(1), out(2, "failed")], 0) == [out(2, "failed")]
    assert look(follower, {1: out(1, "sending"), 2: out(2, "failed")}) == []
    assert look(follower, {1: out(1, "failed"), 2: out(2, "failed")}) == [(1, "failed")]


def test_what_was_deleted_is_looked_at_no_longer() -> None:
    follower = Following(0)
    follower.take([out(1), out(2)], 0)
    assert look(follower, {2: out(2)}) == []
    assert follower.next_poll(0) == 1
    assert look(follower, {}) == []
    assert follower.next_poll(0) is None


def test_one_that_nobody_confirms_is_given_up() -> None:
    follower = Following(0)
    follower.take([out(1, "sent"), out(2, "queued")], 0.0)
    assert follower.next_poll(SENT_S) == 0
    assert follower.next_poll(SENT_S + 1) == 1


def test_what_is_watched_is_bounded() -> None:
    follower = Following(0)
    for first in range(1, 3 * MOST_WATCHED, MAX_PAGE):
        follower.take([out(number) for number in range(first, first + MAX_PAGE)], 0)
    assert follower.next_poll(0) == follower.last - MOST_WATCHED


@given(
    st.sets(st.integers(1, 900), min_size=1, max_size=60),
    st.integers(1, 7),
    st.lists(st.integers(0, 59), max_size=80),
)
def test_every_last_state_is_shown_within_a_round(
    numbers: set[int], look_size: int, steps: list[int]
) -> None:
    stored = {number: out(number) for number in numbers}
    follower = Following(0, look=look_size)
    shown = {m["id"]: m["status"] for m in follower.take(page(stored, 0, 1000), 0)}
    ids = sorted(stored)
    for step in steps:
        message = stored[ids[step % len(ids)]]
        message["status"] = NEXT[message["status"]]
        after = follower.next_poll(0)
        if after is not None:
            for m in follower.changed(after, page(stored, after, look_size), 0):
                assert shown[m["id"]] != m["status"]
                shown[m["id"]] = m["status"]
    # One round under way, and a whole one.
    for _ in range(2 * (len(ids) // look_size + 1)):
        after = follower.next_poll(0)
        if after is not None:
            found = follower.changed(after, page(stored, after, look_size), 0)
            shown |= {m["id"]: m["status"] for m in found}
    assert shown == {number: message["status"] for number, message in stored.items()}
