"""The figures for people and for programs."""

from typing import Any

import attrs

from bench.figures import SIDES, Figure, Figures
from bench.machine import Noise
from bench.plan import Plan

TITLES = {
    "a": "Single sends, end to end",
    "b": "Batches, end to end",
    "e": "Many phones connected",
}


class Report:
    def __init__(
        self, plan: Plan, figures: Figures, facts: dict[str, str], noise: list[Noise]
    ) -> None:
        self._plan = plan
        self._figures = figures
        self._facts = facts
        self._noise = noise

    def text(self) -> str:
        """A table for a terminal."""
        lines = [f"{name}: {value}" for name, value in self._facts.items()]
        lines += [self._noise_line(noise) for noise in self._noise]
        measure = ""
        for figure in sorted(self._figures, key=lambda figure: figure.measure):
            if figure.measure != measure:
                measure = figure.measure
                lines += ["", f"({measure}) {TITLES[measure]}"]
            lines.append(self._row(figure))
        return "\n".join([*lines, *self._figures.notes])

    def _row(self, figure: Figure) -> str:
        ratio = self._figures.ratio(figure)
        cells = [self._cell(figure, side) for side in SIDES]
        shown = "" if ratio is None else f"{ratio:6.2f}"
        return (
            f"  {figure.case:28}{figure.name:26}{figure.unit:>13}{cells[0]:>26}{cells[1]:>26}"
            f"{shown:>8}"
        )

    def _cell(self, figure: Figure, side: str) -> str:
        values = self._figures.values(figure, side)
        if not values:
            return "-"
        middle = self._figures.median(figure, side)
        assert middle is not None
        spread = f" ({_short(min(values))}-{_short(max(values))})" if len(values) > 1 else ""
        return _short(middle) + spread

    def _noise_line(self, noise: Noise) -> str:
        return (
            f"noise: loop {noise.loop_ms[0]:.1f} and {noise.loop_ms[1]:.1f} ms,"
            f" flush p50 {noise.flush_ms[0]:.2f} p99 {noise.flush_ms[1]:.2f} ms"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self._facts,
            "noise": [attrs.asdict(noise) for noise in self._noise],
            "plan": attrs.asdict(self._plan),
            "figures": self._figures.as_json(),
            "notes": self._figures.notes,
        }

    def markdown(self) -> str:
        return self.text()


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
