"""`phonegate key`."""

from pathlib import Path

import click

from phonegate.cli import options, terminal
from phonegate.cli.owner import carry_out


@click.group()
def command() -> None:
    """Add, list and revoke API keys.

    A key works wherever the org's secret does, as far as its scopes reach.
    """


@command.command()
@click.argument("org")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["send", "read", "manage"]),
    help="What it may do; may be repeated.  [default: everything]",
)
@options.as_json
@options.gateway
def add(
    org: str,
    name: str,
    scopes: tuple[str, ...],
    config: Path | None,
    database: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add an API key called NAME to the ORG and show it, once."""
    answer = carry_out(config, database, "key_add", org=org, name=name, scopes=list(scopes))
    if as_json:
        terminal.print_json(answer)
        return
    click.echo(f"id      {answer['id']}")
    click.echo(f"key     {answer['key']}")
    click.echo(f"scopes  {', '.join(answer['scopes'])}")
    click.echo("Keep the key: it is not shown again.", err=True)


@command.command(name="list")
@click.argument("org")
@options.as_json
@options.gateway
def list_(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the API keys of the ORG."""
    keys = carry_out(config, database, "key_list", org=org)["keys"]
    if as_json:
        terminal.print_json({"keys": keys})
        return
    rows = [
        (k["id"], k["name"], ",".join(k["scopes"]), k["created_at"], k["last_used_at"])
        for k in keys
    ]
    click.echo(terminal.table(("id", "name", "scopes", "created", "last used"), rows))


@command.command()
@click.argument("org")
@click.argument("key_id", metavar="ID")
@options.gateway
def revoke(org: str, key_id: str, config: Path | None, database: Path | None) -> None:
    """End the API key ID of the ORG at once."""
    carry_out(config, database, "key_revoke", org=org, id=key_id)
    click.echo(f"Revoked {key_id}.")
