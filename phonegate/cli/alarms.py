"""`phonegate alarms`."""

from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.owner import target


@click.group()
def command() -> None:
    """List the alarms that are on; try the targets that they are reported to.

    [alarms] notify in gateway.toml names the targets.
    """


@command.command("list")
@options.as_json
@options.gateway
def list_(config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the alarms that are on, with what to do.

    Fails (exit code 1) where no gateway serves.
    """
    answer = _ask(config, database, "GET", "alarms")
    if as_json:
        terminal.print_json(answer)
        return
    if not answer["alarms"]:
        click.echo("No alarm is on.")
    for one in answer["alarms"]:
        about = f" ({one['about']})" if one["about"] else ""
        click.secho(terminal.clean(f"{one['alarm']}{about}"), fg="yellow")
        click.echo(terminal.clean(f"  {one['sentence']}"))
        if one["remedy"]:
            click.echo(terminal.clean(f"  {one['remedy']}"))


@command.command()
@options.as_json
@options.gateway
def test(config: Path | None, database: Path | None, *, as_json: bool) -> int:
    """Send a test notice to every target, and show whether it arrived.

    Exits with 1 where a target did not take it, where there is no target, and where no gateway
    serves.
    """
    answer = _ask(config, database, "POST", "alarms", "test")
    targets = answer["targets"]
    if as_json:
        terminal.print_json(answer)
    elif not targets:
        click.echo("There is no target: [alarms] notify in gateway.toml names them.", err=True)
    else:
        arrived = click.style("ok    ", fg="green")
        failed = click.style("FAILED", fg="red", bold=True)
        for one in targets:
            mark = arrived if one["arrived"] else failed
            said = terminal.clean(f"{one['target']}: {one['answer']} ({one['seconds']:.1f} s)")
            click.echo(f"{mark}  {said}")
    return 0 if targets and all(one["arrived"] for one in targets) else 1


def _ask(config: Path | None, database: Path | None, method: str, *parts: str) -> dict[str, Any]:
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import OwnerRequest, ask  # noqa: PLC0415

    path = Path(options.settings(config, database).database.path).absolute()
    return ask(path, OwnerRequest(method, target(*parts)))
