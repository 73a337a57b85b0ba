"""The memory of large frames on their way."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.phones.link.frame_budget import FrameBudget, Share


def enter(room: FrameBudget, name: str, ended: list[str]) -> Share:
    return room.enter(lambda: ended.append(name))


def test_the_one_longest_on_its_way_makes_room() -> None:
    ended: list[str] = []
    room = FrameBudget(100)
    first, second = enter(room, "first", ended), enter(room, "second", ended)
    first.grew(60)
    second.grew(40)
    assert (room.bytes, ended) == (100, [])
    second.grew(41)
    assert (room.bytes, ended, room.given_up) == (41, ["first"], 1)
    # What is given up takes nothing any more.
    first.grew(90)
    first.leave()
    assert room.bytes == 41
    second.leave()
    assert (room.bytes, ended) == (0, ["first"])


def test_one_that_is_too_much_by_itself_ends_itself() -> None:
    ended: list[str] = []
    room = FrameBudget(100)
    enter(room, "only", ended).grew(101)
    assert (room.bytes, ended) == (0, ["only"])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60) | st.none()), max_size=30))
def test_there_is_never_more_than_the_room(happened: list[tuple[int, int | None]]) -> None:
    room = FrameBudget(100)
    places = [room.enter(lambda: None) for _ in range(5)]
    for at, size in happened:
        if size is None:
            places[at].leave()
        else:
            places[at].grew(size)
        assert 0 <= room.bytes <= 100
    for place in places:
        place.leave()
    assert room.bytes == 0
