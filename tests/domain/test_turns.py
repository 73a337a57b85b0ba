import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from phonegate.domain.errors import Throttled
from phonegate.domain.turns import AT_ONCE, WAITING, WAITING_EACH, Turns


async def hold(turns: Turns, address: str, release: trio.Event) -> None:
    async with turns.bounded(address):
        await release.wait()


async def test_the_queue_is_bounded_and_empties() -> None:
    turns, release = Turns(), trio.Event()
    async with trio.open_nursery() as nursery:
        for i in range(WAITING):
            nursery.start_soon(hold, turns, f"192.0.2.{i}", release)
        await wait_all_tasks_blocked()
        assert turns.waiting == WAITING
        with pytest.raises(Throttled) as caught:
            async with turns.bounded("203.0.113.5"):
                pass
        assert caught.value.retry_after_s == 7
        release.set()
    assert turns.waiting == 0


async def test_one_address_gets_a_part_of_it() -> None:
    turns, release = Turns(), trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(WAITING_EACH):
            nursery.start_soon(hold, turns, "192.0.2.1", release)
        await wait_all_tasks_blocked()
        with pytest.raises(Throttled):
            async with turns.bounded("192.0.2.1"):
                pass
        nursery.start_soon(hold, turns, "192.0.2.2", release)
        await wait_all_tasks_blocked()
        assert turns.waiting == WAITING_EACH + 1
        release.set()


async def test_who_leaves_gives_up_the_place() -> None:
    turns = Turns()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + 5):
            nursery.start_soon(hold, turns, "192.0.2.1", trio.Event())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert turns.waiting == 0
    with trio.fail_after(5):
        async with turns.bounded("192.0.2.1"), turns.unbounded():
            assert turns.waiting == 1


async def test_the_operator_waits_and_is_never_refused() -> None:
    turns, release = Turns(), trio.Event()
    entered = trio.Event()

    async def operate() -> None:
        async with turns.unbounded():
            entered.set()

    async with trio.open_nursery() as nursery:
        for i in range(WAITING):
            nursery.start_soon(hold, turns, f"192.0.2.{i}", release)
        await wait_all_tasks_blocked()
        nursery.start_soon(operate)
        await wait_all_tasks_blocked()
        assert not entered.is_set()
        release.set()
    assert entered.is_set()


async def test_hashes_are_computed_in_a_thread() -> None:
    turns = Turns()
    async with turns.unbounded():
        assert await turns.compute(threading.get_ident) != threading.get_ident()
