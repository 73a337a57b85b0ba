"""Abuses a gateway in every known way, beside honest clients, and reports what they noticed.

    python -m trials.abuse                         all cases, about eight minutes
    python -m trials.abuse --only "disk full"      one of them, or more
    python -m trials.abuse --seconds 20            longer attacks

Each case has the gateway as a process, and honest clients as another: an app that sends, one that
reads, a webhook, a phone. Before, during and after the attack their requests are measured; at
the end they say whether all that they were promised came. Exits 1 when anything was not as
expected. What this machine lacks is skipped, and said so.
"""

import argparse
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import trio

from trials.abuse import trial
from trials.abuse.case import Case
from trials.abuse.cases import CASES
from trials.abuse.environments import ENVIRONMENTS
from trials.abuse.trial import Report
from trials.abuse.victim import Unavailable, Victim

CALM_S = 3.0
LOST = ("lost", "unsent", "doubled")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m trials.abuse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=CASES, metavar="CASE", help="this one")
    parser.add_argument("--seconds", type=float, default=8, help="of an attack (8)")
    parser.add_argument("--minutes", type=float, default=10, help="begins nothing after (10)")
    parser.add_argument("--list", action="store_true", help="only lists the cases")
    chosen = parser.parse_args(arguments)
    cases = [CASES[name] for name in chosen.only or CASES]
    if chosen.list:
        for case in cases:
            print(f"{case.name}: {case.expected}")
        return 0
    until = time.monotonic() + chosen.minutes * 60
    reports: list[Report] = []
    faults: list[str] = []
    for environment in dict.fromkeys(case.environment for case in cases):
        some = [case for case in cases if case.environment == environment]
        with tempfile.TemporaryDirectory(prefix="phonegate-abuse-") as folder:
            try:
                with ENVIRONMENTS[environment](Path(folder)) as victim:
                    reports += _on(victim, some, chosen.seconds, until)
                    faults += [f"{environment}: {fault}" for fault in verdict(victim)]
            except Unavailable as unavailable:
                print(f"SKIPPED {', '.join(case.name for case in some)}: {unavailable}", flush=True)
    _table(reports)
    faults += [f"{report.case.name}: {fault}" for report in reports for fault in report.faults]
    for fault in faults:
        print("FAULT", fault)
    print(f"{len(reports)} cases, {len(faults)} faults")
    return 1 if faults or not reports else 0


def _on(victim: Victim, cases: Iterable[Case], seconds: float, until: float) -> list[Report]:
    reports = []
    for case in cases:
        if time.monotonic() > until:
            print(f"SKIPPED {case.name}: the time is over", flush=True)
            continue
        try:
            report = trio.run(partial(trial.run, case, victim, seconds=seconds, calm_s=CALM_S))
        except Unavailable as unavailable:
            print(f"SKIPPED {case.name}: {unavailable}", flush=True)
            continue
        reports.append(report)
        print(f"{case.name} ({report.seconds:.0f} s)", flush=True)
        width = max(60, shutil.get_terminal_size((100, 24)).columns)
        for title, text in (("expected", case.expected), ("seen", "; ".join(report.facts))):
            print(textwrap.fill(f"{title}: {text}", width, initial_indent="  ",
                                subsequent_indent="    "))  # fmt: skip
        for fault in report.faults:
            print("  FAULT", fault, flush=True)
    return reports


def verdict(victim: Victim) -> list[str]:
    """Returns what the honest clients found wrong in the end."""
    found = victim.honest.finish()
    print(f"honest clients: {found}", flush=True)
    if "failed" in found:
        return [f"the honest clients failed: {found['failed']}"]
    faults = [f"honest messages {what}: {found[what]}" for what in LOST if found[what]]
    if not found["ascending"]:
        faults.append("honest messages: their ids do not ascend")
    if not found["accepted"]:
        faults.append("the honest clients sent nothing")
    return faults


def _table(reports: Iterable[Report]) -> None:
    print(f"\n{'case':36}{'p99 calm':>10}{'during':>10}{'after':>10}{'tasks':>12}{'fds':>12}"
          f"{'MiB':>12}  faults")  # fmt: skip
    for r in reports:
        p99 = "".join(f"{r.worst(phase):7.1f} ms" for phase in (r.calm, r.during, r.after))
        held = [
            f"{a} → {b}"
            for a, b in (
                (r.before.tasks, r.left.tasks),
                (r.before.descriptors, r.left.descriptors),
                (r.before.rss_bytes >> 20, r.left.rss_bytes >> 20),
            )
        ]
        columns = "".join(f"{text:>12}" for text in held)
        print(f"{r.case.name:36}{p99}{columns}  {len(r.faults)}")


if __name__ == "__main__":
    sys.exit(main())
