"""`phonegate org`."""

from pathlib import Path

import click

from phonegate.cli import options, secrets, terminal
from phonegate.cli.owner import carry_out


@click.group()
def command() -> None:
    """Add, list and remove orgs; change their secrets.

    Works while the gateway serves, and when it does not.
    """


@command.command()
@click.argument("name")
@secrets.option
@options.as_json
@options.gateway
def add(
    name: str, source: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Add the org NAME and show its secret, once: it is kept only as a hash."""
    answer = carry_out(config, database, "org_add", org=name, secret=secrets.read(source))
    _show_secret(answer["org"], answer["secret"], source, as_json=as_json)


@command.command(name="list")
@options.as_json
@options.gateway
def list_(config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List every org."""
    orgs = carry_out(config, database, "org_list")["orgs"]
    if as_json:
        terminal.print_json({"orgs": orgs})
    else:
        rows = [(one["org"], terminal.moment(one["created_at"])) for one in orgs]
        terminal.show_table(("org", "created"), rows)


@command.command()
@click.argument("name")
@secrets.option
@options.as_json
@options.gateway
def rotate(
    name: str, source: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Give the org NAME a new secret; the old one ends at once, its API keys go on."""
    answer = carry_out(config, database, "org_rotate", org=name, secret=secrets.read(source))
    _show_secret(answer["org"], answer["secret"], source, as_json=as_json)


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.gateway
def remove(name: str, config: Path | None, database: Path | None, *, yes: bool) -> None:
    """Remove the org NAME with its phones, messages and API keys, for good."""
    if not yes:
        click.confirm(f"Remove {name} with all its messages?", abort=True, err=True)
    carry_out(config, database, "org_remove", org=name)
    click.echo(f"Removed {name}.")


def _show_secret(org: str, secret: str, source: str, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"org": org, "secret": secret})
    elif source == "generate":
        click.echo(f"org     {org}")
        click.echo(f"secret  {secret}")
        click.echo("Keep the secret: it is not shown again.", err=True)
    else:
        click.echo(f"org     {org}")
