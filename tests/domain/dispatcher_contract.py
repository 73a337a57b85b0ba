"""What the domain may rely on of every `Dispatcher`; run for the real one and for that of tests."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from phonegate.domain.dispatch import Dispatcher
from phonegate.model.messages import Pushed, Queue

from .messages import message

AWAY: Final = 4711
"""A phone that is not online."""


class Scene(Protocol):
    """A dispatcher, and phones to connect to it, each of which takes two segments at once."""

    @property
    def dispatcher(self) -> Dispatcher:
        """What is tried."""

    @property
    def org(self) -> int:
        """The org of its phones."""

    async def connect(self, *, cancels: bool = False) -> int:
        """Connects one more phone, which may be able to drop messages."""

    async def disconnect(self, phone: int) -> None:
        """Ends its connection."""

    async def pushed(self, phone: int) -> int:
        """The next message that a phone is given."""


Promise = Callable[[Scene], Awaitable[None]]


async def of_a_phone_that_is_away_nothing_comes(scene: Scene) -> None:
    dispatcher = scene.dispatcher
    assert dispatcher.online(scene.org) == ()
    assert not dispatcher.reserve(AWAY, None, 1)
    assert dispatcher.outlook(AWAY, None) is None
    assert not dispatcher.ask_cancel(AWAY, 5)
    # It may have left at any time, so none of these is an error.
    dispatcher.release(AWAY, None, 1)
    dispatcher.push(AWAY, message(5))
    dispatcher.given_up(scene.org, AWAY, 5)
    dispatcher.wake(scene.org)
    dispatcher.wake(scene.org, {Queue(AWAY, "0")})
    phone = await scene.connect()
    assert not dispatcher.reserve(AWAY, None, 1)
    assert dispatcher.reserve(phone, None, 1)


async def those_online_come_in_the_order_of_their_connection(scene: Scene) -> None:
    online = scene.dispatcher.online
    phones = [await scene.connect() for _ in range(3)]
    assert [one.phone for one in online(scene.org)] == phones
    assert online(scene.org) is online(scene.org)
    before = online(scene.org)
    await scene.disconnect(phones[0])
    assert [one.phone for one in online(scene.org)] == phones[1:]
    assert online(scene.org) is not before


async def a_phone_takes_so_much_and_again_what_was_given_back(scene: Scene) -> None:
    dispatcher, phone = scene.dispatcher, await scene.connect()
    assert [dispatcher.reserve(phone, None, 1) for _ in range(3)] == [True, True, False]
    dispatcher.release(phone, None, 1)
    assert [dispatcher.reserve(phone, None, 1) for _ in range(2)] == [True, False]


async def places_for_some_messages_are_taken_together_or_not_at_all(scene: Scene) -> None:
    dispatcher, phone = scene.dispatcher, await scene.connect()
    assert not dispatcher.reserve_all(AWAY, None, [1])
    assert not dispatcher.reserve_all(phone, None, [1, 1, 1])
    assert dispatcher.reserve_all(phone, None, [1, 1])
    assert not dispatcher.reserve_all(phone, None, [1])


async def a_new_message_is_pushed_as_any_other(scene: Scene) -> None:
    dispatcher, phone = scene.dispatcher, await scene.connect()
    new = Pushed(scene.org, "+1555", "hi", 0, phone, "", None, None, 0, "hold", None, 1)
    dispatcher.push_new(AWAY, 5, new)
    assert dispatcher.reserve_all(phone, None, [1, 1])
    dispatcher.push_new(phone, 6, new)
    dispatcher.push_new(phone, 7, new)
    assert [await scene.pushed(phone), await scene.pushed(phone)] == [6, 7]


async def a_push_reaches_the_phone_whose_place_it_has(scene: Scene) -> None:
    one, other = await scene.connect(), await scene.connect()
    for phone, message_id in ((other, 5), (one, 6)):
        assert scene.dispatcher.reserve(phone, None, 1)
        scene.dispatcher.push(phone, message(message_id))
    assert [await scene.pushed(one), await scene.pushed(other)] == [6, 5]


async def a_phone_that_has_a_message_and_can_is_asked_to_drop_it(scene: Scene) -> None:
    dispatcher = scene.dispatcher
    plain, able = await scene.connect(), await scene.connect(cancels=True)
    for phone in (plain, able):
        assert dispatcher.reserve(phone, None, 1)
        dispatcher.push(phone, message(5))
    assert not dispatcher.ask_cancel(plain, 5)
    assert dispatcher.ask_cancel(able, 5)
    await scene.disconnect(able)
    assert not dispatcher.ask_cancel(able, 5)


async def the_outlook_knows_how_fast_a_phone_may_send(scene: Scene) -> None:
    phone = await scene.connect()
    outlook = scene.dispatcher.outlook(phone, None)
    assert outlook is not None
    assert outlook.rate.capacity == 2


PROMISES: Final[tuple[Promise, ...]] = (
    of_a_phone_that_is_away_nothing_comes,
    those_online_come_in_the_order_of_their_connection,
    a_phone_takes_so_much_and_again_what_was_given_back,
    places_for_some_messages_are_taken_together_or_not_at_all,
    a_new_message_is_pushed_as_any_other,
    a_push_reaches_the_phone_whose_place_it_has,
    a_phone_that_has_a_message_and_can_is_asked_to_drop_it,
    the_outlook_knows_how_fast_a_phone_may_send,
)
