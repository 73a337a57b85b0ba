"""The memory of answers on their way: a part for each reader, and who makes room."""

from contextlib import ExitStack

import pytest
import trio

from phonegate.api.answer_budget import (
    LARGE_BYTES,
    PART,
    PATIENCE_S,
    READER_PART,
    AnswerBudget,
    Reader,
    UnsentAnswer,
)
from phonegate.model.refusals import Busy

PAGE = 10 * LARGE_BYTES
ALL = 4 * PART * READER_PART
"""Pages that there is room for: four for each reader."""

EACH = ALL // PART // READER_PART


def hold(stack: ExitStack, unsent: AnswerBudget, reader: Reader, size: int = PAGE) -> UnsentAnswer:
    unsent.require_room(reader, size)
    leaving = unsent.hold(reader, size)
    assert leaving is not None
    return stack.enter_context(leaving)


async def test_a_reader_has_its_part_and_others_have_theirs() -> None:
    refused: list[None] = []
    unsent = AnswerBudget(ALL * PAGE, lambda: refused.append(None))
    with ExitStack() as stack:
        for _ in range(EACH):
            hold(stack, unsent, Reader(1, "key"))
        with pytest.raises(Busy):
            unsent.require_room(Reader(1, "key"), PAGE)
        # The org's secret, other keys of it, other orgs and unknown callers go on reading.
        for reader in (Reader(1), Reader(1, "other"), Reader(2), Reader("203.0.113.1")):
            unsent.require_room(reader, PAGE)
        # Small answers are nobody's to wait for.
        unsent.require_room(Reader(1, "key"), LARGE_BYTES - 1)
    unsent.require_room(Reader(1, "key"), PAGE)
    assert (unsent.bytes, len(refused)) == (0, 1)


async def test_the_keys_of_an_org_share_its_part() -> None:
    unsent = AnswerBudget(ALL * PAGE)
    with ExitStack() as stack:
        honest = hold(stack, unsent, Reader(1, "honest"))
        first = [hold(stack, unsent, Reader(1, "a")) for _ in range(EACH)]
        second = [hold(stack, unsent, Reader(1, "b")) for _ in range(EACH - 1)]
        # Whoever has less than others makes one of theirs give way.
        hold(stack, unsent, Reader(1))
        assert [one.given_up for one in first] == [True] + [False] * (EACH - 1)
        assert not any(one.given_up for one in (honest, *second))
        with pytest.raises(Busy):
            unsent.require_room(Reader(1, "a"), PAGE)


async def test_all_together_are_bounded_too() -> None:
    unsent = AnswerBudget(8 * PAGE)
    with ExitStack() as stack:
        held = [hold(stack, unsent, Reader(owner)) for owner in range(8)]
        # Whoever has as much as any other waits, and who has less makes one of them give way.
        with pytest.raises(Busy):
            unsent.require_room(Reader(7), PAGE)
        unsent.require_room(Reader(9), PAGE)
        assert [one.given_up for one in held] == [True] + [False] * 7
    unsent.require_room(Reader(7), PAGE)


async def test_of_which_nothing_was_taken_for_long_makes_room_however_old_the_others_are(
    mock_clock: trio.testing.MockClock,
) -> None:
    unsent = AnswerBudget(ALL * PAGE)
    reader = Reader(1, "key")
    with ExitStack() as stack:
        slow = hold(stack, unsent, reader)
        mock_clock.jump(PATIENCE_S)
        stuck = hold(stack, unsent, reader)
        rest = [hold(stack, unsent, reader) for _ in range(EACH - 2)]
        mock_clock.jump(PATIENCE_S / 2)
        slow.moved()
        with pytest.raises(Busy):
            unsent.require_room(reader, PAGE)
        mock_clock.jump(PATIENCE_S / 2)
        unsent.require_room(reader, PAGE)
        assert (slow.given_up, stuck.given_up) == (False, True)
        assert stuck.scope.cancel_called
        assert not any(one.given_up for one in rest)


async def test_what_has_stood_for_long_still_has_its_memory_until_it_is_let_go(
    mock_clock: trio.testing.MockClock,
) -> None:
    unsent = AnswerBudget(PART * READER_PART * PAGE)
    with ExitStack() as stack:
        first = hold(stack, unsent, Reader(1))
        mock_clock.jump(PATIENCE_S + 1)
        second = hold(stack, unsent, Reader(1))
        assert (first.given_up, second.given_up) == (True, False)
        with pytest.raises(Busy):
            unsent.require_room(Reader(1), PAGE)


async def test_a_small_answer_is_not_counted_and_never_refused() -> None:
    unsent = AnswerBudget(1)
    assert unsent.hold(Reader(1), LARGE_BYTES - 1) is None
    with ExitStack() as stack:
        hold(stack, unsent, Reader(1))
        unsent.require_room(Reader(1), LARGE_BYTES - 1)


async def test_without_a_limit_there_is_room() -> None:
    unsent = AnswerBudget(0)
    with ExitStack() as stack:
        hold(stack, unsent, Reader(1), 1 << 40)
        unsent.require_room(Reader(1), PAGE)
