"""`phonegate assistant`."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from phonegate.carriers.provider import CredentialField
from phonegate.carriers.registry import (
    CARRIERS,
    PROVIDERS,
    alternatives,
    credentials_in_words,
    titles,
)
from phonegate.cli import options, terminal
from phonegate.cli.failure import Failure
from phonegate.cli.owner import carry_out, target
from phonegate.config import client_environment
from phonegate.model.assistants import PHONE

LONGEST_INPUT = 65_536
"""Most characters read from standard input: far more than the credentials of any account."""


_THROUGH = alternatives([*titles(), "an own phone"])


@click.group(
    help=f"""Add, list, show and remove assistants.

    An assistant owns sender numbers of an org, and sends from them through {_THROUGH}.
    """
)
def command() -> None:
    """Does nothing before the command below it."""


@command.command(
    help=f"""Add an assistant called NAME to the ORG.

    Credentials are never options: every user of a machine can read those.
    {". ".join(credentials_in_words())}.
    """
)
@click.argument("org")
@click.argument("name")
@click.option(
    "--provider",
    required=True,
    type=click.Choice(PROVIDERS),
    help="Through what it sends.",
)
@click.option(
    "--number",
    "numbers",
    multiple=True,
    required=True,
    metavar="+NUMBER",
    help="A number that it sends from; may be repeated.",
)
@click.option(
    "--credentials-from",
    "source",
    type=click.Choice(["prompt", "stdin", "environment"]),
    default="prompt",
    show_default=True,
    help="Where the account's credentials come from; stdin takes lines such as "
    "auth_token=…, environment is PHONEGATE_ASSISTANT_AUTH_TOKEN and so on.",
)
@options.as_json
@options.gateway
def add(  # noqa: PLR0917 - click calls it by name
    org: str,
    name: str,
    provider: str,
    numbers: tuple[str, ...],
    source: str,
    config: Path | None,
    database: Path | None,
    *,
    as_json: bool,
) -> None:
    """Adds an assistant."""
    body = {
        "name": name,
        "provider": provider,
        "phone_numbers": list(numbers),
        "credentials": _credentials(provider, source),
    }
    answer = carry_out(config, database, "POST", target("assistants", org_id=org), body)
    _show({"org": org, **answer["assistant"]}, as_json=as_json)


@command.command(name="list")
@click.argument("org")
@options.as_json
@options.gateway
def list_(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the assistants of the ORG."""
    answer = carry_out(config, database, "GET", target("assistants", org_id=org))
    found = [{"org": org, **one} for one in answer["assistants"]]
    if as_json:
        terminal.print_json({"assistants": found})
        return
    rows = [
        (
            one["id"],
            one["name"],
            one["provider"],
            ",".join(one["phone_numbers"]),
            terminal.moment(one["created_at"]),
            "gateway.toml" if one["from_file"] else None,
        )
        for one in found
    ]
    headers = ("id", "name", "provider", "numbers", "created", "declared in")
    terminal.show_table(headers, rows)


@command.command()
@click.argument("org")
@click.argument("assistant_id", metavar="ID", type=int)
@options.as_json
@options.gateway
def show(
    org: str, assistant_id: int, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Show the assistant ID of the ORG, its credentials masked."""
    address = target("assistants", str(assistant_id), org_id=org)
    found = carry_out(config, database, "GET", address)["assistant"]
    _show({"org": org, **found}, as_json=as_json)


@command.command()
@click.argument("org")
@click.argument("assistant_id", metavar="ID", type=int)
@options.gateway
def remove(org: str, assistant_id: int, config: Path | None, database: Path | None) -> None:
    """Remove the assistant ID of the ORG. Its messages stay."""
    address = target("assistants", str(assistant_id), org_id=org)
    carry_out(config, database, "DELETE", address)
    click.echo(f"Removed {assistant_id}.")


def _show(assistant: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(assistant)
        return
    rows = [
        ("id", assistant["id"]),
        ("org", assistant["org"]),
        ("name", assistant["name"]),
        ("provider", assistant["provider"]),
        ("numbers", ", ".join(assistant["phone_numbers"])),
        *assistant["credentials"].items(),
        ("created", terminal.moment(assistant["created_at"])),
    ]
    if assistant["callback_url"]:
        rows.append(("callbacks", assistant["callback_url"]))
    if assistant["from_file"]:
        rows.append(("declared in", "gateway.toml"))
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"{label:<{width}}  {terminal.clean(value)}")


def _credentials(provider: str, source: str) -> dict[str, str]:
    """Reads the account's credentials from the given source. Their form is checked later."""
    if provider == PHONE:
        return {}
    fields = CARRIERS[provider].fields
    if source == "prompt":
        return _asked(fields)
    if source == "stdin":
        return _from_lines(sys.stdin.read(LONGEST_INPUT).splitlines())
    return _from_environment(fields)


def _asked(fields: Iterable[CredentialField]) -> dict[str, str]:
    found = {}
    for field in fields:
        more: dict[str, Any] = {} if field.required else {"default": "", "show_default": False}
        label = field.name if field.required else f"{field.name} (Enter for none)"
        value = str(click.prompt(label, hide_input=field.secret, err=True, **more)).strip()
        if value:
            found[field.name] = value
    return found


def _from_environment(fields: Iterable[CredentialField]) -> dict[str, str]:
    found, missing = {}, []
    for field in fields:
        variable = client_environment.ASSISTANT + field.name.upper()
        if value := os.environ.get(variable, ""):
            found[field.name] = value
        elif field.required:
            missing.append(variable)
    if missing:
        raise Failure(f"Set {' and '.join(missing)}.")
    return found


def _from_lines(lines: Iterable[str]) -> dict[str, str]:
    """Reads lines `name=value`. Empty lines, and those that begin with #, are skipped."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        # The wrong line may be a secret without its name, so it is not quoted.
        if not equals or not (name.isascii() and name.isidentifier()):
            raise Failure(f"Line {number} of standard input is not name=value.")
        if name in found:
            raise Failure(f"Line {number} of standard input gives {name} again.")
        found[name] = value.strip()
    if not found:
        raise Failure("There are no credentials in standard input.")
    return found
