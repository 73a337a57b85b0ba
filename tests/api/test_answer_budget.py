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


def hold(stack: ExitStack, budget: AnswerBudget, reader: Reader, size: int = PAGE) -> UnsentAnswer:
    budget.require_room(reader, size)
    leaving = budget.hold(reader, size)
    assert leaving is not None
    return stack.enter_context(leaving)


async def test_a_reader_has_its_part_and_others_have_theirs() -> None:
    refused: list[None] = []
    budget = AnswerBudget(ALL * PAGE, lambda: refused.append(None))
    with ExitStack() as stack:
        for _ in range(EACH):
            hold(stack, budget, Reader(1, "key"))
        with pytest.raises(Busy):
            budget.require_room(Reader(1, "key"), PAGE)
        # The org's secret, other keys of it, other orgs and unknown callers go on reading.
        for reader in (Reader(1), Reader(1, "other"), Reader(2), Reader("203.0.113.1")):
            budget.require_room(reader, PAGE)
        # Small answers are nobody's to wait for.
        budget.require_room(Reader(1, "key"), LARGE_BYTES - 1)
    budget.require_room(Reader(1, "key"), PAGE)
    assert (budget.bytes, len(refused)) == (0, 1)


async def test_the_keys_of_an_org_share_its_part() -> None:
    budget = AnswerBudget(ALL * PAGE)
    with ExitStack() as stack:
        honest = hold(stack, budget, Reader(1, "honest"))
        first = [hold(stack, budget, Reader(1, "a")) for _ in range(EACH)]
        second = [hold(stack, budget, Reader(1, "b")) for _ in range(EACH - 1)]
        # Whoever has less than others makes one of theirs give way.
        hold(stack, budget, Reader(1))
        assert [one.given_up for one in first] == [True] + [False] * (EACH - 1)
        assert not any(one.given_up for one in (honest, *second))
        with pytest.raises(Busy):
            budget.require_room(Reader(1, "a"), PAGE)


async def test_all_together_are_bounded_too() -> None:
    budget = AnswerBudget(8 * PAGE)
    with ExitStack() as stack:
        held = [hold(stack, budget, Reader(owner)) for owner in range(8)]
        # Whoever has as much as any other waits, and who has less makes one of them give way.
        with pytest.raises(Busy):
            budget.require_room(Reader(7), PAGE)
        budget.require_room(Reader(9), PAGE)
        assert [one.given_up for one in held] == [True] + [False] * 7
    budget.require_room(Reader(7), PAGE)


async def test_of_which_nothing_was_taken_for_long_makes_room_however_old_the_others_are(
    mock_clock: trio.testing.MockClock,
) -> None:
    budget = AnswerBudget(ALL * PAGE)
    reader = Reader(1, "key")
    with ExitStack() as stack:
        slow = hold(stack, budget, reader)
        mock_clock.jump(PATIENCE_S)
        stuck = hold(stack, budget, reader)
        rest = [hold(stack, budget, reader) for _ in range(EACH - 2)]
        mock_clock.jump(PATIENCE_S / 2)
        slow.moved()
        with pytest.raises(Busy):
            budget.require_room(reader, PAGE)
        mock_clock.jump(PATIENCE_S / 2)
        budget.require_room(reader, PAGE)
        assert (slow.given_up, stuck.given_up) == (False, True)
        assert stuck.scope.cancel_called
        assert not any(one.given_up for one in rest)


async def test_what_has_stood_for_long_still_has_its_memory_until_it_is_let_go(
    mock_clock: trio.testing.MockClock,
) -> None:
    budget = AnswerBudget(PART * READER_PART * PAGE)
    with ExitStack() as stack:
        first = hold(stack, budget, Reader(1))
        mock_clock.jump(PATIENCE_S + 1)
        second = hold(stack, budget, Reader(1))
        assert (first.given_up, second.given_up) == (True, False)
        with pytest.raises(Busy):
            budget.require_room(Reader(1), PAGE)


async def test_a_small_answer_is_not_counted_and_never_refused() -> None:
    budget = AnswerBudget(1)
    assert budget.hold(Reader(1), LARGE_BYTES - 1) is None
    with ExitStack() as stack:
        hold(stack, budget, Reader(1))
        budget.require_room(Reader(1), LARGE_BYTES - 1)


async def test_without_a_limit_there_is_room() -> None:
    budget = AnswerBudget(0)
    with ExitStack() as stack:
        hold(stack, budget, Reader(1), 1 << 40)
        budget.require_room(Reader(1), PAGE)
