from collections import Counter
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.simulated_faults import Dice, Fate, Plan

CHANCES = ("lose_links", "fail", "repeat", "reorder", "lose_results", "vanish", "crash")
chances = st.floats(0, 1)
plans = st.builds(
    Plan,
    **dict.fromkeys(CHANCES, chances),
    delay_ms=st.tuples(chances, chances).map(lambda pair: (min(pair), max(pair))),
)


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_chance_is_from_0_to_1(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Plan(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["delay_ms", "reconnect_s"])
def test_a_span_runs_forward(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Plan(**{name: (2, 1)})  # type: ignore[arg-type]


@given(plan=plans, seed=st.integers(), cuts=st.integers(0, 5))
def test_one_seed_gives_one_story_however_it_interleaves(plan: Plan, seed: int, cuts: int) -> None:
    one, two = Dice(plan, Random(seed)), Dice(plan, Random(seed))
    early = [one.cut() for _ in range(cuts)]
    for _ in range(5):
        assert one.fate() == two.fate()
        assert one.repeat() == two.repeat()
    assert early == [two.cut() for _ in range(cuts)]


@given(plan=plans, seed=st.integers(), name=st.sampled_from(["crash", "vanish", "reorder"]))
def test_a_chance_changes_no_other_decision(plan: Plan, seed: int, name: str) -> None:
    other = attrs.evolve(plan, **{name: 1 - getattr(plan, name)})
    one, two = Dice(plan, Random(seed)), Dice(other, Random(seed))
    for _ in range(5):
        mine, theirs = one.fate(), two.fate()
        assert (mine.delay_s, mine.error) == (theirs.delay_s, theirs.error)


@given(seed=st.integers())
def test_without_chances_nothing_goes_wrong(seed: int) -> None:
    dice = Dice(Plan(), Random(seed))
    assert dice.fate() == Fate(delay_s=0, error=None, hold=False, reporting="now", crash=None)
    assert dice.cut() is None
    assert not dice.repeat()


def test_certain_faults_are_certain_and_of_every_kind() -> None:
    plan = Plan(lose_links=1, fail=1, repeat=1, reorder=1, vanish=1, lose_results=1, crash=1)
    dice = Dice(plan, Random(1))
    fates = [dice.fate() for _ in range(100)]
    assert all(fate.error and fate.hold and fate.reporting == "never" for fate in fates)
    assert {fate.crash for fate in fates} == {"before_handover", "before_radio", "after_radio"}
    cuts = [dice.cut() for _ in range(100)]
    assert len(Counter(cuts)) == 4
    assert None not in cuts
    assert dice.repeat()
    assert Dice(Plan(lose_results=1), Random(1)).fate().reporting == "on_reconnect"


@given(seed=st.integers())
def test_a_resumed_message_gets_to_the_radio(seed: int) -> None:
    dice = Dice(Plan(crash=1), Random(seed))
    assert dice.fate(resumed=True).crash != "before_handover"


@given(seed=st.integers(), failures=st.integers(0, 5000))
def test_pauses_stay_within_the_span(seed: int, failures: int) -> None:
    dice = Dice(Plan(reconnect_s=(0.5, 30)), Random(seed))
    assert (0.5 if failures else 0.25) <= dice.pause_s(failures) <= 30


def test_pauses_grow_with_failures() -> None:
    dice = Dice(Plan(reconnect_s=(1, 64)), Random(1))
    means = [sum(dice.pause_s(failures) for _ in range(500)) for failures in range(7)]
    assert means == sorted(means)
