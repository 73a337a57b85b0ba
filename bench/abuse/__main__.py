"""Abuses a gateway in every known way, beside honest users, and tells what they noticed.

    python -m bench.abuse                         all kinds, about eight minutes
    python -m bench.abuse --only "disk full"      one of them, or more
    python -m bench.abuse --seconds 20            longer attacks

Each kind has the gateway as a process, and honest users as another: an app that sends, one that
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

from bench.abuse import trial
from bench.abuse.attacks import KINDS
from bench.abuse.ground import Ground, Lacking
from bench.abuse.kind import Kind
from bench.abuse.stages import STAGES
from bench.abuse.trial import Report

CALM_S = 3.0
LOST = ("lost", "unsent", "doubled")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.abuse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=KINDS, metavar="KIND", help="this one")
    parser.add_argument("--seconds", type=float, default=8, help="of an attack (8)")
    parser.add_argument("--minutes", type=float, default=10, help="begins nothing after (10)")
    parser.add_argument("--list", action="store_true", help="only tells the kinds")
    chosen = parser.parse_args(arguments)
    kinds = [KINDS[name] for name in chosen.only or KINDS]
    if chosen.list:
        for kind in kinds:
            print(f"{kind.name}: {kind.expected}")
        return 0
    until = time.monotonic() + chosen.minutes * 60
    reports: list[Report] = []
    faults: list[str] = []
    for stage in dict.fromkeys(kind.stage for kind in kinds):
        some = [kind for kind in kinds if kind.stage == stage]
        with tempfile.TemporaryDirectory(prefix="phonegate-abuse-") as folder:
            try:
                with STAGES[stage](Path(folder)) as ground:
                    reports += _on(ground, some, chosen.seconds, until)
                    faults += [f"{stage}: {fault}" for fault in verdict(ground)]
            except Lacking as lacking:
                print(f"SKIPPED {', '.join(kind.name for kind in some)}: {lacking}", flush=True)
    _table(reports)
    faults += [f"{report.kind.name}: {fault}" for report in reports for fault in report.faults]
    for fault in faults:
        print("FAULT", fault)
    print(f"{len(reports)} kinds, {len(faults)} faults")
    return 1 if faults or not reports else 0


def _on(ground: Ground, kinds: Iterable[Kind], seconds: float, until: float) -> list[Report]:
    reports = []
    for kind in kinds:
        if time.monotonic() > until:
            print(f"SKIPPED {kind.name}: the time is over", flush=True)
            continue
        try:
            report = trio.run(partial(trial.run, kind, ground, seconds=seconds, calm_s=CALM_S))
        except Lacking as lacking:
            print(f"SKIPPED {kind.name}: {lacking}", flush=True)
            continue
        reports.append(report)
        print(f"{kind.name} ({report.seconds:.0f} s)", flush=True)
        width = max(60, shutil.get_terminal_size((100, 24)).columns)
        for title, text in (("expected", kind.expected), ("seen", "; ".join(report.facts))):
            print(textwrap.fill(f"{title}: {text}", width, initial_indent="  ",
                                subsequent_indent="    "))  # fmt: skip
        for fault in report.faults:
            print("  FAULT", fault, flush=True)
    return reports


def verdict(ground: Ground) -> list[str]:
    """What the honest users found wrong in the end."""
    told = ground.party.finish()
    print(f"honest users: {told}", flush=True)
    if "failed" in told:
        return [f"the honest users failed: {told['failed']}"]
    faults = [f"honest messages {what}: {told[what]}" for what in LOST if told[what]]
    if not told["ascending"]:
        faults.append("honest messages: their ids do not ascend")
    if not told["accepted"]:
        faults.append("the honest users sent nothing")
    return faults


def _table(reports: Iterable[Report]) -> None:
    print(f"\n{'kind':36}{'p99 calm':>10}{'during':>10}{'after':>10}{'tasks':>12}{'fds':>12}"
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
        print(f"{r.kind.name:36}{p99}{columns}  {len(r.faults)}")


if __name__ == "__main__":
    sys.exit(main())
