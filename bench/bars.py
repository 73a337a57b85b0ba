"""The bars: what the figures must reach, and what they are to reach."""

from collections.abc import Callable, Iterator

import attrs

from bench.figures import Figures
from bench.measures import drain, fleet, listening, reading, sends
from bench.plan import Plan

OURS = "phonegate"


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

    def ratio(measure: str, case: str, name: str) -> float | None:
        figure = figures.find(measure, case, name)
        return None if figure is None else figures.ratio(figure)

    def ours(measure: str, case: str, name: str) -> float | None:
        figure = figures.find(measure, case, name)
        return None if figure is None else figures.median(figure, OURS)

    one, many = sends.clients_case(1), sends.clients_case(64)
    yield Bar(
        "(a) 64 clients: messages/s by the baseline's", ratio("a", many, sends.RATE), 1.3, 2.5
    )
    yield Bar(
        "(a) 64 clients: API to phone p99 by the baseline's",
        ratio("a", many, sends.P99),
        1.0,
        at_most=True,
    )
    yield Bar("(a) 1 client: messages/s by the baseline's", ratio("a", one, sends.RATE), 0.8)
    yield Bar(
        "(b) batches of 100: messages/s by the baseline's",
        ratio("b", sends.batch_case(100), sends.RATE),
        2.0,
        5.0,
    )
    few, most = plan.rows[0], plan.rows[-1]
    for query in (reading.NEWEST, reading.DEEP):
        yield Bar(
            f"(d) {query}: {most:,} rows by {few:,}",
            _quotient(ours, reading.case(most, query), reading.case(few, query)),
            1.2,
            at_most=True,
        )
    fleet_case = fleet.case(plan.fleets[-1])
    yield Bar(
        f"(e) {fleet_case}: memory for each",
        ours("e", fleet_case, fleet.MEMORY),
        30,
        20,
        "KB",
        at_most=True,
    )
    yield Bar(
        f"(e) {fleet_case}: all connected in",
        ours("e", fleet_case, fleet.CONNECT),
        15,
        unit="s",
        at_most=True,
    )
    yield Bar(
        f"(g) {drain.case(plan)}: messages/s",
        ours("g", drain.case(plan), drain.RATE),
        4_000,
        unit="/s",
    )
    yield Bar(
        "(h) 5 ms flush, 64 clients: messages/s by the baseline's",
        ratio("h", many, sends.RATE),
        1.5,
        2.5,
    )

    for clients, batch in listening.LOADS:
        at = listening.case(clients, batch)
        yield Bar(
            f"(l) {at}: server CPU of an org that listens, by one that does not",
            ours("l", at, listening.RATIO),
            1.15,
            at_most=True,
        )


def _quotient(ours: Callable[[str, str, str], float | None], case: str, base: str) -> float | None:
    value, by = ours("d", case, reading.P50), ours("d", base, reading.P50)
    return None if value is None or not by else value / by
