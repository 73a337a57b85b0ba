from phonegate.domain.pacing import PacingRate
from phonegate.phones.pacer import SWEEP_AT, Pacer

RATE = PacingRate(24)


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_a_bucket_for_each_key() -> None:
    pacer = Pacer(Clock())
    assert [pacer.take("a", RATE, 1) for _ in range(7)] == [True] * 6 + [False]
    assert pacer.take("b", RATE, 1)
    assert pacer.wait_s("a", RATE, 1) == 2.5
    assert pacer.wait_s("c", RATE, 1) == 0.0
    pacer.give_back("a", RATE, 1)
    assert pacer.take("a", RATE, 1)


def test_no_limit() -> None:
    pacer = Pacer(Clock())
    assert all(pacer.take("a", PacingRate(0), 50) for _ in range(100))
    assert pacer.wait_s("a", PacingRate(0), 50) == 0.0
    assert len(pacer) == 0


def test_buckets_that_rested_are_dropped() -> None:
    clock = Clock()
    pacer = Pacer(clock)
    for key in range(SWEEP_AT):
        pacer.take(key, RATE, 6)
    clock.now = 30_000
    pacer.take("busy", RATE, 6)
    assert len(pacer) > SWEEP_AT  # none of them is rested yet
    clock.now = 120_000
    for key in range(2 * SWEEP_AT, 4 * SWEEP_AT):
        pacer.take(key, RATE, 6)
    assert len(pacer) <= 2 * SWEEP_AT + 1
    assert not pacer.take(4 * SWEEP_AT - 1, RATE, 1)


def test_of_some_messages_all_are_taken_or_none() -> None:
    pacer = Pacer(Clock())
    assert not pacer.take_all("a", RATE, [1] * 7)
    assert len(pacer) == 0
    assert pacer.take_all("a", RATE, [1, 2, 3])
    assert not pacer.take("a", RATE, 1)
    one_by_one = Pacer(Clock())
    assert [one_by_one.take("a", RATE, size) for size in (1, 2, 3)] == [True] * 3
    assert one_by_one.look("a", RATE) == pacer.look("a", RATE)
