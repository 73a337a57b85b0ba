"""Figures, bars, and how they are told."""

import pytest

from bench import bars, machine, profile
from bench.figures import Figure, Figures
from bench.measures import drain, sends
from bench.plan import DEFAULT
from bench.report import Report
from kit.load.deliveries import Quantiles
from kit.load.loops import Wrong

RATE = Figure("a", sends.case(sends.MANY, sends.FREE), sends.RATE, "/s")
DRAIN = Figure("g", drain.case(DEFAULT), drain.RATE, "/s")


def measured(ours: float, theirs: float) -> Figures:
    figures = Figures()
    for factor in (0.5, 1.0, 3.0):
        figures.add("phonegate", RATE, ours * factor)
        figures.add("bare", RATE, theirs * factor)
    return figures


def test_a_ratio_is_of_the_medians() -> None:
    figures = measured(3000, 2000)
    assert figures.median(RATE, "phonegate") == 3000
    assert figures.ratio(RATE, "bare") == 1.5
    assert figures.ratio(RATE, "fuller") is None
    assert figures.ratio(DRAIN, "bare") is None
    assert figures.sides("a") == ["phonegate", "bare"]


def test_the_values_of_another_run_are_rounds_of_this_one() -> None:
    figures = measured(3000, 2000)
    figures.add_run(measured(5000, 4000).as_json())
    assert figures.values(RATE, "phonegate") == [1500, 3000, 9000, 2500, 5000, 15000]
    assert figures.median(RATE, "bare") == 3000


def test_a_bar_holds_from_its_floor_on() -> None:
    missed, holds, goal = (
        next(bars.of(measured(ours, 1000), DEFAULT)) for ours in (1999, 2000, 3000)
    )
    assert (missed.holds, missed.goal_reached) == (False, False)
    assert (holds.holds, holds.goal_reached) == (True, False)
    assert (goal.holds, goal.goal_reached) == (True, True)


def test_a_bar_of_what_is_to_be_small_holds_up_to_its_floor() -> None:
    assert bars.Bar("", 30, 30, at_most=True).holds
    assert not bars.Bar("", 30.1, 30, at_most=True).holds


def test_a_bar_without_a_measure_is_not_judged() -> None:
    assert bars.Bar("", None, 1).holds is None


def test_every_bar_of_the_plan_is_asked_for_by_a_name_that_a_measure_gives() -> None:
    assert len(list(bars.of(Figures(), DEFAULT))) == 26


def test_the_report_tells_medians_spread_ratio_and_bars() -> None:
    figures = measured(3000, 2000)
    figures.note("a remark")
    noise = machine.Noise((10.0, 11.0), (0.1, 0.2))
    report = Report(DEFAULT, figures, {"CPU": "a CPU"}, [noise, noise])
    written = report.markdown()
    assert (
        "| 64 clients, both cores | messages/s | 3,000 (1,500-9,000) | 2,000 (1,000-6,000) | 1.50 |"
        in written
    )
    assert "| case | figure | phonegate | bare | by bare |" in written
    assert "| (a) 64 clients, both cores: messages/s by bare's | 1.50 times |" in written
    assert "- CPU: a CPU" in written
    assert "- a remark" in written
    assert "3,000 (1,500-9,000)" in report.text()
    assert report.as_json()["bars"][0]["holds"] is False


def test_an_error_of_a_kind_that_is_known_is_a_fault_and_the_run_goes_on() -> None:
    figures = Figures()
    with figures.faults_of("bare", "a", (Wrong,)):
        raise Wrong("refused")
    assert figures.faults == ["(a) bare failed: Wrong('refused')"]
    with pytest.raises(ZeroDivisionError), figures.faults_of("bare", "a", (Wrong,)):
        raise ZeroDivisionError


def test_quantiles_are_of_all_values_in_milliseconds() -> None:
    quantiles = Quantiles.of([number / 1000 for number in range(1, 101)])
    assert (quantiles.p50, quantiles.p99) == (51.0, 100.0)


def test_a_profile_ranks_functions_by_their_own_time_and_by_all_under_them() -> None:
    ranked = profile.ranked("main (a.py:1);work (a.py:5) 3\nmain (a.py:2) 1\n")
    own, under = ranked.split("with what it calls")
    assert "75.0 %  work (a.py" in own
    assert "25.0 %  main (a.py" in own
    assert "100.0 %  main (a.py" in under
