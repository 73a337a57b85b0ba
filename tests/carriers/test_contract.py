"""What every way to send promises, tried on each of them over real sockets."""

from collections.abc import Awaitable
from typing import TypeVar

import attrs
import pytest
import trio

from kit.fake_carrier import FaultKind
from phonegate.domain.carrier import (
    CarrierError,
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    OutcomeUnknown,
)

from .samples import BODY, CANARIES, DEADLINE_S
from .stand_base import LOST_AFTERWARDS, LOST_BEFORE, Stand

T = TypeVar("T")

PICTURES = ("https://example.com/a.jpg", "https://example.com/b.png?x=1&y=2")


HELD_S = 3_600
"""How slow the far end is where a test ends the time."""


async def in_trouble(stand: Stand, kind: FaultKind, ask: Awaitable[T]) -> T:
    """Asks, with an end to the time where the answer is held back."""
    failure: CarrierError | None = None
    async with trio.open_nursery() as nursery:
        if kind == "slow":
            nursery.start_soon(stand.end_time)
        try:
            got = await ask
        except CarrierError as error:
            # A nursery would make a group of it.
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return got


def no_canary_in(error: Exception) -> None:
    told = f"{error} {error!r}"
    assert not [canary for canary in CANARIES if canary in told]


@pytest.mark.parametrize(
    "body",
    [BODY, "naïve \u2018quotes\u2019 \U0001f600\n& a=b + c%20d;", "x" * 1600],
    ids=["plain", "special", "long"],
)
async def test_a_message_is_taken_as_it_is(stand: Stand, body: str) -> None:
    message = stand.message(body=body)
    sent = await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert sent.progress in {"sending", "sent"}
    assert sent.fault is None
    assert stand.taken() == [(message.sender, message.recipient, body, ())]


async def test_media_go_along(stand: Stand) -> None:
    message = stand.message(media_urls=PICTURES)
    await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert stand.taken() == [(message.sender, message.recipient, BODY, PICTURES)]


async def test_a_state_can_be_asked_for_until_the_end(stand: Stand) -> None:
    sent = await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)
    await stand.done(sent.id)
    end = await stand.carrier.fetch(sent.id, deadline_s=DEADLINE_S)
    assert end is not None
    assert (end.id, end.progress, end.fault, end.segments) == (sent.id, "delivered", None, 1)
    assert end.sent_at is not None


async def test_a_later_failure_says_why(stand: Stand) -> None:
    message, code = stand.failing()
    sent = await stand.carrier.send(message, deadline_s=DEADLINE_S)
    await stand.done(sent.id)
    end = await stand.carrier.fetch(sent.id, deadline_s=DEADLINE_S)
    assert end is not None
    assert end.progress == "failed"
    assert end.fault is not None
    assert end.fault.code == code
    assert end.fault.text


async def test_an_unknown_message_is_none(stand: Stand) -> None:
    assert await stand.carrier.fetch(stand.unknown_id, deadline_s=DEADLINE_S) is None


async def test_a_refusal_is_final_and_keeps_code_and_words(stand: Stand) -> None:
    message, code = stand.refused()
    with pytest.raises(CarrierRefusal) as caught:
        await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert caught.value.fault.code == code
    assert stand.refusal_says in caught.value.fault.text
    no_canary_in(caught.value)
    assert stand.taken() == []


async def test_too_many_is_not_taken_and_may_come_again(stand: Stand) -> None:
    stand.trouble("rate_limited")
    message = stand.message()
    with pytest.raises(NotTaken) as caught:
        await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert caught.value.retry_after_s == 7
    no_canary_in(caught.value)
    assert stand.taken() == []
    await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert len(stand.taken()) == 1


async def test_what_is_out_of_reach_has_not_taken_it(stand: Stand) -> None:
    away = stand.unreachable()
    with pytest.raises(NotTaken) as caught:
        await away.send(stand.message(), deadline_s=DEADLINE_S)
    no_canary_in(caught.value)
    with pytest.raises(NotTaken):
        await away.fetch(stand.unknown_id, deadline_s=DEADLINE_S)
    with pytest.raises(NotTaken):
        await away.find(stand.message(), deadline_s=DEADLINE_S)
    await away.aclose()


@pytest.mark.parametrize("kind", LOST_AFTERWARDS)
async def test_a_lost_answer_is_found_and_nothing_sent_twice(stand: Stand, kind: FaultKind) -> None:
    stand.trouble(kind, delay_s=HELD_S)
    message = stand.message()
    with pytest.raises(OutcomeUnknown) as caught:
        await in_trouble(stand, kind, stand.carrier.send(message, deadline_s=DEADLINE_S))
    no_canary_in(caught.value)
    found = await stand.carrier.find(message, deadline_s=DEADLINE_S)
    assert found is not None
    assert len(stand.taken()) == 1
    assert await stand.carrier.fetch(found.id, deadline_s=DEADLINE_S) is not None


@pytest.mark.parametrize("kind", LOST_BEFORE)
async def test_a_lost_request_ends_up_sent_once(stand: Stand, kind: FaultKind) -> None:
    stand.trouble(kind)
    message = stand.message()
    with pytest.raises(OutcomeUnknown):
        await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert stand.taken() == []
    found = await stand.carrier.find(message, deadline_s=DEADLINE_S)
    if found is None:
        found = await stand.carrier.send(message, deadline_s=DEADLINE_S)
    assert len(stand.taken()) == 1
    assert await stand.carrier.find(message, deadline_s=DEADLINE_S) is not None
    assert len(stand.taken()) == 1


@pytest.mark.parametrize("kind", ["rate_limited", *LOST_BEFORE, *LOST_AFTERWARDS])
async def test_what_can_not_be_asked_now_is_no_answer(stand: Stand, kind: FaultKind) -> None:
    sent = await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)
    stand.trouble(kind, reading=True, delay_s=HELD_S)
    with pytest.raises(NotTaken) as caught:
        await in_trouble(stand, kind, stand.carrier.fetch(sent.id, deadline_s=DEADLINE_S))
    no_canary_in(caught.value)
    assert await stand.carrier.fetch(sent.id, deadline_s=DEADLINE_S) is not None


async def test_the_same_words_twice_are_two_messages(stand: Stand) -> None:
    first = await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)
    stand.trouble("cut_after")
    second = stand.message()
    with pytest.raises(OutcomeUnknown):
        await stand.carrier.send(second, deadline_s=DEADLINE_S)
    second = attrs.evolve(second, others=frozenset({first.id}))
    found = await stand.carrier.find(second, deadline_s=DEADLINE_S)
    assert found is not None
    assert found.id != first.id
    assert len(stand.taken()) == 2


async def test_another_message_is_never_taken_for_a_lost_one(stand: Stand) -> None:
    first = await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)
    stand.trouble("cut_before")
    second = attrs.evolve(stand.message(), others=frozenset({first.id}))
    with pytest.raises(OutcomeUnknown):
        await stand.carrier.send(second, deadline_s=DEADLINE_S)
    found = await stand.carrier.find(second, deadline_s=DEADLINE_S)
    assert found is None or found.id != first.id


async def test_a_cancelled_send_leaves_it_in_order(stand: Stand) -> None:
    for _ in range(10):
        stand.trouble("slow")
        with trio.move_on_after(0.01):
            await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)
    assert await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S)


async def test_many_at_once_are_all_taken(stand: Stand) -> None:
    done: list[CarrierMessage] = []

    async def send() -> None:
        done.append(await stand.carrier.send(stand.message(), deadline_s=DEADLINE_S))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(send)
    assert len({sent.id for sent in done}) == len(stand.taken()) == 30


async def test_no_secret_shows_in_its_name(stand: Stand) -> None:
    told = f"{stand.carrier!r} {stand.carrier} {stand.message()!r}"
    assert not [canary for canary in CANARIES if canary in told]
