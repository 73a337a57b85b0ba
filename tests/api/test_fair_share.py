"""The line of each org, and that nobody waits in another's."""

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from phonegate.api.fair_share import LATELY_S, FairShare
from phonegate.model.refusals import Throttled


class Work:
    """Holds room until it is told to end; notes the order of beginnings."""

    def __init__(self, shares: FairShare, nursery: trio.Nursery) -> None:
        self.shares = shares
        self.nursery = nursery
        self.begun: list[str] = []
        self.ends: dict[str, trio.Event] = {}

    async def start(self, name: str, org: int, size: int) -> trio.CancelScope:
        scope = trio.CancelScope()
        self.ends[name] = trio.Event()

        async def run() -> None:
            with scope:
                async with self.shares.take(org, size):
                    self.begun.append(name)
                    await self.ends[name].wait()

        self.nursery.start_soon(run)
        await wait_all_tasks_blocked()
        return scope

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
        await wait_all_tasks_blocked()


@pytest.fixture
def work(nursery: trio.Nursery) -> Work:
    return Work(FairShare(share=10, line=20), nursery)


async def test_an_org_waits_for_itself_alone_and_in_order(work: Work) -> None:
    await work.start("a", 1, 6)
    await work.start("b", 1, 6)
    await work.start("c", 1, 4)  # would fit, but must not overtake
    await work.start("d", 1, 1)
    await work.start("other", 2, 10)
    assert work.begun == ["a", "other"]
    await work.end("a")
    assert sorted(work.begun) == ["a", "b", "c", "other"]
    await work.end("c")
    assert work.begun[-1] == "d"
    await work.end("b", "d", "other")
    assert len(work.shares) == 0


async def test_what_is_more_than_a_share_takes_all_of_it(work: Work) -> None:
    await work.start("small", 1, 0)
    await work.start("large", 1, 1000)
    assert work.begun == ["small"]
    await work.end("small")
    assert work.begun == ["small", "large"]
    await work.end("large")


async def test_who_leaves_the_line_holds_up_nobody(work: Work) -> None:
    first = await work.start("a", 1, 10)
    second = await work.start("b", 1, 10)
    await work.start("c", 1, 10)
    second.cancel()
    await wait_all_tasks_blocked()
    assert work.begun == ["a"]
    first.cancel()
    await wait_all_tasks_blocked()
    assert work.begun == ["a", "c"]
    await work.end("c")
    assert len(work.shares) == 0


async def test_who_leaves_just_when_called_gives_the_room_back(work: Work) -> None:
    await work.start("a", 1, 10)
    second = await work.start("b", 1, 10)
    await work.start("c", 1, 10)
    work.ends["a"].set()
    second.cancel()
    await wait_all_tasks_blocked()
    await work.end("c", "b")
    assert "c" in work.begun
    assert len(work.shares) == 0


async def test_a_failure_gives_the_room_back(work: Work) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with work.shares.take(1, 10):
                raise ZeroDivisionError
    assert len(work.shares) == 0


async def test_a_full_line_is_told_to_come_again(work: Work) -> None:
    for name in "abc":
        await work.start(name, 1, 10)
    with pytest.raises(Throttled) as refused:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(work.shares.take(1, 1))
    assert refused.value.retry_after_s > 0
    await work.end("a", "b", "c")
    assert work.begun == ["a", "b", "c"]
    assert len(work.shares) == 0


async def test_an_org_has_less_under_way_while_others_work_beside_it(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    work = Work(FairShare(share=10, beside=4), nursery)
    await work.start("calm", 2, 1)
    await work.end("calm")
    await work.start("a", 1, 4)
    await work.start("b", 1, 1)
    await work.start("batch", 1, 9)
    assert work.begun == ["calm", "a"]
    # Nobody else stands in this line.
    await work.start("calm again", 2, 1)
    assert work.begun[-1] == "calm again"
    await work.end("a")
    assert work.begun[-1] == "b"
    # What is larger than that begins once nothing else of the org is under way.
    await work.end("b")
    assert work.begun[-1] == "batch"
    mock_clock.jump(LATELY_S)
    await work.start("c", 1, 1)
    assert work.begun[-1] == "c"
    await work.end("calm again", "batch", "c")
    assert len(work.shares) == 0


async def test_it_says_when_nothing_of_an_org_is_under_way(
    work: Work, nursery: trio.Nursery
) -> None:
    idle: list[int] = []

    async def wait(org: int) -> None:
        await work.shares.idle(org)
        idle.append(org)

    for name in ("first", "second"):
        await work.start(name, 1, 1)
    await work.start("of another", 2, 1)
    for org in (1, 3):
        nursery.start_soon(wait, org)
    await wait_all_tasks_blocked()
    assert idle == [3]
    work.ends["first"].set()
    await wait_all_tasks_blocked()
    assert idle == [3]
    work.ends["second"].set()
    await wait_all_tasks_blocked()
    assert idle == [3, 1]
    work.ends["of another"].set()
