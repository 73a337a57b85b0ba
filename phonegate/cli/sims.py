"""`phonegate sims`."""

from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal


@click.command(epilog=options.CLIENT_EPILOG)
@options.as_json
@options.client
def command(*, as_json: bool, url: str, org: str | None, cacert: Path | None) -> None:
    """List the SIMs of an org's phones, and which are online."""
    from phonegate.cli.client import connect  # noqa: PLC0415 - keeps `--help` fast

    with connect(url, org, cacert) as client:
        answer = client.get(f"/sims/{client.org}")
    if as_json:
        terminal.print_json(answer)
        return
    live = [_key(sim) for sim in answer["live_sims"]]
    rows = [
        [sim.get("slot"), sim.get("number"), sim.get("carrier"), "yes" if _key(sim) in live else ""]
        for sim in answer["known_sims"]
    ]
    click.echo(f"Phones online: {answer['online_devices']}")
    if rows:
        terminal.show_table(("slot", "number", "carrier", "online"), rows)


def _key(sim: dict[str, Any]) -> tuple[Any, Any]:
    return sim.get("slot"), sim.get("number")
