"""The memory of answers on their way: a part for each owner, and who makes room."""

from contextlib import ExitStack

import pytest
import trio

from phonegate.domain.errors import Busy
from phonegate.web.unsent import LARGE_BYTES, PART, PATIENCE_S, Leaving, Unsent

PAGE = 10 * LARGE_BYTES


def hold(stack: ExitStack, unsent: Unsent, owner: int | str, size: int = PAGE) -> Leaving:
    leaving = unsent.leaving(owner, size)
    assert leaving is not None
    return stack.enter_context(leaving)


async def test_an_owner_has_its_part_and_others_have_theirs() -> None:
    refused: list[None] = []
    unsent = Unsent(8 * PAGE, lambda: refused.append(None))
    with ExitStack() as stack:
        for _ in range(8 // PART):
            unsent.require_room(1)
            hold(stack, unsent, 1)
        with pytest.raises(Busy):
            unsent.require_room(1)
        unsent.require_room(2)
        unsent.require_room("203.0.113.1")
    unsent.require_room(1)
    assert (unsent.bytes, len(refused)) == (0, 1)


async def test_all_together_are_bounded_too() -> None:
    unsent = Unsent(8 * PAGE)
    with ExitStack() as stack:
        held = [hold(stack, unsent, owner) for owner in range(8)]
        # Whoever has as much as any other waits, and who has less makes one of them give way.
        with pytest.raises(Busy):
            unsent.require_room(7)
        unsent.require_room(9)
        assert [one.given_up for one in held] == [True] + [False] * 7
    unsent.require_room(7)


async def test_what_has_stood_for_long_makes_room(mock_clock: trio.testing.MockClock) -> None:
    unsent = Unsent(8 * PAGE)
    with ExitStack() as stack:
        first = hold(stack, unsent, 1)
        mock_clock.jump(PATIENCE_S + 1)
        second = hold(stack, unsent, 1)
        unsent.require_room(1)
        assert (first.given_up, second.given_up) == (True, False)
        assert first.scope.cancel_called
        # It still has its memory until its sender has let go of it.
        with pytest.raises(Busy):
            unsent.require_room(1)


async def test_a_small_answer_is_not_counted_and_never_refused() -> None:
    assert Unsent(1).leaving(1, LARGE_BYTES - 1) is None


async def test_without_a_limit_there_is_room() -> None:
    unsent = Unsent(0)
    with ExitStack() as stack:
        hold(stack, unsent, 1, 1 << 40)
        unsent.require_room(1)
