"""What was measured, by measure, case and side, over the rounds."""

import contextlib
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

OURS = "phonegate"
BEFORE = "before"
"""Phonegate of another revision."""
BARE = "bare"
FULLER = "fuller"
FULLER_BATCHED = "fuller, one commit"
SIDES = (OURS, BEFORE, BARE, FULLER, FULLER_BATCHED)
"""Those that are measured, in the order of their columns."""


@attrs.frozen
class Figure:
    """One thing that is measured."""

    measure: str
    """Its letter."""
    case: str
    name: str
    unit: str

    def __str__(self) -> str:
        return f"({self.measure}) {self.case}: {self.name}"


class Figures:
    """Values of figures; each side's in the order of the rounds."""

    def __init__(self) -> None:
        self._values: dict[Figure, dict[str, list[float]]] = {}
        self.notes: list[str] = []
        self.faults: list[str] = []

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._values)

    def add(self, side: str, figure: Figure, value: float) -> None:
        self._values.setdefault(figure, {}).setdefault(side, []).append(value)

    def note(self, text: str) -> None:
        """Keeps a remark for the report, once."""
        if text not in self.notes:
            self.notes.append(text)

    def fault(self, text: str) -> None:
        """Keeps what a side did wrong. Its figures of that measure are missing."""
        self.faults.append(text)

    @contextlib.contextmanager
    def faults_of(
        self, side: str, measure: str, kinds: tuple[type[Exception], ...]
    ) -> Iterator[None]:
        """Keeps an error of these kinds as a fault. It ends the body, and the run goes on."""
        try:
            yield
        except kinds as error:
            self.fault(f"({measure}) {side} failed: {error!r}")

    def values(self, figure: Figure, side: str) -> list[float]:
        return self._values.get(figure, {}).get(side, [])

    def median(self, figure: Figure, side: str) -> float | None:
        values = self.values(figure, side)
        return statistics.median(values) if values else None

    def ratio(self, figure: Figure, side: str) -> float | None:
        """Phonegate's median by that of another side."""
        ours, theirs = self.median(figure, OURS), self.median(figure, side)
        return None if ours is None or not theirs else ours / theirs

    def sides(self, measure: str) -> list[str]:
        """Those that have figures of a measure, in the order of their columns."""
        seen = {
            side
            for figure, sides in self._values.items()
            if figure.measure == measure
            for side in sides
        }
        return [side for side in SIDES if side in seen]

    def find(self, measure: str, case: str, name: str) -> Figure | None:
        for figure in self._values:
            if (figure.measure, figure.case, figure.name) == (measure, case, name):
                return figure
        return None

    def add_run(self, figures: Iterable[Mapping[str, Any]]) -> None:
        """Adds the values of another run, as its `as_json` has given them."""
        for one in figures:
            figure = Figure(one["measure"], one["case"], one["name"], one["unit"])
            for side, its in one["sides"].items():
                for value in its["values"]:
                    self.add(side, figure, value)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                **attrs.asdict(figure),
                "sides": {
                    side: {
                        "median": statistics.median(values),
                        "values": values,
                        "ratio": self.ratio(figure, side),
                    }
                    for side, values in sides.items()
                },
            }
            for figure, sides in self._values.items()
        ]
