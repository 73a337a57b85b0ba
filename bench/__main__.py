"""Measures phonegate beside what a user would write instead, in the same run, in turns.

    python -m bench                     all measures, a quarter of an hour
    python -m bench --quick             a first look, two minutes
    python -m bench --only a,e          some measures
    python -m bench --only a --profile send.svg

The server runs on one core, the load on another. Figures are medians over the rounds.
"""

import argparse
import gc
import json
import sys
import tempfile
from pathlib import Path

import attrs
import uvloop

from bench import machine
from bench.figures import Figures
from bench.plan import DEFAULT, QUICK, Plan
from bench.report import Report
from bench.run import LETTERS, Run
from kit.program import cores, on_core


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a first look, two minutes")
    parser.add_argument("--only", default=LETTERS, help=f"measures, of {','.join(LETTERS)}")
    parser.add_argument("--rounds", type=int, help="turns of each side (3; quick: 1)")
    parser.add_argument("--minutes", type=float, help="begins no round after so long (15; 2)")
    parser.add_argument("--phones", type=int, help="that share an org's sends (8)")
    parser.add_argument("--no-log", action="store_true", help="no side writes a line a request")
    parser.add_argument("--folder", type=Path, help="where the databases go, such as an SD card")
    parser.add_argument("--json", type=Path, help="writes the figures there")
    parser.add_argument("--write", type=Path, help="writes the report there, as Markdown")
    parser.add_argument(
        "--profile", type=Path, help="what phonegate does in one measure: .svg or .txt"
    )
    chosen = parser.parse_args(arguments)
    letters = list(chosen.only.replace(",", ""))
    if unknown := [letter for letter in letters if letter not in LETTERS]:
        parser.error(f"no measure {', '.join(unknown)}; there are {', '.join(LETTERS)}")
    plan = _plan(chosen)
    figures = Figures()
    with (
        tempfile.TemporaryDirectory(prefix="phonegate-bench-", dir=chosen.folder) as folder,
        on_core(cores()[1]),
    ):
        run = Run(Path(folder), plan, figures, log=not chosen.no_log)
        # The load's own collector would add its pauses to what it times.
        gc.disable()
        if chosen.profile is not None:
            try:
                uvloop.run(run.profile(letters[0], chosen.profile))
            except ValueError as error:
                parser.error(str(error))
            print(f"written to {chosen.profile}")
            return 0
        try:
            uvloop.run(run.measure(letters))
        except KeyboardInterrupt:
            figures.fault("It was stopped before its end.")
        report = Report(plan, figures, machine.facts(Path(folder)), run.noise)
    print(report.text())
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if chosen.write is not None:
        chosen.write.write_text(report.markdown())
    return 1 if figures.faults else 0


def _plan(chosen: argparse.Namespace) -> Plan:
    plan = QUICK if chosen.quick else DEFAULT
    given = {
        name: getattr(chosen, name)
        for name in ("rounds", "minutes", "phones")
        if getattr(chosen, name) is not None
    }
    return attrs.evolve(plan, **given)


if __name__ == "__main__":
    sys.exit(main())
