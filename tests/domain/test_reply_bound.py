"""Replies to one number are counted for an hour."""

from phonegate.domain.reply_bound import MOST_NUMBERS, MOST_REPLIES, WINDOW_MS, ReplyBound

NOW = 1_700_000_000_000


def test_so_many_are_sent_within_an_hour() -> None:
    bound = ReplyBound()
    for second in range(MOST_REPLIES):
        assert not bound.is_reached(1, "a", NOW + second)
        bound.note(1, "a", NOW + second)
    assert bound.is_reached(1, "a", NOW + MOST_REPLIES)
    assert not bound.is_reached(1, "b", NOW + MOST_REPLIES)
    assert not bound.is_reached(2, "a", NOW + MOST_REPLIES)
    assert bound.is_reached(1, "a", NOW + WINDOW_MS - 1)
    assert not bound.is_reached(1, "a", NOW + WINDOW_MS)


def test_a_clock_that_is_set_back_stops_no_replies() -> None:
    bound = ReplyBound()
    for _ in range(MOST_REPLIES):
        bound.note(1, "a", NOW)
    assert not bound.is_reached(1, "a", NOW - WINDOW_MS)


def test_numbers_are_forgotten_when_there_are_many() -> None:
    bound = ReplyBound()
    for _ in range(MOST_REPLIES):
        bound.note(1, "a", NOW)
    for number in range(MOST_NUMBERS):
        bound.note(1, str(number), NOW)
    assert not bound.is_reached(1, "a", NOW)
