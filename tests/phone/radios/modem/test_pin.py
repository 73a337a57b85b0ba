import attrs
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.modem.objects import Modem, modems_of
from phonegate.phone.radios.modem.pin import SAFE_TRIES, PinMemory

from .desk import DeskMemory
from .mock_manager import modem

(MODEM,) = modems_of({"/m/0": modem()})
OTHER: Modem = attrs.evolve(MODEM, imei="1")


def test_a_pin_that_was_tried_in_vain_is_known_in_the_modem_and_on_the_sim() -> None:
    marks = DeskMemory()
    PinMemory(marks, "1111").note_try(MODEM, "8949")
    again = PinMemory(marks, "1111")
    assert again.was_tried(MODEM, "8949")
    assert again.was_tried(MODEM, ""), "a closed SIM that does not say who it is"
    assert again.was_tried(OTHER, "8949"), "the same SIM in another modem"
    assert not again.was_tried(OTHER, "1")
    assert not PinMemory(marks, "2222").was_tried(MODEM, "8949")
    assert "1111" not in str(marks.marks)


def test_a_sim_that_is_open_is_forgotten() -> None:
    marks = DeskMemory()
    pins = PinMemory(marks, "1111")
    pins.note_try(MODEM, "8949")
    pins.note_open(MODEM, "8949")
    assert not pins.was_tried(MODEM, "8949")


def test_a_try_that_the_sim_was_never_asked_does_not_count() -> None:
    pins = PinMemory(DeskMemory(), "1111")
    pins.note_try(MODEM, "8949")
    pins.note_unasked(MODEM, "8949")
    assert not pins.was_tried(MODEM, "8949")
    assert pins.tries_left(MODEM, "8949") == 3


def test_the_modem_may_know_of_fewer_tries() -> None:
    pins = PinMemory(DeskMemory(), "1111")
    assert pins.tries_left(attrs.evolve(MODEM, lock_tries=1), "") == 1
    pins.note_try(MODEM, "")
    assert pins.tries_left(attrs.evolve(MODEM, lock_tries=3), "") == 2


@given(st.lists(st.sampled_from(["1111", "2222", "3333", "open"]), max_size=12))
def test_no_pins_ever_block_a_sim(steps: list[str]) -> None:
    marks = DeskMemory()
    tried: list[str] = []
    for step in steps:
        pins = PinMemory(marks, step)
        if step == "open":
            pins.note_open(MODEM, "8949")
            tried.clear()
        elif not pins.was_tried(MODEM, "8949") and pins.tries_left(MODEM, "8949") >= SAFE_TRIES:
            pins.note_try(MODEM, "8949")
            tried.append(step)
        assert len(tried) < 3
        assert len(tried) == len(set(tried))
