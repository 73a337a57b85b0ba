"""Which SIM is in which slot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.radio import SimCard, Transmission
from phonegate.phone.radios.termux.sims import HIGHEST_SUB_ID, Sims, search

TWO = (SimCard(slot=0, number="+15550"), SimCard(slot=1, number="+15551"))


def asked_for(sim: str | None, slot: int | None) -> Transmission:
    return Transmission(phone="p", id=1, to="+1", body="x", sim=sim, sim_slot=slot, time=0)


@given(st.integers(-1, HIGHEST_SUB_ID + 50) | st.none())
def test_a_sub_id_is_found_by_halves(sub_id: int | None) -> None:
    questions, asked = search(), 0
    number = next(questions)
    while True:
        asked += 1
        try:
            number = questions.send(sub_id is not None and sub_id <= number)
        except StopIteration as end:
            found = end.value
            break
    possible = sub_id is not None and 0 <= sub_id <= HIGHEST_SUB_ID
    assert found == (sub_id if possible else None)
    assert asked <= (4 if sub_id in {0, 1, 2, 3} else 21)


def test_a_phone_with_one_sim_leaves_the_choice_to_android() -> None:
    one = Sims(cards=(SimCard(slot=0),), by_slot=False)
    assert one.slot_of(asked_for(None, None)) is None
    assert one.slot_of(asked_for("0", 0)) is None
    with pytest.raises(LookupError):
        one.slot_of(asked_for("+15559", None))


def test_a_phone_with_two_sends_by_slot() -> None:
    two = Sims(cards=TWO, by_slot=True)
    assert two.slot_of(asked_for(None, None)) == 0
    assert two.slot_of(asked_for("+15551", 1)) == 1


def test_rows_go_to_the_slots_that_are_known_and_the_rest_to_the_one_that_is_not() -> None:
    two = Sims(cards=TWO, by_slot=True, sub_ids={0: 5})
    assert two.sorted_out([1, 2, 3], {0: [2]}) == {1: 1, 2: 0, 3: 1}
    assert not two.all_known
    both = Sims(cards=TWO, by_slot=True, sub_ids={0: 5, 1: 7})
    assert both.sorted_out([1, 2, 3], {0: [2], 1: [3]}) == {1: 0, 2: 0, 3: 1}
    assert both.all_known
