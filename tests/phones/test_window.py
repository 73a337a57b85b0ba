"""The window of a link: places, and how wide it is."""

from phonegate.model.bounds import MAX_SEGMENTS
from phonegate.phones.window import ORDINARY_SEGMENTS, Window, long_part


def push(window: Window, message_id: int) -> None:
    assert window.reserve()
    assert window.push(message_id)


def test_places_are_taken_pushed_answered_and_given_back() -> None:
    window = Window(1, now=0.0)
    assert window.reserve()
    assert not window.reserve()
    assert (window.free, window.reserved) == (0, 1)
    window.release()
    window.release()
    assert (window.free, window.reserved) == (1, 0)
    push(window, 1)
    assert (window.free, window.reserved, list(window.in_flight)) == (0, 0, [1])
    window.answer(1)
    assert window.free == 1


def test_it_knows_what_was_given_over_the_link() -> None:
    window = Window(2, now=0.0)
    push(window, 1)
    push(window, 2)
    window.answer(2)
    assert [window.knows(message) for message in (1, 2, 3)] == [True, True, False]


def answer(window: Window, first: int, count: int, now: float) -> None:
    """Pushes messages that the phone answers at once."""
    for number in range(first, first + count):
        push(window, number)
        window.answer(number)
    window.fit(now)


def brisk() -> Window:
    return Window(10, widest=35, now=0.0)


def test_the_window_widens_for_a_phone_that_answers_a_whole_one_within_a_second() -> None:
    window = brisk()
    widths = []
    first = 1
    for turn in range(4):
        answer(window, first, window.width, 0.1 * turn)
        first += 100
        widths.append(window.free)
    assert widths == [20, 35, 35, 35]


def test_a_phone_that_takes_longer_gets_the_usual_window() -> None:
    window = brisk()
    answer(window, 1, 10, 1.1)
    assert window.free == 10
    answer(window, 100, 9, 1.5)
    assert window.free == 10
    answer(window, 200, 1, 1.6)
    assert window.free == 20
    for number in range(300, 320):
        push(window, number)
    window.fit(2.7)
    assert (window.width, window.free) == (10, 0)
    assert not window.reserve()


def test_what_says_nothing_of_a_message_in_flight_widens_nothing() -> None:
    window = brisk()
    for number in range(1, 30):
        window.answer(number)
    window.fit(0.1)
    assert window.free == 10


def test_answers_of_a_wide_window_are_remembered_when_it_is_narrow_again() -> None:
    window = brisk()
    answer(window, 1, 10, 0.1)
    answer(window, 11, 20, 0.2)
    assert window.width == 35
    for number in range(100, 100 + 8 * 35):
        window.answer(number)
    window.fit(9.0)
    assert window.width == 10
    assert window.reserve()
    assert not window.push(100)


def test_a_bounded_window_keeps_the_place_of_what_was_acknowledged_until_its_result() -> None:
    window = Window(10, widest=35, now=0.0)
    window.bound(2, had=[7])
    push(window, 8)
    assert window.free == 0
    window.acknowledge(8)
    assert window.free == 0
    window.answer(7)
    window.fit(0.1)
    assert (window.width, window.free) == (2, 1)
    assert window.reserve()
    assert not window.push(8)
    window.answer(8)
    assert window.reserve()
    assert not window.push(8)
    assert window.free == 2


def test_an_acknowledgement_of_what_has_no_place_is_remembered_in_a_bounded_window() -> None:
    window = Window(10, now=0.0)
    window.bound(2)
    window.acknowledge(5)
    assert window.reserve()
    assert not window.push(5)


def test_no_phone_gets_a_wider_window_than_the_owner_allows() -> None:
    window = Window(10, widest=10, now=0.0)
    window.bound(1000)
    assert window.free == 10


def test_places_for_several_are_taken_together_or_not_at_all() -> None:
    window = Window(3, now=0.0)
    assert not window.reserve(4)
    assert window.reserve(2)
    assert not window.reserve(2)
    assert (window.free, window.reserved) == (1, 2)


def test_long_messages_wait_for_each_other_and_short_ones_pass_them() -> None:
    window = Window(100, now=0.0)
    longest = long_part(MAX_SEGMENTS)
    assert (longest, long_part(ORDINARY_SEGMENTS), long_part(1)) == (MAX_SEGMENTS, 0, 0)
    for number in range(10):
        assert window.reserve(long=longest)
        assert window.push(number, longest)
    assert not window.fits(long=longest)
    assert not window.reserve(long=longest)
    push(window, 10)
    assert window.free == 89
    window.answer(3)
    assert window.reserve(long=longest)
    assert not window.reserve(long=longest)
    window.release(longest)
    assert window.reserve(long=longest)
    window.drop_reservations()
    window.give_up(4)
    assert window.reserve(long=longest)


def test_a_long_message_fits_the_narrowest_window() -> None:
    window = Window(1, now=0.0)
    assert window.fits(long=20 * MAX_SEGMENTS)
    assert window.reserve(long=long_part(MAX_SEGMENTS))
    assert window.push(1, long_part(MAX_SEGMENTS))
    assert not window.fits()
    window.answer(1)
    assert window.fits(long=long_part(MAX_SEGMENTS))
