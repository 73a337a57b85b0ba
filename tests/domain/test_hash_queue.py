import threading
from collections import Counter
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from phonegate.domain.hash_queue import (
    AT_ONCE,
    KNOWN_IN_TURN,
    WAITING,
    WAITING_EACH,
    HashQueue,
    Order,
)
from phonegate.model.refusals import Throttled
from tests.patience import PATIENCE_S


async def hold(
    turns: HashQueue, place: str, release: trio.Event, org: str = "myorg", *, known: bool = False
) -> None:
    async with turns.bounded(place, org, known=known):
        await release.wait()


async def test_the_queue_is_bounded_and_empties() -> None:
    turns, release = HashQueue(), trio.Event()
    async with trio.open_nursery() as nursery:
        for i in range(AT_ONCE + WAITING):
            nursery.start_soon(hold, turns, f"192.0.2.{i}", release)
        await wait_all_tasks_blocked()
        assert turns.waiting == WAITING
        with pytest.raises(Throttled) as caught:
            async with turns.bounded("203.0.113.5", "myorg"):
                pass
        assert caught.value.retry_after_s == 7
        release.set()
    assert turns.waiting == 0


async def test_one_address_gets_a_part_of_it() -> None:
    turns, release = HashQueue(), trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + WAITING_EACH):
            nursery.start_soon(hold, turns, "192.0.2.1", release)
        await wait_all_tasks_blocked()
        with pytest.raises(Throttled):
            async with turns.bounded("192.0.2.1", "myorg"):
                pass
        nursery.start_soon(hold, turns, "192.0.2.2", release)
        await wait_all_tasks_blocked()
        assert turns.waiting == WAITING_EACH + 1
        release.set()


async def test_who_leaves_gives_up_the_place() -> None:
    turns = HashQueue()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + 5):
            nursery.start_soon(hold, turns, "192.0.2.1", trio.Event())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert turns.waiting == 0
    with trio.fail_after(PATIENCE_S):
        async with turns.bounded("192.0.2.1", "myorg"), turns.unbounded():
            assert turns.waiting == 0


async def test_the_operator_waits_for_no_other_that_waits_and_is_never_refused() -> None:
    turns, release = HashQueue(), trio.Event()
    first = trio.Event()
    entered = trio.Event()

    async def operate() -> None:
        async with turns.unbounded():
            entered.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, turns, "192.0.2.1", first)
        await wait_all_tasks_blocked()
        for i in range(AT_ONCE + WAITING - 1):
            nursery.start_soon(hold, turns, f"198.51.{i // 256}.{i % 256}", release)
        await wait_all_tasks_blocked()
        nursery.start_soon(operate)
        await wait_all_tasks_blocked()
        assert not entered.is_set()
        first.set()
        await wait_all_tasks_blocked()
        assert entered.is_set()
        release.set()


async def test_guesses_at_one_org_leave_the_others_their_turn() -> None:
    turns, release, mine = HashQueue(), trio.Event(), trio.Event()
    refused = []

    async def guess(number: int) -> None:
        try:
            await hold(turns, f"198.51.{number // 256}.{number % 256}", release, "target")
        except Throttled as error:
            refused.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE + WAITING):
            nursery.start_soon(guess, number)
        await wait_all_tasks_blocked()
        for number in range(10):
            nursery.start_soon(hold, turns, "203.0.113.5", mine, f"org-{number}")
        mine.set()
        await wait_all_tasks_blocked()
        # The last of the guesses made room for them.
        assert len(refused) == 10
        assert turns.waiting == WAITING
        release.set()


async def test_who_is_known_waits_for_no_crowd_of_those_who_are_not() -> None:
    turns, release, first = HashQueue(), trio.Event(), trio.Event()
    entered = trio.Event()

    async def rightful() -> None:
        async with turns.bounded("203.0.113.5", "myorg", known=True):
            entered.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, turns, "192.0.2.1", first)
        await wait_all_tasks_blocked()
        for number in range(AT_ONCE + WAITING - 1):
            # Each with a name of its own, whether there is such an org or not.
            place, org = f"198.51.{number // 256}.{number % 256}", f"org-{number}"
            nursery.start_soon(hold, turns, place, release, org)
        await wait_all_tasks_blocked()
        nursery.start_soon(rightful)
        await wait_all_tasks_blocked()
        assert not entered.is_set()
        first.set()
        await wait_all_tasks_blocked()
        assert entered.is_set()
        release.set()


async def test_newcomers_get_a_turn_beside_those_who_are_known() -> None:
    turns, release = HashQueue(), trio.Event()
    order: list[str] = []

    async def take(org: str, *, known: bool) -> None:
        async with turns.bounded(org, org, known=known):
            order.append(org)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(hold, turns, "203.0.113.5", release)
        await wait_all_tasks_blocked()
        for number in range(20):
            nursery.start_soon(partial(take, f"known-{number}", known=True))
        nursery.start_soon(partial(take, "newcomer", known=False))
        await wait_all_tasks_blocked()
        release.set()
    assert order.index("newcomer") <= KNOWN_IN_TURN


Waiting = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=40
)


@given(Waiting)
def test_orgs_are_served_in_turn(waiting: list[tuple[str, str]]) -> None:
    order: Order[int] = Order()
    for ticket, (org, place) in enumerate(waiting):
        assert order.add(ticket, org, place, most=100, most_each=100) is None
    served = []
    while (called := order.next()) is not None:
        served.append(called)
    assert sorted(served) == list(range(len(waiting)))
    for org in "abc":
        mine = [n for n, ticket in enumerate(served) if waiting[ticket][0] == org]
        # The k-th of an org never waits for more than k of any other.
        for k, at in enumerate(mine):
            before = Counter(waiting[ticket][0] for ticket in served[:at])
            assert all(count <= k + 1 for other, count in before.items() if other != org)
        for place in "xyz":
            same = [t for t in served if waiting[t] == (org, place)]
            assert same == sorted(same)


@given(Waiting, st.integers(1, 8), st.integers(1, 8))
def test_a_full_queue_makes_room_for_whom_less_waits(
    waiting: list[tuple[str, str]], most: int, most_each: int
) -> None:
    order: Order[int] = Order()
    inside: dict[int, tuple[str, str]] = {}
    for ticket, (org, place) in enumerate(waiting):
        counts = Counter(one for one, _ in inside.values())
        at_place = sum(where == place for _, where in inside.values())
        left = order.add(ticket, org, place, most=most, most_each=most_each)
        inside[ticket] = (org, place)
        if left == ticket:
            full = len(inside) > most and max(counts.values()) <= counts[org] + 1
            assert at_place >= most_each or full
        elif left is not None:
            assert counts[inside[left][0]] == max(counts.values()) > counts[org] + 1
        if left is not None:
            del inside[left]
        assert len(order) == len(inside) <= most
    for ticket in list(inside):
        order.remove(ticket)
        order.remove(ticket)
    assert order.next() is None


async def test_hashes_are_computed_in_a_thread() -> None:
    turns = HashQueue()
    async with turns.unbounded():
        assert await turns.compute(threading.get_ident) != threading.get_ident()
