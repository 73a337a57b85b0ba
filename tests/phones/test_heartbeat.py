"""The one task that keeps the time of all phones, on trio's mock clock."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from phonegate.phones import heartbeat
from phonegate.phones.heartbeat import GATHER_S, Heartbeat

blocked = trio.testing.wait_all_tasks_blocked


class Phone:
    """Due every so many seconds; remembers when it was seen to."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.due = trio.current_time() + every_s
        self.seen: list[float] = []
        self.then: Callable[[], object] = bool

    def tick(self) -> None:
        self.seen.append(trio.current_time())
        self.due = trio.current_time() + self.every_s
        self.then()


async def pass_time(clock: trio.testing.MockClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.jump(1)
        await blocked()


@pytest.fixture
async def beating(mock_clock: trio.testing.MockClock, nursery: trio.Nursery) -> Heartbeat:
    assert mock_clock.rate == 0
    beat = Heartbeat()
    await nursery.start(beat.run)
    return beat


async def test_each_phone_is_seen_to_at_its_times(
    beating: Heartbeat, mock_clock: trio.testing.MockClock
) -> None:
    slow, fast = Phone(5), Phone(2)
    beating.watch(slow)
    await blocked()
    beating.watch(fast)
    await pass_time(mock_clock, 10)
    assert slow.seen == [5, 10]
    assert fast.seen == [2, 4, 6, 8, 10]


async def test_phones_that_are_due_soon_after_others_are_seen_to_together(
    beating: Heartbeat, mock_clock: trio.testing.MockClock
) -> None:
    first, *others = phones = [Phone(1 + n / 200) for n in range(10)]
    for phone in phones:
        beating.watch(phone)
    await blocked()
    mock_clock.jump(1)
    await blocked()
    assert len(first.seen) == 1
    for _ in range(19):
        mock_clock.jump(GATHER_S / 20)
        await blocked()
    assert not any(phone.seen for phone in others)
    mock_clock.jump(GATHER_S / 19)
    await blocked()
    assert all(len(phone.seen) == 1 for phone in others)


async def test_what_came_while_the_process_stood_still_is_read_before_a_beat(
    beating: Heartbeat, mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    turns: list[str] = []
    phone = Phone(1)
    phone.then = lambda: turns.append("beat")

    async def read() -> None:
        for second in range(1, 21):
            await trio.sleep_until(second)
            turns.append("read")

    beating.watch(phone)
    nursery.start_soon(read)
    await blocked()
    # Trio wakes those that are due at the same time in any order.
    await pass_time(mock_clock, 20)
    assert turns == ["read", "beat"] * 20


async def test_an_ended_watch_is_not_kept(
    beating: Heartbeat, mock_clock: trio.testing.MockClock
) -> None:
    before, within = Phone(3), Phone(3)
    watch = beating.watch(before)
    within.then = beating.watch(within).end
    await pass_time(mock_clock, 1)
    watch.end()
    await pass_time(mock_clock, 9)
    assert before.seen == []
    assert within.seen == [3]
    assert not beating._turns


async def test_one_faulty_phone_stops_no_other_heart(
    beating: Heartbeat, mock_clock: trio.testing.MockClock
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    faulty, sound = Phone(2), Phone(2)
    faulty.then = fail
    beating.watch(faulty)
    beating.watch(sound)
    await pass_time(mock_clock, 4)
    assert sound.seen == [2, 4]
    assert faulty.seen == [2, 3, 4]


async def test_many_that_are_due_together_let_others_run_between(
    beating: Heartbeat, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "AT_ONCE", 10)
    phones = [Phone(1) for _ in range(25)]
    for phone in phones:
        beating.watch(phone)
    await blocked()
    mock_clock.jump(1)
    counts = {0}
    while len(phones) not in counts:
        await trio.lowlevel.checkpoint()
        counts.add(sum(len(phone.seen) for phone in phones))
    # Trio may let the heart beat twice between two looks.
    assert {0, 25} < counts <= {0, 10, 20, 25}
