"""`phonegate status`."""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.quantities import duration, size

WATCH_S = 2.0
"""Seconds between two updates of --watch: as often as a person reads a number."""

_WAITS_FOR = {
    "phone": "a phone that is away",
    "turn": "their turn at a phone",
    "carrier": "their turn at a carrier",
    "time": "their time (send_at, quiet hours)",
    "approval": "a person's approval",
    "result": "the result of a push",
}


@click.command()
@click.option("--phones", is_flag=True, help="Tell how many phones each org has connected.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@options.as_json
@options.gateway
def command(
    config: Path | None, database: Path | None, *, phones: bool, watch: bool, as_json: bool
) -> None:
    """Show the state of the gateway that serves here: phones, queue, rates, storage, alarms.

    Fails (exit code 1) where none serves.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import OwnerRequest, ask  # noqa: PLC0415

    path = Path(options.settings(config, database).database.path).absolute()
    command = OwnerRequest("GET", f"/status?phones={str(phones).lower()}")
    while True:
        answer = ask(path, command)
        if watch and not as_json and sys.stdout.isatty():
            click.clear()
        if as_json:
            terminal.print_json(answer)
        else:
            click.echo("\n".join(lines(answer)))
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(WATCH_S)


def lines(status: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines of a status for a person."""
    storage, lately = status["storage"], dict(status["lately"])
    yield (
        f"phonegate {status['version']}, process {status['pid']}, "
        f"up for {duration(status['uptime_s'])}"
    )
    yield f"phones     {status['phones_online']} online, {status['connections']} connections"
    for org, count in status.get("phones", {}).items():
        yield f"           {count:>5}  {terminal.clean(org)}"
    waiting = {reason: one for reason, one in status["waiting"].items() if one["messages"]}
    yield f"queue      {sum(one['messages'] for one in waiting.values())} messages wait"
    for reason, one in waiting.items():
        oldest = one["oldest_s"]
        since = "" if oldest is None else f", the oldest for {duration(oldest)}"
        yield f"           {one['messages']:>5}  for {_WAITS_FOR.get(reason, reason)}{since}"
    seconds = round(lately.pop("seconds"))
    moved = ", ".join(f"{count} {name}" for name, count in lately.items() if count)
    yield f"lately     {moved or 'nothing'} (last {seconds} s)"
    yield (
        f"storage    {size(storage['database_bytes'])} database, {size(storage['log_bytes'])} log, "
        f"{size(storage['free_bytes'])} free on the disk" + _trouble(storage)
    )
    alarms = [" ".join((one["alarm"], one["about"])).strip() for one in status["alarms"]]
    yield f"alarms     {terminal.clean(', '.join(alarms)) or 'none'}"


def _trouble(storage: Mapping[str, Any]) -> str:
    # A gateway of an earlier version does not report it.
    if not storage.get("in_place", True):
        return "; THE DATABASE FILE IS GONE"
    return "; THE DISK TAKES NO WRITES" if storage["failing"] else ""
