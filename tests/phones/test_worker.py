"""Workers on trio's mock clock: they touch neither sockets nor the store."""

import pytest
import trio
import trio.testing

from phonegate.phones.worker import BUSY, FOREVER, Worker

blocked = trio.testing.wait_all_tasks_blocked


class Job:
    """Work that is counted, and held up if need be."""

    def __init__(self, again_s: float = FOREVER) -> None:
        self.again_s = again_s
        self.done = 0
        self.running = 0
        self.gate: trio.Event | None = None

    async def __call__(self) -> float:
        self.running += 1
        assert self.running == 1, "twice at once"
        if self.gate is not None:
            await self.gate.wait()
        self.running -= 1
        self.done += 1
        return self.again_s


@pytest.mark.parametrize("again_s", [10, FOREVER])
@pytest.mark.parametrize("before", [0, BUSY])
async def test_called_again_while_it_works_it_works_once_more(
    nursery: trio.Nursery, before: int, again_s: float
) -> None:
    job = Job(again_s)
    worker = Worker(nursery, job)
    for _ in range(before):
        worker.call()
        await blocked()
    job.gate = trio.Event()
    for _ in range(5):
        worker.call()
        await blocked()
    job.gate.set()
    await blocked()
    assert job.done == before + 2
    worker.dismiss()


async def test_one_called_seldom_leaves_no_task_behind(nursery: trio.Nursery) -> None:
    job = Job()
    worker = Worker(nursery, job)
    for _ in range(BUSY - 1):
        worker.call()
        await blocked()
        assert not nursery.child_tasks
    assert job.done == BUSY - 1


async def test_a_busy_one_stays_until_it_is_seen_idle(nursery: trio.Nursery) -> None:
    job = Job()
    worker = Worker(nursery, job)
    for _ in range(BUSY):
        worker.call()
        await blocked()
    assert len(nursery.child_tasks) == 1
    worker.rest()
    await blocked()
    assert len(nursery.child_tasks) == 1, "it was busy until now"
    worker.rest()
    await blocked()
    assert not nursery.child_tasks
    worker.call()
    await blocked()
    assert job.done == BUSY + 1


async def test_it_comes_again_when_its_work_says_so(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    job = Job(again_s=10)
    worker = Worker(nursery, job)
    worker.call()
    await blocked()
    worker.rest()
    mock_clock.jump(9)
    await blocked()
    assert job.done == 1
    job.again_s = FOREVER
    mock_clock.jump(1)
    await blocked()
    assert job.done == 2
    assert not nursery.child_tasks


async def test_a_call_comes_before_the_time(
    nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    job = Job(again_s=10)
    worker = Worker(nursery, job)
    worker.call()
    await blocked()
    mock_clock.jump(1)
    worker.call()
    await blocked()
    assert job.done == 2


@pytest.mark.parametrize("again_s", [10, FOREVER])
async def test_a_dismissed_one_ends_and_still_comes_when_called(
    nursery: trio.Nursery, again_s: float
) -> None:
    job = Job(again_s)
    worker = Worker(nursery, job)
    for _ in range(BUSY):
        worker.call()
        await blocked()
    assert nursery.child_tasks
    worker.dismiss()
    await blocked()
    assert not nursery.child_tasks
    worker.call()
    await blocked()
    assert job.done == BUSY + 1
    assert not nursery.child_tasks


async def test_a_call_is_heeded_while_its_idle_task_is_being_cancelled() -> None:
    job = Job()
    async with trio.open_nursery() as nursery:
        worker = Worker(nursery, job)
        for _ in range(BUSY):
            worker.call()
            await blocked()
        assert len(nursery.child_tasks) == 1
        nursery.cancel_scope.cancel()
        worker.call()
    assert job.done == BUSY + 1


async def test_one_can_wait_until_it_has_done_what_it_was_called_for(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    done = 0

    async def work() -> float:
        nonlocal done
        await trio.sleep(1)
        done += 1
        return FOREVER

    worker = Worker(nursery, work)
    await worker.done()
    assert done == 0
    worker.call()
    await worker.done()
    assert done == 1
    worker.call()
    await trio.sleep(0.5)
    worker.call()
    await worker.done()
    assert done == 3
