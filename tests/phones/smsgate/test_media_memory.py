"""The memory for media of all phones."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.phones.smsgate.media_memory import MediaMemory, Place


def test_what_waits_longest_gives_way() -> None:
    memory = MediaMemory(10)
    gone: list[int] = []
    places = [Place(lambda n=n: gone.append(n)) for n in range(4)]  # type: ignore[misc]
    for place in places[:3]:
        assert memory.take(place, 3)
    memory.wait(places[1])
    memory.wait(places[0])
    assert memory.take(places[3], 3)
    assert gone == [1]
    assert memory.take(places[3], 3)
    assert gone == [1, 0]
    # What is still on its way keeps what it has.
    assert not memory.take(places[3], 3)
    assert gone == [1, 0]
    memory.free(places[2])
    assert memory.take(places[3], 3)


@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "wait", "free"]), st.integers(0, 4), st.integers(0, 40))
    )
)
def test_no_more_is_taken_than_there_is(steps: list[tuple[str, int, int]]) -> None:
    memory = MediaMemory(50)
    places = [Place(lambda: None) for _ in range(5)]
    for step, number, size in steps:
        if step == "take":
            memory.take(places[number], size)
        elif step == "wait":
            memory.wait(places[number])
        else:
            memory.free(places[number])
        assert memory.bytes == sum(place.bytes for place in places) <= 50
    for place in places:
        memory.free(place)
    assert memory.bytes == 0
