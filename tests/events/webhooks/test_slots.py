import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.events.webhooks.slots import Slot, Slots, Standing, Turns


@attrs.define(eq=False)
class Caller:
    org: int = 1
    standing: Standing = "working"
    under_way: int = 0


def taken(slots: Slots, caller: Caller, now: float = 0.0) -> Slot | None:
    slot = slots.take(caller, now)
    caller.under_way += slot is not None
    return slot


@pytest.mark.parametrize(("standing", "most"), [("failing", 1), ("new", 8), ("working", 32)])
def test_each_standing_has_its_part(standing: Standing, most: int) -> None:
    slots = Slots(32)
    found = [taken(slots, Caller(org=n, standing=standing)) for n in range(100)]
    assert sum(one is not None for one in found) == most
    assert slots.is_full(standing)
    # What fails or is new leaves room for what works.
    works = taken(slots, Caller(org=200))
    assert (works is None) == (standing == "working")


def test_further_calls_leave_room_for_first_ones() -> None:
    slots = Slots(32)
    for org in range(4):
        busy = Caller(org=org)
        for _ in range(16):
            taken(slots, busy)
    assert slots.used == 8 + 4
    assert taken(slots, Caller(org=9)) is not None


def test_an_org_has_half() -> None:
    slots = Slots(32)
    found = [taken(slots, Caller()) for _ in range(40)]
    assert sum(one is not None for one in found) == 16
    assert taken(slots, Caller(org=2)) is not None


def test_what_takes_long_makes_room_for_its_like() -> None:
    slots = Slots(32)
    assert taken(slots, Caller(org=1, standing="failing")) is not None
    assert taken(slots, Caller(org=2, standing="failing")) is None
    assert not slots.age(0.5)
    assert slots.age(1.0)
    assert slots.used == 1
    late = taken(slots, Caller(org=3, standing="failing"), 5.0)
    assert late is not None
    for n in range(6, 40):
        taken(slots, Caller(org=n, standing="failing"), float(n))
        slots.age(n + 2.0)
    # A fourth of all and one more, whatever hangs.
    assert slots.used == 8 + 1
    slots.give_back(late)
    assert slots.used == 8


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["working", "new", "failing"]))))
def test_what_is_given_back_can_be_taken_again(callers: list[tuple[int, Standing]]) -> None:
    slots = Slots(8)
    for _ in range(2):
        found = [taken(slots, Caller(org, standing)) for org, standing in callers]
        for slot in found:
            if slot is not None:
                slots.give_back(slot)
        assert slots.used == 0


def test_orgs_take_turns_and_their_webhooks_too() -> None:
    slots = Slots(64)
    turns: Turns[Caller] = Turns(slots)
    many = [Caller(org=1) for _ in range(3)]
    one = Caller(org=2)
    for caller in (*many, one):
        turns.add(caller)
        turns.add(caller)
    order = []
    while (found := turns.next(0.0)) is not None:
        order.append(found[0])
    assert order == [many[0], one, many[1], many[2]]


def test_what_has_no_slot_waits_and_what_is_discarded_does_not() -> None:
    slots = Slots(8)
    turns: Turns[Caller] = Turns(slots)
    failing = [Caller(org=n, standing="failing") for n in range(3)]
    for caller in failing:
        turns.add(caller)
    first = turns.next(0.0)
    assert first is not None
    assert first[0] is failing[0]
    assert turns.next(0.0) is None
    turns.discard(failing[1])
    turns.discard(failing[1])
    slots.give_back(first[1])
    second = turns.next(0.0)
    assert second is not None
    assert second[0] is failing[2]


def test_a_webhook_whose_standing_changes_waits_among_its_equals() -> None:
    slots = Slots(8)
    turns: Turns[Caller] = Turns(slots)
    caller = Caller(standing="failing")
    turns.add(caller)
    caller.standing = "working"
    turns.add(caller)
    found = turns.next(0.0)
    assert found is not None
    assert found[1].kinds == ("all",)
    assert turns.next(0.0) is None


def test_a_webhook_that_can_have_no_further_call_keeps_none_of_its_org_waiting() -> None:
    slots = Slots(8)
    turns: Turns[Caller] = Turns(slots)
    for busy in (Caller(org=1), Caller(org=3)):
        for _ in range(3):
            taken(slots, busy)
    other = Caller(org=2, under_way=3)
    idle = Caller(org=2)
    turns.add(other)
    turns.add(idle)
    found = turns.next(0.0)
    assert found is not None
    assert found[0] is idle
