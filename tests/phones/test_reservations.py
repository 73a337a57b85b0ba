"""What one phone has room for, by its window, its order and its pacing."""

from typing import Any

import attrs
import trio
import trio.testing

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.pacing import PacingRate, PacingRates
from phonegate.model.messages import Queue
from phonegate.model.phones import Sim
from phonegate.phones.pacer import Pacer
from phonegate.phones.reservations import Reservations
from phonegate.phones.send_order import SendOrder
from phonegate.phones.state import PhoneState
from tests.domain.messages import message
from tests.patience import PATIENCE_S

from .test_state import link

SIM = Sim(slot=0, number="+15551112222")


@attrs.frozen
class Parts:
    """One phone that is up to date with its queues."""

    state: PhoneState
    order: SendOrder
    reservations: Reservations


def parts(*, per_minute: int = 0, **changes: Any) -> Parts:
    state = link(**changes)
    order = SendOrder(state, lambda: True)
    order.catch_up()
    reservations = Reservations(
        state,
        order,
        Pacer(lambda: 0),
        PacingRates(usual=PacingRate(per_minute), by_number={"+1777": PacingRate(4)}),
    )
    return Parts(state, order, reservations)


def test_room_and_pacing_are_taken_together_and_given_back() -> None:
    phone = parts(per_minute=24, window=100)
    reservations, window = phone.reservations, phone.state.window
    assert [reservations.reserve(None, 2) for _ in range(4)] == [True] * 3 + [False]
    assert window.free == 97
    reservations.release(None, 2)
    assert window.free == 98
    assert reservations.reserve(None, 2)


def test_without_a_place_no_pacing_is_taken() -> None:
    phone = parts(per_minute=24, window=1)
    assert phone.reservations.reserve(None, 1)
    assert not phone.reservations.reserve(None, 1)
    phone.state.window.release()
    assert phone.reservations.reserve(None, 5)


def test_a_new_message_overtakes_none_and_the_next_of_its_queue_does_not_wait() -> None:
    phone = parts()
    phone.order.fall_behind()
    assert not phone.reservations.reserve(None, 1)
    assert phone.reservations.reserve_next(None, 1)
    phone.order.catch_up()
    phone.order.left_open.append(message(5))
    assert not phone.reservations.reserve(None, 1)
    phone.order.forget(5)
    assert phone.reservations.reserve(None, 1)


def test_none_is_made_over_a_link_that_ends_or_before_it_is_known_whose_it_is() -> None:
    phone = parts(identified=False, in_doubt=True)
    assert not phone.reservations.reserve(None, 1)
    phone.state.identified = True
    assert phone.reservations.reserve(None, 1)
    phone.state.parting = True
    assert not phone.reservations.reserve(None, 1)


def test_a_number_is_paced_whichever_phone_has_it() -> None:
    pacer, rates = Pacer(lambda: 0), PacingRates(usual=PacingRate(4))
    one, other = (link(), link())
    for state, row in ((one, 1), (other, 2)):
        state.online = OnlinePhone(phone=row, device_id=None, name=None, sims=(SIM,))
    first, second = (
        Reservations(state, SendOrder(state, lambda: True), pacer, rates) for state in (one, other)
    )
    assert first.reserve_next(SIM, 1)
    assert not second.reserve_next(SIM, 1)
    # Of SIMs without a number each slot has its own.
    bare = attrs.evolve(SIM, number=None)
    assert first.reserve_next(bare, 1)
    assert second.reserve_next(bare, 1)


def test_the_outlook_is_that_of_the_sim() -> None:
    phone = parts(per_minute=5)
    phone.order.left_open.append(message(5, segments=2, sim_slot=None))
    outlook = phone.reservations.outlook(None)
    assert outlook is not None
    assert (outlook.rate, outlook.bucket.level) == (PacingRate(5), 60_000)
    assert (outlook.queues, outlook.left_open) == ((Queue(None, ""),), (2,))
    other = phone.reservations.outlook(Sim(slot=1, number="+1777"))
    assert other is not None
    assert (other.rate, other.left_open) == (PacingRate(4), ())
    assert parts().reservations.outlook(None) is None


async def test_a_pause_begins_when_what_was_reserved_is_pushed_and_makes_none() -> None:
    phone = parts()
    reservations, state = phone.reservations, phone.state
    assert reservations.reserve(None, 1)
    paused, on = trio.Event(), trio.Event()

    async def pause() -> None:
        async with reservations.pause():
            paused.set()
            await on.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pause)
        await trio.testing.wait_all_tasks_blocked()
        assert not paused.is_set()
        assert not reservations.reserve(None, 1)
        state.push(message(5))
        reservations.note_end()
        await paused.wait()
        assert not reservations.reserve(None, 1)
        on.set()
    assert reservations.reserve(None, 1)


async def test_a_pause_waits_for_nothing_over_a_link_that_ends() -> None:
    phone = parts()
    assert phone.reservations.reserve(None, 1)
    phone.state.parting = True
    with trio.fail_after(PATIENCE_S):
        async with phone.reservations.pause():
            assert phone.reservations.stopped


def test_places_for_some_messages_are_taken_together_or_not_at_all() -> None:
    phone = parts(per_minute=24, window=3)
    reservations, window = phone.reservations, phone.state.window
    assert not reservations.reserve_all(None, [1, 1, 1, 1])
    assert not reservations.reserve_all(None, [3, 4])
    assert window.free == 3
    assert reservations.reserve_all(None, [3, 3])
    assert not reservations.reserve_all(None, [1])
    assert (window.free, window.reserved) == (1, 2)
    phone.order.fall_behind()
    assert not reservations.reserve_all(None, [])


def test_many_long_messages_are_given_one_after_the_other() -> None:
    phone = parts(window=100)
    reservations = phone.reservations
    assert reservations.reserve_all(None, [255] * 10)
    assert not reservations.reserve(None, 255)
    assert not reservations.reserve_next(None, 255)
    assert not reservations.has_room(255)
    # Others have the place that a long one has no room for.
    assert reservations.reserve_all(None, [49] * 90)
    reservations.release(None, 255)
    assert reservations.has_room(255)
    assert not parts(window=100).reservations.reserve_all(None, [255] * 11)


def test_a_long_message_without_room_takes_no_pacing() -> None:
    phone = parts(per_minute=24, window=100)
    for number in range(10):
        assert phone.state.window.reserve(long=255)
        phone.state.window.push(number, 255)
    assert not phone.reservations.reserve_next(None, 255)
    assert phone.reservations.reserve(None, 6)
