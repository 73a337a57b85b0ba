"""What a target is sent: once a quarter of an hour, and the end of whatever it heard of."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.alarms import News
from phonegate.operations.notices.digest import QUARTER_S, STALE_S, Digest, Due, worded

AWAY = ("phone_away", "club")
KEYS = [AWAY, ("phone_away", "other"), ("disk_low", "")]
FIELDS = {"org": "club", "messages": 3}


def news(begins: bool, key: Any = AWAY) -> News:  # noqa: FBT001 - it is the news
    return News(key, begins, FIELDS, "club", since=100.0, lasted_s=0.0 if begins else 30.0)


def drained(digest: Digest, now: float) -> list[tuple[bool, int]]:
    """Delivers all that is due: whether each says that it is on, and how often it has begun."""
    found = []
    for due in digest.due(now):
        digest.delivered(due, now)
        found.append((due.on, due.begun))
    return found


def test_a_beginning_and_its_end_are_sent_at_once() -> None:
    digest = Digest()
    digest.take(news(True), 0)
    assert drained(digest, 0) == [(True, 1)]
    assert drained(digest, 1) == []
    digest.take(news(False), 60)
    assert drained(digest, 60) == [(False, 0)]
    assert drained(digest, 10_000) == []
    assert len(digest) == 0, "what is over and sent is forgotten"


def test_what_comes_and_goes_is_summed_up_after_a_quarter_of_an_hour() -> None:
    digest = Digest()
    digest.take(news(True), 0)
    drained(digest, 0)
    digest.take(news(False), 60)
    drained(digest, 60)
    for at in (120, 240, 360):
        digest.take(news(True), at)
        assert drained(digest, at) == []
        digest.take(news(False), at + 60)
        assert drained(digest, at + 60) == []
    digest.take(news(True), 480)
    assert digest.due(QUARTER_S - 1) == []
    assert digest.next_at(480) == QUARTER_S
    assert drained(digest, QUARTER_S) == [(True, 4)]
    digest.take(news(False), QUARTER_S + 5)
    assert drained(digest, QUARTER_S + 5) == [(False, 0)]


def test_what_came_and_went_meanwhile_is_sent_as_over() -> None:
    digest = Digest()
    digest.take(news(True), 0)
    drained(digest, 0)
    digest.take(news(False), 1)
    drained(digest, 1)
    digest.take(news(True), 2)
    digest.take(news(False), 3)
    assert drained(digest, QUARTER_S) == [(False, 1)]
    assert digest.next_at(QUARTER_S) is None


def test_an_end_that_comes_while_its_beginning_is_sent_is_not_lost() -> None:
    digest = Digest()
    digest.take(news(True), 0)
    (due,) = digest.due(0)
    digest.take(news(False), 5)
    digest.delivered(due, 6)
    assert drained(digest, 6) == [(False, 0)]


def test_what_could_not_be_delivered_for_a_day_is_no_news_any_more() -> None:
    digest = Digest()
    digest.take(news(True), 0)
    digest.take(news(False), 10)
    assert len(digest.due(STALE_S)) == 1
    assert digest.due(STALE_S + 11) == []
    # One that is still on is.
    digest.take(news(True), STALE_S + 20)
    assert len(digest.due(3 * STALE_S)) == 1


def test_more_kinds_than_fit_are_counted() -> None:
    digest = Digest(most=2)
    for key in KEYS:
        digest.take(news(True, key), 0)
    assert (len(digest), digest.lost) == (2, 1)
    for due in digest.due(0):
        digest.delivered(due, 0)
    for key in KEYS:
        digest.take(news(False, key), 1)
    for due in digest.due(1):
        digest.delivered(due, 1)
    digest.take(news(True, KEYS[2]), QUARTER_S)
    assert (len(digest), digest.lost) == (1, 1)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[float, Any, bool | None]]:
    """Alarms that turn over at some times. With None, what is due is delivered."""
    at, on = 0.0, dict.fromkeys(KEYS, False)
    story: list[tuple[float, Any, bool | None]] = []
    for _ in range(draw(st.integers(0, 60))):
        at += draw(st.sampled_from([0.0, 1.0, 30.0, 200.0, QUARTER_S]))
        if draw(st.booleans()):
            story.append((at, None, None))
        else:
            key = draw(st.sampled_from(KEYS))
            on[key] = not on[key]
            story.append((at, key, on[key]))
    return story


@given(stories())
def test_begins_are_a_quarter_apart_and_everything_is_sent_in_the_end(
    story: list[tuple[float, Any, bool | None]],
) -> None:
    digest = Digest()
    began: dict[Any, list[float]] = {key: [] for key in KEYS}
    begun, reported = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)
    on, said = dict.fromkeys(KEYS, False), dict.fromkeys(KEYS, False)

    def deliver(at: float) -> None:
        for due in digest.due(at):
            digest.delivered(due, at)
            assert due.on or due.begun or said[due.key], "an end of what was never sent"
            if due.on or not said[due.key]:
                began[due.key].append(at)
            reported[due.key] += due.begun
            said[due.key] = due.on

    at = 0.0
    for at, key, begins in story:
        if key is None:
            deliver(at)
        else:
            assert begins is not None
            digest.take(news(begins, key), at)
            begun[key] += begins
            on[key] = begins
    deliver(at + QUARTER_S)
    assert (said, reported) == (on, begun)
    assert digest.next_at(at + QUARTER_S) is None
    for times in began.values():
        assert all(later - first >= QUARTER_S for first, later in pairwise(times))


def test_it_is_worded_as_things_are_now() -> None:
    due = Due(AWAY, on=True, begun=4, news=news(True))
    notice = worded(due, lambda _: {"org": "club", "messages": 9}, 160.0)
    assert (notice.alarm, notice.about, notice.state, notice.times) == (
        "phone_away",
        "club",
        "raised",
        4,
    )
    assert "9 messages of org club" in notice.sentence
    assert notice.sentence.endswith("It has begun 4 times since the last notice.")
    assert notice.since == 100.0
    over = worded(Due(AWAY, on=False, begun=0, news=news(False)), lambda _: None, 160.0)
    assert (over.state, over.lasted_s, over.times) == ("cleared", 30.0, 1)
    assert "30 seconds" in over.sentence
