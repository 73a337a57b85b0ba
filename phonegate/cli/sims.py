"""`phonegate sims`."""

from pathlib import Path

import click

from phonegate.cli import options, terminal


@click.command(epilog=options.CLIENT_EPILOG)
@options.as_json
@options.client
def command(*, as_json: bool, url: str, org: str | None, cacert: Path | None) -> None:
    """List the SIMs of an org's phones, and which are online."""
    from phonegate.cli.client import connect  # noqa: PLC0415 - keeps `--help` fast

    with connect(url, org, cacert) as gateway:
        sims = gateway.sims()
    if as_json:
        terminal.print_json(sims.raw)
        return
    live = {(sim.slot, sim.number) for sim in sims.live_sims}
    rows = [
        [sim.slot, sim.number, sim.carrier, "yes" if (sim.slot, sim.number) in live else ""]
        for sim in sims.known_sims
    ]
    click.echo(f"Phones online: {sims.online_devices}")
    if rows:
        terminal.show_table(("slot", "number", "carrier", "online"), rows)
