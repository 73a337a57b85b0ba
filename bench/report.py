"""The figures for people and for programs."""

from collections.abc import Iterator
from typing import Any

import attrs

from bench import bars
from bench.bars import Bar
from bench.figures import OURS, Figure, Figures
from bench.machine import Noise
from bench.plan import Plan

TITLES = {
    "a": "Single sends, end to end (POST, commit, phone, result, `sent` stored)",
    "b": "Sends in batches, end to end",
    "c": "Received SMS, until they are committed (one org, one core)",
    "d": "GET /messages, one client (one core)",
    "e": "Many phones connected (one core)",
    "f": "Start of the program (one core)",
    "g": "Queued messages to phones that return (one core)",
    "h": "Single sends on a disk with a 5 ms flush",
    "i": "A quiet org beside one that floods (one core)",
    "j": "Phones with the app SMS Gateway for Android beside as many that have a link (one core)",
    "k": "Many streams of events open at once in one org, and another org beside it (one core)",
    "l": "An org whose events are recorded, by one on the same server that does not listen"
    " (one core)",
}

HELP = """\
A column has the medians of one side over the rounds, with the least and the greatest in brackets;
"by ..." is phonegate's median by that side's.

- `bare` is `bench/bare.py`: the least code that answers the five calls, in FastAPI, uvicorn
  (uvloop, httptools) and aiosqlite. It has no stored accounts, sends by any phone of the org, has
  two indexes, and gives a call, a batch too, one durable commit.
- `fuller` is `bench/fuller/`, of the same packages: stored accounts with a slow hash that is
  checked once, routes to SIMs, checked fields, and a durable commit for each message, of a batch
  too; `fuller, one commit` gives a batch one.
- `before` is phonegate at an earlier revision.

No side writes a log line for a request that was answered, as by phonegate's default settings
(`--log`: phonegate and the fuller one do).

All commits are durable (`synchronous=FULL`) on all sides, and nothing is answered or pushed before
its own. Unless a row says otherwise, 20 orgs send, each to one phone of its own that speaks the
plain protocol of `send_result` alone, and each request is of the next org, over connections that
all share, as a proxy's; pacing is off. "Both cores": server and load run where the
system puts them, as users run a server. "One core": the server has one core, the load another;
where the load's share of its core nears 100 %, the load is what was measured. In (a) to (d) and
(h) all sides run at once and take turns of a second or less, after a warming up in which each
secret was hashed; else one side is measured after the other, on fresh servers. The order changes
with the turns and the rounds. CPU is user and system of the whole server process, by its messages.
Each side's log goes to a file. After each load, every accepted message was found to have reached a
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
            sides = self._figures.sides(letter)
            for case, what, *cells in [
                self._header(sides),
                *(self._row(figure, sides) for figure in figures),
            ]:
                values, ratios = cells[: len(sides)], cells[len(sides) :]
                shown = [f"{cell:>24}" for cell in values] + [f"{cell:>11}" for cell in ratios]
                lines.append(f"  {case:40}{what:42}{''.join(shown)}")
        lines.append("")
        for bar in self._bars():
            value, floor, goal, verdict = _judged(bar)
            lines.append(f"{bar.text:74}{value:>12}  floor {floor:10} goal {goal:8} {verdict}")
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
            sides = self._figures.sides(letter)
            rows = [self._row(figure, sides) for figure in figures]
            lines += _table(self._header(sides), rows)
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

    @staticmethod
    def _header(sides: list[str]) -> tuple[str, ...]:
        return ("case", "figure", *sides, *(f"by {side}" for side in sides if side != OURS))

    def _row(self, figure: Figure, sides: list[str]) -> tuple[str, ...]:
        ratios = [self._figures.ratio(figure, side) for side in sides if side != OURS]
        what = f"{figure.name}, {figure.unit}" if figure.unit != "/s" else figure.name
        return (
            figure.case,
            what,
            *(self._cell(figure, side) for side in sides),
            *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        )

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
            f"{len(self._noise) - 1} rounds; {plan.turns} turns of {plan.seconds:g} s of each side"
            f" with each load, after {plan.warm_s:g} s of warming up; {plan.phones} phones where"
            " one org sends"
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
