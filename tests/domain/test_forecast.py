"""The promise of `eta_s`, held against the real pacer in virtual time."""

import attrs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phonegate.domain.forecast import NewEntry, Outlook, Waiting, etas
from phonegate.domain.pacing import PacingRate
from phonegate.model.messages import Candidate
from phonegate.phones.pacer import Pacer

LENGTHS = st.one_of(st.integers(1, 6), st.integers(1, 3), st.integers(1, 30))


@attrs.define
class Clock:
    now: int = 0

    def __call__(self) -> int:
        return self.now


@attrs.define
class Sim:
    """A SIM that sends what it is given, each message as soon as the pacer lets it."""

    rate: PacingRate
    clock: Clock = attrs.field(factory=Clock)
    pacer: Pacer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pacer = Pacer(self.clock)

    def send(self, segments: int) -> int:
        """Waits as the feeder does; when the message left."""
        while not self.pacer.take("sim", self.rate, segments):
            wait_s = self.pacer.wait_s("sim", self.rate, segments)
            self.clock.now += max(1, round(wait_s * 1000))
        return self.clock.now

    def outlook(self, left_open: tuple[int, ...]) -> Outlook:
        bucket, now = self.pacer.look("sim", self.rate)
        return Outlook(bucket=bucket, rate=self.rate, now=now, left_open=left_open)


@settings(deadline=None)
@given(
    rate=st.sampled_from([1, 8, 24, 60]),
    spent=st.lists(st.tuples(st.integers(0, 20_000), LENGTHS), max_size=6),
    left_open=st.lists(LENGTHS, max_size=3),
    queue=st.lists(st.tuples(st.integers(-2, 2), LENGTHS), max_size=12),
    new=st.lists(st.tuples(st.integers(-2, 2), LENGTHS), min_size=1, max_size=5),
)
def test_every_message_leaves_within_the_second_it_was_promised_for(
    rate: int,
    spent: list[tuple[int, int]],
    left_open: list[int],
    queue: list[tuple[int, int]],
    new: list[tuple[int, int]],
) -> None:
    sim = Sim(PacingRate(rate))
    for rest, segments in spent:
        sim.clock.now += rest
        sim.send(segments)
    first = [Candidate(id=at, segments=s, priority=p) for at, (p, s) in enumerate(queue)]
    waiting = Waiting(first=first, total=sum(s for _, s in queue))
    promised = etas(sim.outlook(tuple(left_open)), waiting, [NewEntry(p, s) for p, s in new])
    asked_at = sim.clock.now
    for segments in left_open:
        sim.send(segments)
    line = sorted(
        [(-p, at, s, None) for at, (p, s) in enumerate(queue)]
        + [(-p, len(queue) + at, s, at) for at, (p, s) in enumerate(new)],
        key=lambda one: one[:2],
    )
    for _, _, segments, at in line:
        left_at = sim.send(segments)
        if at is not None:
            took_s = (left_at - asked_at) / 1000
            assert promised[at] - 1 < took_s <= promised[at]


@settings(deadline=None)
@given(queue=st.lists(LENGTHS, min_size=1, max_size=25), seen=st.integers(0, 25), new=LENGTHS)
def test_what_is_counted_and_not_looked_at_makes_no_promise_too_early(
    queue: list[int], seen: int, new: int
) -> None:
    sim = Sim(PacingRate(24))
    first = [Candidate(id=at, segments=s, priority=0) for at, s in enumerate(queue[:seen])]
    (promised,) = etas(sim.outlook(()), Waiting(first=first, total=sum(queue)), [NewEntry(0, new)])
    # Where all that was looked at is short, so is the rest taken to be.
    assume(max([*queue[:seen], new]) > sim.rate.capacity or max(queue) <= sim.rate.capacity)
    for segments in queue:
        sim.send(segments)
    assert sim.send(new) <= promised * 1000


def test_a_text_behind_a_long_one_is_promised_no_sooner_than_the_debt_is_paid() -> None:
    sim = Sim(PacingRate(24))
    sim.send(11)
    assert etas(sim.outlook(()), Waiting(), [NewEntry(0, 1)]) == [15]
    assert sim.send(1) == 15_000
