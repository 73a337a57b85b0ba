"""`phonegate setup`."""

from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.failure import Failure


@click.command()
@options.as_json
@options.gateway
def command(config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """Show the one-time link by which a new gateway is set up in a browser.

    `phonegate serve` prints the same link when it starts. It works while there is no org, and each
    start makes another one. Once the gateway is set up, this shows where its console is.
    """
    answer = _ask(config, database)
    if as_json:
        terminal.print_json({name: answer[name] for name in ("links", "console")})
        return
    if not answer["links"]:
        click.echo(f"The gateway is set up. Sign in at {answer['console'][0]}")
        click.echo("`phonegate org list` shows its orgs, and `phonegate org add` makes another.")
        return
    best, *others = answer["links"]
    click.echo(best)
    for other in others:
        click.echo(f"or  {other}", err=True)
    click.echo(
        "Open it in a browser. It makes the first org, and works once: who has it is the owner of "
        "this gateway.",
        err=True,
    )


def _ask(config: Path | None, database: Path | None) -> dict[str, Any]:
    """Asks the gateway that serves. The link lives in its memory.

    Raises:
        Failure: None serves.
        ControlError: It can't be asked.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import NotServing, OwnerRequest, ask  # noqa: PLC0415

    path = Path(options.settings(config, database).database.path).absolute()
    try:
        return ask(path, OwnerRequest("GET", "/set-up"))
    except NotServing:
        raise Failure(
            f"No gateway is serving {path}. Start it with `phonegate serve`, which prints the link."
        ) from None
