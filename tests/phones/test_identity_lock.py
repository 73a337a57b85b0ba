"""The lock of an org: alone, or beside others that have nothing in common."""

import pytest
import trio
import trio.testing

from phonegate.phones.identity_lock import IdentityLock

blocked = trio.testing.wait_all_tasks_blocked


class Holders:
    """Tasks that hold a lock until they are let go."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.lock = IdentityLock()
        self.inside: list[str] = []
        self._nursery = nursery
        self._ends: dict[str, trio.Event] = {}

    async def enter(self, name: str, *numbers: str) -> None:
        self._ends[name] = trio.Event()
        self._nursery.start_soon(self._hold, name, numbers)
        await blocked()

    async def leave(self, name: str) -> None:
        self._ends[name].set()
        await blocked()

    async def _hold(self, name: str, numbers: tuple[str, ...]) -> None:
        async with self.lock.beside_others(numbers) if numbers else self.lock.alone():
            self.inside.append(name)
            await self._ends[name].wait()
            self.inside.remove(name)


@pytest.fixture
def holders(nursery: trio.Nursery) -> Holders:
    return Holders(nursery)


async def test_one_is_alone(holders: Holders) -> None:
    await holders.enter("first")
    await holders.enter("second")
    await holders.enter("sharing", "+1")
    assert holders.inside == ["first"]
    await holders.leave("first")
    assert holders.inside == ["second"]
    await holders.leave("second")
    assert holders.inside == ["sharing"]
    assert not holders.lock.is_free
    await holders.leave("sharing")
    assert holders.lock.is_free


async def test_those_with_other_numbers_share_it(holders: Holders) -> None:
    await holders.enter("a", "+1", "+2")
    await holders.enter("b", "+3")
    assert holders.inside == ["a", "b"]
    await holders.enter("c", "+4", "+2")
    await holders.enter("d", "+5")
    # In their order, so that none waits for ever.
    assert holders.inside == ["a", "b"]
    await holders.leave("b")
    assert holders.inside == ["a"]
    await holders.leave("a")
    assert holders.inside == ["c", "d"]


async def test_one_that_waits_to_be_alone_goes_before_those_that_come_later(
    holders: Holders,
) -> None:
    await holders.enter("a", "+1")
    await holders.enter("alone")
    await holders.enter("b", "+2")
    assert holders.inside == ["a"]
    assert not holders.lock.is_free
    await holders.leave("a")
    assert holders.inside == ["alone"]
    await holders.leave("alone")
    assert holders.inside == ["b"]


async def test_one_that_gives_up_leaves_nothing_behind(holders: Holders) -> None:
    await holders.enter("a", "+1")
    for waiting in (holders.lock.alone(), holders.lock.beside_others(["+1"])):
        with trio.move_on_after(0):
            async with waiting:
                pytest.fail("it is held")
    await holders.leave("a")
    assert holders.lock.is_free


async def test_it_is_joined_at_once_only_where_that_needs_no_waiting(holders: Holders) -> None:
    lock = holders.lock
    assert lock.join_now(["+1"])
    assert not lock.join_now(["+1", "+2"])
    await holders.enter("b", "+1")
    assert holders.inside == []
    # Another waits, and is not to be overtaken.
    assert not lock.join_now(["+3"])
    lock.leave(["+1"])
    await blocked()
    assert holders.inside == ["b"]
    assert lock.join_now(["+3"])
    await holders.enter("alone")
    lock.leave(["+3"])
    await holders.leave("b")
    assert holders.inside == ["alone"]
    assert not lock.join_now(["+3"])
