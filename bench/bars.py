"""The bars: what the figures must reach, and what they are to reach."""

from collections.abc import Iterator

import attrs

from bench.figures import BARE, BEFORE, FULLER, OURS, Figures
from bench.measures import drain, fairness, fleet, inbound, listening, reading, sends, startup
from bench.measures.sends import FREE, HUNDREDS, MANY, ONE, PINNED
from bench.plan import Plan


@attrs.frozen
class Marks:
    """What a value must reach, and what it is to reach."""

    floor: float
    goal: float | None = None
    at_most: bool = False


def at_least(floor: float, goal: float | None = None) -> Marks:
    return Marks(floor, goal)


def at_most(floor: float, goal: float | None = None) -> Marks:
    return Marks(floor, goal, at_most=True)


@attrs.frozen
class Bar:
    """A floor, perhaps a goal, and what was measured; None where it was not."""

    text: str
    value: float | None
    floor: float
    goal: float | None = None
    unit: str = "times"
    at_most: bool = False

    @property
    def holds(self) -> bool | None:
        return self._reached(self.floor)

    @property
    def goal_reached(self) -> bool | None:
        return None if self.goal is None else self._reached(self.goal)

    def _reached(self, mark: float) -> bool | None:
        if self.value is None:
            return None
        return self.value <= mark if self.at_most else self.value >= mark


def of(figures: Figures, plan: Plan) -> Iterator[Bar]:
    """Yields all bars, in the order of their measures."""
    judge = _Judge(figures)
    free = sends.case(MANY, FREE)
    yield judge.beside(BARE, ("a", free, sends.RATE), at_least(2.0, 3.0))
    yield judge.beside(BARE, ("a", free, sends.P99), at_most(1.0))
    yield judge.beside(BARE, ("a", free, sends.ANSWER_P99), at_most(1.0))
    yield judge.beside(FULLER, ("a", sends.case(MANY, PINNED), sends.RATE), at_least(2.5, 4.0))
    one = sends.case(ONE, FREE)
    yield judge.beside(BARE, ("a", one, sends.RATE), at_least(1.0, 1.2))
    for latency in (sends.P50, sends.ANSWER_P50):
        yield judge.beside(BARE, ("a", one, latency), at_most(1.0, 1 / 1.2))
    # The bare baseline gives a batch one commit.
    yield judge.beside(BARE, ("b", sends.case(HUNDREDS, FREE), sends.RATE), at_least(1.5, 2.5))
    for by in (BARE, FULLER):
        for case in (inbound.WEBHOOK_CASE, inbound.LINK_CASE):
            yield judge.beside(by, ("c", case, inbound.RATE), at_least(1.5, 2.5))
    few, most = plan.rows[0], plan.rows[-1]
    for query in (reading.NEWEST, reading.DEEP):
        page = reading.case(most, query)
        yield judge.beside(BARE, ("d", page, reading.P50), at_most(1.0, 0.5))
    for query in (reading.NEWEST, reading.DEEP):
        value, base = (
            judge.ours("d", reading.case(rows, query), reading.P50) for rows in (most, few)
        )
        times = None if value is None or not base else value / base
        yield Bar(f"(d) {query}: {most:,} rows by {few:,}", times, 1.2, at_most=True)
    phones = fleet.case(plan.fleets[-1])
    yield judge.alone(("e", phones, fleet.CONNECT), "s", at_most(10, 6))
    yield judge.alone(("e", phones, fleet.MEMORY), "KB", at_most(20, 15))
    yield judge.alone(("e", phones, fleet.IDLE), "%", at_most(6, 3))
    yield judge.alone(("f", startup.VENV, startup.TIME), "s", at_most(0.45, 0.3))
    yield judge.alone(("f", startup.VENV, startup.MEMORY), "MB", at_most(55, 45))
    yield judge.alone(("g", drain.case(plan), drain.RATE), "/s", at_least(20_000, 40_000))
    yield judge.beside(FULLER, ("h", sends.case(MANY, PINNED), sends.RATE), at_least(2.5, 4.0))
    yield judge.beside(BEFORE, ("i", fairness.BESIDE, fairness.P99), at_most(1.0))
    for load in listening.LOADS:
        text = f"(l) {load}: server CPU of an org that listens, by one that does not"
        yield Bar(text, judge.ours("l", str(load), listening.RATIO), 1.15, at_most=True)


@attrs.frozen
class _Judge:
    figures: Figures

    def ours(self, measure: str, case: str, name: str) -> float | None:
        figure = self.figures.find(measure, case, name)
        return None if figure is None else self.figures.median(figure, OURS)

    def beside(self, side: str, at: tuple[str, str, str], marks: Marks) -> Bar:
        """Judges phonegate's value by that of another side."""
        figure = self.figures.find(*at)
        value = None if figure is None else self.figures.ratio(figure, side)
        return _bar(f"{_text(at)} by {side}'s", value, marks)

    def alone(self, at: tuple[str, str, str], unit: str, marks: Marks) -> Bar:
        """Judges phonegate's value by itself."""
        return _bar(_text(at), self.ours(*at), marks, unit)


def _bar(text: str, value: float | None, marks: Marks, unit: str = "times") -> Bar:
    return Bar(text, value, marks.floor, marks.goal, unit, marks.at_most)


def _text(at: tuple[str, str, str]) -> str:
    measure, case, name = at
    return f"({measure}) {case}: {name}"
