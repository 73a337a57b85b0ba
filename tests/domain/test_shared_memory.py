from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.shared_memory import SharedMemory

Owners = st.integers(0, 4)
Steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), Owners, st.integers(0, 30)),
        st.tuples(st.just("pop"), Owners, st.integers(0, 30)),
        st.tuples(st.just("get"), Owners, st.integers(0, 30)),
        st.tuples(st.just("forget"), Owners, st.just(0)),
    ),
    max_size=200,
)


def test_it_keeps_and_forgets() -> None:
    memory: SharedMemory[str, str, int] = SharedMemory(3)
    memory.put("a", "x", 1)
    memory.put("a", "x", 2)
    assert (memory.get("x"), memory.peek("x"), memory.get("y")) == (2, 2, None)
    memory.put("b", "x", 3)
    assert (list(memory.of("a")), list(memory.of("b")), len(memory)) == ([], [3], 1)
    memory.forget("b")
    assert "x" not in memory
    assert list(memory.values()) == []


def test_an_owner_has_no_more_than_its_part() -> None:
    memory: SharedMemory[str, int, int] = SharedMemory(100, part=2)
    for number in range(5):
        memory.put("a", number, number)
    assert list(memory.of("a")) == [3, 4]


def test_what_was_used_longest_ago_goes_first() -> None:
    memory: SharedMemory[str, int, int] = SharedMemory(2)
    memory.put("a", 1, 1)
    memory.put("a", 2, 2)
    memory.get(1)
    memory.put("a", 3, 3)
    assert list(memory.of("a")) == [1, 3]


@given(st.integers(1, 12), Steps)
def test_only_who_has_most_loses(capacity: int, steps: list[tuple[str, int, int]]) -> None:
    memory: SharedMemory[int, tuple[int, int], int] = SharedMemory(capacity)
    held: dict[tuple[int, int], int] = {}
    for step, owner, number in steps:
        key = (owner, number)
        if step == "put":
            held[key] = number
            counts = Counter(one for one, _ in held)
            memory.put(owner, key, number)
            lost = [one for one in held if one not in memory]
            assert len(lost) == (1 if len(held) > capacity else 0)
            for gone in lost:
                assert counts[gone[0]] == max(counts.values())
                del held[gone]
        elif step == "pop":
            memory.pop(key)
            held.pop(key, None)
        elif step == "get":
            assert memory.get(key) == held.get(key)
        else:
            memory.forget(owner)
            held = {one: value for one, value in held.items() if one[0] != owner}
        assert sorted(memory.values()) == sorted(held.values())
