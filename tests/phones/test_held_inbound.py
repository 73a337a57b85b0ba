from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.admission import size_of
from phonegate.domain.inbox import Received
from phonegate.model.refusals import DiskLow
from phonegate.phones.frames import Inbound
from phonegate.phones.held_inbound import HELD, HELD_BYTES, HeldInbound


def inbound(body: str) -> Inbound:
    return Inbound(messages=(Received(address="+15553334444", body=body),))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 100_000), st.none()), max_size=40))
def test_they_go_as_they_came_and_are_counted(steps: list[int | None]) -> None:
    held = HeldInbound()
    expected: list[Inbound] = []
    for step in steps:
        if step is not None:
            expected.append(inbound("x" * step))
            held.add(expected[-1])
        elif held:
            assert held.first is expected.pop(0)
            held.drop_first()
        size = sum(size_of([m for m in f.messages if isinstance(m, Received)]) for f in expected)
        assert (len(held), held.is_full) == (len(expected), size >= HELD_BYTES)
    assert held.clear() == len(expected)
    assert not held
    assert not held.is_full


def test_they_are_bounded_in_number() -> None:
    held = HeldInbound()
    for _ in range(HELD):
        assert not held.is_full
        held.add(inbound(""))
    assert held.is_full
    held.drop_first()
    assert not held.is_full


def test_pauses_grow_up_to_the_longest_and_begin_anew() -> None:
    held = HeldInbound()
    held.add(inbound("x"))
    held.add(inbound("y"))

    def refused() -> float:
        held.refuse(DiskLow(5), 100.0, first_s=1.0, longest_s=3.0)
        return held.due - 100.0

    assert [refused() for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]
    held.drop_first()
    assert refused() == 1.0
    assert refused() == 2.0
    held.hasten(100.0)
    assert held.due == 100.0
    assert refused() == 1.0
