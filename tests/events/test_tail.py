from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phonegate.events.tail import Tail
from phonegate.model.events import Event
from tests.domain.sample_events import message_event, phone_event

EVENTS = 5
BYTES = 8_000


class Tails(RuleBasedStateMachine):
    """A tail, beside a list of everything that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = Tail(100, most_events=EVENTS, most_bytes=BYTES)
        self.all: list[Event] = []
        self.last = 100
        self.most_bytes = BYTES

    @rule(step=st.integers(1, 5), size=st.integers(0, 4_000), is_message=st.booleans())
    def add(self, step: int, size: int, *, is_message: bool) -> None:
        self.last += step
        event = message_event(self.last, body="x" * size) if is_message else phone_event(self.last)
        self.tail.add(event)
        self.all.append(event)

    @rule(most=st.integers(0, BYTES))
    def bound(self, most: int) -> None:
        self.tail.bound(most)
        self.most_bytes = most

    @rule(step=st.integers(0, 5))
    def extend(self, step: int) -> None:
        self.last += step
        self.tail.extend(self.last)

    @rule(data=st.data(), size=st.integers(0, 3_000))
    def show(self, data: Any, size: int) -> None:
        if len(self.tail):
            entry = data.draw(st.sampled_from(self.tail.after(self.tail.floor)))
            self.tail.keep(entry, f"view {len(entry.shown)}", b"x" * size)

    @invariant()
    def none_is_missing_from_its_floor_on(self) -> None:
        kept = [entry.event for entry in self.tail.after(self.tail.floor)]
        assert kept == [event for event in self.all if event.id > self.tail.floor]
        assert self.tail.upto == self.last

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.tail) <= EVENTS
        assert self.tail.size <= self.most_bytes or len(self.tail) == 1
        assert self.tail.size == sum(one.size for one in self.tail.after(self.tail.floor))


TestTails = Tails.TestCase


@given(st.lists(st.integers(1, 50), unique=True, max_size=5).map(sorted), st.integers(0, 60))
def test_it_gives_what_comes_after_a_position(ids: list[int], position: int) -> None:
    tail = Tail(0)
    for one in ids:
        tail.add(phone_event(one))
    assert [one.event.id for one in tail.after(position)] == [i for i in ids if i > position]


def test_what_is_made_of_an_event_that_has_left_is_not_counted() -> None:
    tail = Tail(0, most_events=1)
    gone = tail.add(phone_event(1))
    tail.add(phone_event(2))
    before = tail.size
    tail.keep(gone, "view", b"x" * 100)
    assert tail.size == before
    assert gone.shown == {"view": b"x" * 100}
