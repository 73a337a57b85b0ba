"""Measures phonegate beside what a user would write instead, in the same run, in turns.

    python -m bench                         all measures, 20 minutes
    python -m bench --quick                 a first look, three minutes
    python -m bench --only a,e              some measures
    python -m bench --only a --before main  beside another revision of phonegate
    python -m bench --only a --before main --quick --match "64 clients, both"
    python -m bench --only a --profile send.svg

Figures are medians over the rounds.
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs
import uvloop

from bench import machine
from bench.figures import BARE, FULLER, Figures
from bench.machine import Noise
from bench.plan import DEFAULT, QUICK, QUICK_PAIR, Plan
from bench.report import Report
from bench.run import LETTERS, Run
from bench.servers import Side, bare, before, fuller, phonegate
from kit.program import cores, on_core


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a first look, three minutes")
    parser.add_argument("--only", default=LETTERS, help=f"measures, of {','.join(LETTERS)}")
    parser.add_argument("--match", metavar="TEXT", help="sends: cases with it, as '64 clients'")
    parser.add_argument("--rounds", type=int, help="turns of each side (3; quick: 1)")
    parser.add_argument("--minutes", type=float, help="begins no round after so long (20; 3)")
    parser.add_argument("--before", metavar="REVISION", help="beside phonegate at that revision")
    parser.add_argument(
        "--beside",
        help=f"beside which baselines, of {BARE},{FULLER} (both; none with --before)",
    )
    parser.add_argument(
        "--log",
        action="store_true",
        help="a log line for each request, but by the bare one",
    )
    parser.add_argument("--folder", type=Path, help="where the databases go, such as an SD card")
    parser.add_argument(
        "--after",
        type=Path,
        metavar="JSON",
        help="an earlier run, whose rounds are added",
    )
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
        tempfile.TemporaryDirectory(prefix="phonegate-before-") as tree,
        on_core(cores()[1]),
    ):
        try:
            sides = _sides(chosen, Path(tree))
        except (subprocess.CalledProcessError, ValueError) as error:
            parser.error(str(error))
        run = Run(Path(folder), plan, figures, sides)
        if chosen.after is not None:
            earlier = json.loads(chosen.after.read_text())
            figures.add_run(earlier["figures"])
            # That before this run takes the place of that after the earlier one.
            run.noise += [Noise(*map(tuple, one.values())) for one in earlier["noise"][:-1]]
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


def _sides(chosen: argparse.Namespace, tree: Path) -> list[Side]:
    """Returns phonegate and what it is measured beside, of which `before` is put into `tree`.

    Raises:
        ValueError: There is no such baseline.
        subprocess.CalledProcessError: Git knows no such revision.
    """
    log = chosen.log
    sides = [phonegate(log=log)]
    beside = chosen.beside
    if chosen.before is not None:
        sides.append(before(chosen.before, tree, log=log))
    elif beside is None:
        beside = f"{BARE},{FULLER}"
    for name in (beside or "").split(",") if beside else ():
        match name:
            case "bare":
                sides.append(bare())
            case "fuller":
                sides += [fuller(log=log), fuller(log=log, batched=True)]
            case _:
                raise ValueError(f"no baseline {name}")
    return sides


def _plan(chosen: argparse.Namespace) -> Plan:
    plan = DEFAULT
    if chosen.quick:
        plan = QUICK if chosen.before is None else QUICK_PAIR
    given = {
        name: getattr(chosen, name)
        for name in ("rounds", "minutes", "match")
        if getattr(chosen, name) is not None
    }
    return attrs.evolve(plan, **given)


if __name__ == "__main__":
    sys.exit(main())
