"""`phonegate org`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, org_moving, secrets, terminal
from phonegate.cli.owner import carry_out, target


@click.group()
def command() -> None:
    """Add, list, set up, move and remove orgs, and change their secrets.

    This works both while the gateway serves and while it does not.
    """


@command.command()
@click.argument("name")
@secrets.option
@options.as_json
@options.gateway
def add(
    name: str, source: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Add the org NAME and show its secret, once. Only a hash of it is kept."""
    body = {"org": name, "secret": secrets.read(source)}
    answer = carry_out(config, database, "POST", "/orgs", body, makes_database=True)
    _show_secret(answer, source, as_json=as_json)


@command.command(name="list")
@options.as_json
@options.gateway
def list_(config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List every org."""
    orgs = carry_out(config, database, "GET", "/orgs")["orgs"]
    if as_json:
        terminal.print_json({"orgs": orgs})
    elif not orgs:
        click.echo("There is no org yet: `phonegate org add NAME` makes one.")
    else:
        rows = [
            (
                one["org"],
                terminal.moment(one["created_at"]),
                one["default_country"] or "",
                str(one["max_characters"]),
                one["account_sid"],
                "suspended" if one["suspended_at"] else "",
            )
            for one in orgs
        ]
        heads = ("org", "created", "country", "characters", "account sid")
        if any(row[-1] for row in rows):
            terminal.show_table((*heads, "state"), rows)
        else:
            terminal.show_table(heads, [row[:-1] for row in rows])


@command.command(name="set")
@click.argument("name")
@click.option(
    "--default-country",
    metavar="DE",
    help="Whose numbers are written without a country code. `none` takes it back.",
)
@click.option("--max-characters", type=int, help="How long a text of it may be.")
@options.as_json
@options.gateway
def set_(
    name: str,
    default_country: str | None,
    max_characters: int | None,
    config: Path | None,
    database: Path | None,
    *,
    as_json: bool,
) -> None:
    """Set the country and the longest text of the org NAME.

    A text has at most 255 segments, which are 39,015 plain characters. At first it is 1,600.
    """
    body = {"default_country": default_country, "max_characters": max_characters}
    chosen = {field: value for field, value in body.items() if value is not None}
    if not chosen:
        raise click.UsageError("Name --default-country, --max-characters or both.")
    if default_country == "none":
        chosen["default_country"] = ""
    org = carry_out(config, database, "PATCH", target("orgs", name), chosen)["org"]
    if as_json:
        terminal.print_json(org)
    else:
        click.echo(f"org         {org['org']}")
        click.echo(f"country     {org['default_country'] or 'none'}")
        click.echo(f"characters  {org['max_characters']}")


@command.command()
@click.argument("name")
@secrets.option
@options.as_json
@options.gateway
def rotate(
    name: str, source: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Give the org NAME a new secret. The old one ends at once. Its API keys and hooks stay.

    They are shown, since a person who had the secret may have made one.
    """
    body = {"secret": secrets.read(source)}
    answer = carry_out(config, database, "POST", target("orgs", name, "secret"), body)
    _show_secret(answer, source, as_json=as_json)
    keys = answer.get("keys", [])
    if keys and not as_json:
        click.echo(f"These API keys of {name} go on. `phonegate key revoke` ends one:", err=True)
        for key in keys:
            click.echo(f"  {key['id']}  {terminal.clean(key['name'])}", err=True)
    webhooks = answer.get("webhooks", [])
    if webhooks and not as_json:
        click.echo(
            f"So do these webhooks. `phonegate webhook remove {name} ID` ends one:", err=True
        )
        for one in webhooks:
            click.echo(f"  {one['id']}  {terminal.clean(one['url'])}", err=True)
    hooks = answer.get("hooks", [])
    if hooks and not as_json:
        click.echo(f"And these hooks. `phonegate hook remove {name} ID` ends one:", err=True)
        for one in hooks:
            click.echo(f"  {one['id']}  {terminal.clean(one['name'])}", err=True)


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.gateway
def remove(name: str, config: Path | None, database: Path | None, *, yes: bool) -> None:
    """Remove the org NAME with all that it has, for good.

    Its phones, messages, API keys, webhooks and hooks are deleted.
    A phone that goes on with its old secret does not make it again. Only `phonegate org add` does.
    """
    if not yes:
        # An org that does not exist is refused here, before the question.
        carry_out(config, database, "GET", target("keys", name))
        click.confirm(f"Remove {name} with all its messages?", abort=True, err=True)
    carry_out(config, database, "DELETE", target("orgs", name))
    click.echo(f"Removed {name}.")


command.add_command(org_moving.suspend)
command.add_command(org_moving.resume)
command.add_command(org_moving.export)
command.add_command(org_moving.import_)


def _show_secret(answer: Mapping[str, Any], source: str, *, as_json: bool) -> None:
    if as_json:
        shown = {
            field: answer[field]
            for field in ("org", "secret", "keys", "webhooks", "hooks")
            if field in answer
        }
        terminal.print_json(shown)
    else:
        click.echo(f"org     {answer['org']}")
        if source == "generate":
            click.echo(f"secret  {answer['secret']}")
            click.echo("Keep the secret: it is not shown again.", err=True)
    if answer.get("published"):
        click.echo(
            "Everybody has this secret: it stands in the documents. The gateway takes it from this "
            "machine and private networks alone.",
            err=True,
        )
