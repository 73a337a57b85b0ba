"""The figures for people and for programs."""

from collections.abc import Iterator
from typing import Any

import attrs

from bench import bars
from bench.bars import Bar
from bench.figures import SIDES, Figure, Figures
from bench.machine import Noise
from bench.plan import Plan

TITLES = {
    "a": "Single sends, end to end (POST, commit, phone, result, `sent` stored)",
    "b": "Sends in batches, end to end",
    "c": "Received SMS, until they are committed",
    "d": "GET /messages, one client",
    "e": "Many phones connected",
    "f": "Start of the program",
    "g": "Queued messages to phones that return",
    "h": "Single sends on a disk with a 5 ms flush",
    "i": "A quiet org beside one that floods",
    "j": "Phones with the app SMS Gateway for Android beside as many that have a link",
    "k": "Many streams of events open at once in one org, and another org beside it",
    "l": "An org whose events are recorded, by one on the same server that does not listen",
}

HELP = """\
`phonegate` and `baseline` are medians over the rounds, with the least and the greatest in
brackets; `ratio` is phonegate's median by the baseline's. The baseline is `bench/baseline/`: the
same endpoints and phone link in FastAPI, uvicorn (uvloop, httptools) and aiosqlite, with a durable
commit for each message, of a batch too; the rows "one commit" compare with a better one, which
commits a whole batch at once (phonegate always does), and have no bar. Each round measures one side
after the other on fresh servers, and the next begins with the other side. The server has one core,
the load another; where the load's share of its core nears 100 %, the load is what was measured.
Each side's log goes to a file. Phones speak the plain protocol of `send_result` alone unless a row
says that they acknowledge. After each load, every accepted message was found to have reached a
phone exactly once and to be stored as `sent`."""


class Report:
    """What one run has to say."""

    def __init__(
        self, plan: Plan, figures: Figures, facts: dict[str, str], noise: list[Noise]
    ) -> None:
        self._plan = plan
        self._figures = figures
        self._facts = facts
        self._noise = noise

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{name}: {value}" for name, value in self._facts.items()]
        lines += self._noises()
        for letter, figures in self._by_measure():
            lines += ["", f"({letter}) {TITLES[letter]}"]
            rows = [self._row(figure) for figure in figures]
            lines += [
                f"  {case:36}{what:30}{ours:>24}{theirs:>24}{ratio:>7}"
                for case, what, ours, theirs, ratio in rows
            ]
        lines.append("")
        for bar in self._bars():
            value, floor, goal, verdict = _judged(bar)
            lines.append(f"{bar.text:62}{value:>12}  floor {floor:10} goal {goal:8} {verdict}")
        faults = [f"FAULT: {fault}" for fault in self._figures.faults]
        return "\n".join([*lines, *self._figures.notes, *faults])

    def markdown(self) -> str:
        """For `RESULTS.md`."""
        lines = ["# Results", "", f"Made by `python -m bench`. {HELP}", "", "## Bars", ""]
        lines += _table(
            ("bar", "measured", "floor", "goal", ""),
            [(bar.text, *_judged(bar)) for bar in self._bars()],
        )
        for letter, figures in self._by_measure():
            lines += ["", f"## ({letter}) {TITLES[letter]}", ""]
            header = ("case", "figure", *SIDES, "ratio")
            lines += _table(header, [self._row(figure) for figure in figures])
        lines += ["", "## Machine", ""]
        lines += [f"- {name}: {value}" for name, value in self._facts.items()]
        lines += [f"- {line}" for line in self._noises()]
        lines += [f"- {plan}" for plan in self._plan_lines()]
        lines += [f"- {note}" for note in self._figures.notes + self._figures.faults]
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self._facts,
            "noise": [attrs.asdict(noise) for noise in self._noise],
            "plan": attrs.asdict(self._plan),
            "figures": self._figures.as_json(),
            "bars": [
                {**attrs.asdict(bar), "holds": bar.holds, "goal_reached": bar.goal_reached}
                for bar in self._bars()
            ],
            "notes": self._figures.notes,
            "faults": self._figures.faults,
        }

    def _bars(self) -> list[Bar]:
        return [bar for bar in bars.of(self._figures, self._plan) if bar.value is not None]

    def _by_measure(self) -> Iterator[tuple[str, list[Figure]]]:
        for letter in TITLES:
            figures = [figure for figure in self._figures if figure.measure == letter]
            if figures:
                yield letter, figures

    def _row(self, figure: Figure) -> tuple[str, str, str, str, str]:
        ratio = self._figures.ratio(figure)
        ours, theirs = (self._cell(figure, side) for side in SIDES)
        what = f"{figure.name}, {figure.unit}" if figure.unit != "/s" else figure.name
        return figure.case, what, ours, theirs, "" if ratio is None else f"{ratio:.2f}"

    def _cell(self, figure: Figure, side: str) -> str:
        values = self._figures.values(figure, side)
        middle = self._figures.median(figure, side)
        if middle is None:
            return ""
        spread = f" ({_short(min(values))}-{_short(max(values))})" if len(values) > 1 else ""
        return _short(middle) + spread

    def _noises(self) -> list[str]:
        return [
            f"noise {when}: a fixed loop {noise.loop_ms[0]:.1f} ms on the server's core and"
            f" {noise.loop_ms[1]:.1f} ms on the load's, a flush of 4 KiB p50"
            f" {noise.flush_ms[0]:.2f} ms, p99 {noise.flush_ms[1]:.2f} ms"
            for when, noise in zip(self._whens(), self._noise, strict=True)
        ]

    def _whens(self) -> list[str]:
        return ["before"] + [f"after round {number + 1}" for number in range(len(self._noise) - 1)]

    def _plan_lines(self) -> list[str]:
        plan = self._plan
        return [
            f"{len(self._noise) - 1} rounds, {plan.seconds:g} s of each load after"
            f" {plan.warm_s:g} s of warming up; {plan.phones} phones share an org's sends"
        ]


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def _judged(bar: Bar) -> tuple[str, str, str, str]:
    """Value, floor and goal as text, and whether they are reached."""
    assert bar.value is not None
    sign = "≤" if bar.at_most else "≥"
    goal = "" if bar.goal is None else f"{sign} {_short(bar.goal)} {bar.unit}"
    verdict = "holds" if bar.holds else "MISSED"
    if bar.goal_reached:
        verdict = "goal reached"
    return (
        f"{_short(bar.value)} {bar.unit}",
        f"{sign} {_short(bar.floor)} {bar.unit}",
        goal,
        verdict,
    )


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
