"""`phonegate hook`."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import click

from phonegate.cli import options, secrets, terminal
from phonegate.cli.failure import Failure
from phonegate.cli.owner import carry_out, target
from phonegate.model.hooks import MAX_CALL_BYTES, VerificationKind

Json = Mapping[str, Any]

STANDARD_INPUT: Final = "-"


def _mapping_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that change a ready-made mapping."""
    for option in (
        click.option("--sender", metavar="NUMBER", help="The number of the org that sends."),
        click.option(
            "--when",
            multiple=True,
            metavar="CONDITION",
            help="Send only where it holds, as 'status == firing'; may be repeated.",
        ),
        click.option("--text", metavar="TEMPLATE", help="The text, in place of its own."),
        click.option(
            "--to",
            multiple=True,
            metavar="NUMBER",
            help="A number, or a path in braces as '{user.phone}'; may be repeated.",
        ),
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Add, list, try and remove hooks: secret URLs that programs call, to send SMS.

    A mapping finds numbers and text in what a program posts. `phonegate hook ready` lists those
    that are ready-made; `json` is for a program of your own.
    """


@command.command()
@click.argument("org")
@click.argument("ready", metavar="MAPPING")
@_mapping_options
@click.option("--name", metavar="NAME", help="What to call it.  [default: the program]")
@click.option("--key", metavar="ID", help="The API key whose limits bind it.")
@click.option(
    "--verify", type=click.Choice(get_args(VerificationKind)), help="How its calls are verified."
)
@click.option("--header", metavar="NAME", help="The header of hmac or header.")
@click.option(
    "--secret-from",
    "source",
    type=click.Choice(secrets.SOURCES[1:]),
    default="prompt",
    show_default=True,
    help="Where the secret of --verify comes from; environment is PHONEGATE_SECRET.",
)
@options.as_json
@options.gateway
def add(
    *,
    org: str,
    ready: str,
    name: str | None,
    key: str | None,
    verify: str | None,
    header: str | None,
    source: str,
    config: Path | None,
    database: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Add a hook of the ORG, and show its URL, once.

    It begins with a ready-made MAPPING.
    """
    found = _ready(config, database, org, ready)
    if found["needs_recipient"] and not changes["to"]:
        raise click.UsageError(f"Name a number that {found['title']} is to write to: --to.")
    verification: dict[str, Any] | None = None
    if verify is not None:
        shown = found["verification"]
        usual = shown["header"] if verify == shown["kind"] else None
        secret = secrets.read(source)
        verification = {"kind": verify, "secret": secret, "header": header or usual}
    body = {
        "name": name or found["title"],
        "mapping": _mapping(found, changes),
        "verification": verification,
        "key": key,
    }
    answer = carry_out(config, database, "POST", target("hooks", "of", org), body)
    _show_url(answer, as_json=as_json)
    if not as_json:
        click.echo(found["steps"], err=True)


@command.command(name="list")
@click.argument("org")
@options.as_json
@options.gateway
def list_(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the hooks of the ORG, and their last calls."""
    found = carry_out(config, database, "GET", target("hooks", "of", org))["hooks"]
    if as_json:
        terminal.print_json({"hooks": found})
        return
    rows = [
        (
            one["id"],
            one["name"],
            one["verification"]["kind"],
            one["key"] or "",
            one["calls"],
            "" if one["last_used_at"] is None else terminal.moment(one["last_used_at"]),
            _standing(one),
        )
        for one in found
    ]
    terminal.show_table(("id", "name", "verified", "key", "calls", "last", "state"), rows)


@command.command()
@click.argument("org")
@options.as_json
@options.gateway
def ready(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the ready-made mappings.

    `add` and `try` take them by these names.
    """
    found = carry_out(config, database, "GET", target("hooks", "ready", org))["mappings"]
    if as_json:
        terminal.print_json({"mappings": found})
        return
    rows = [(one["name"], one["title"], one["about"]) for one in found]
    terminal.show_table(("name", "program", "calls when"), rows)


@command.command(name="try")
@click.argument("org")
@click.argument("ready", metavar="MAPPING")
@_mapping_options
@click.option(
    "--sample",
    metavar="FILE",
    help="What the program would post, as JSON; - is standard input.  [default: its own sample]",
)
@options.as_json
@options.gateway
def try_(
    *,
    org: str,
    ready: str,
    sample: str | None,
    config: Path | None,
    database: Path | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Show which numbers and text a MAPPING finds in a sample. Nothing is sent."""
    found = _ready(config, database, org, ready)
    posted = found["sample"] if sample is None else _sample(sample)
    body = {"mapping": _mapping(found, changes), "sample": posted}
    answer = carry_out(config, database, "POST", target("hooks", "try", org), body)
    if as_json:
        terminal.print_json({name: value for name, value in answer.items() if name != "ok"})
    elif not answer["sends"]:
        click.echo(f"Nothing would be sent. {terminal.clean(answer['reason'])}.")
    else:
        click.echo(f"to        {' '.join(answer['to'])}")
        click.echo(f"segments  {answer['segments']}")
        click.echo("text")
        for line in answer["text"].split("\n"):
            click.echo(f"  {terminal.clean(line)}")


@command.command()
@click.argument("org")
@click.argument("hook_id", metavar="ID")
@options.as_json
@options.gateway
def rotate(
    org: str, hook_id: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Give a hook another URL, and show it, once. The one before stops working at once."""
    address = target("hooks", "of", org, hook_id, "rotate")
    _show_url(carry_out(config, database, "POST", address), as_json=as_json)


@command.command()
@click.argument("org")
@click.argument("hook_id", metavar="ID")
@options.gateway
def remove(org: str, hook_id: str, config: Path | None, database: Path | None) -> None:
    """Remove a hook. Its URL stops working at once."""
    carry_out(config, database, "DELETE", target("hooks", "of", org, hook_id))
    click.echo(f"Removed {hook_id}.")


def _ready(config: Path | None, database: Path | None, org: str, name: str) -> dict[str, Any]:
    """Finds a ready-made mapping.

    Raises:
        UsageError: There is none of this name.
    """
    mappings = carry_out(config, database, "GET", target("hooks", "ready", org))["mappings"]
    for one in mappings:
        if one["name"] == name:
            found: dict[str, Any] = one
            return found
    names = ", ".join(one["name"] for one in mappings)
    raise click.UsageError(f"There is no mapping {name!r}. There are {names}.")


def _mapping(found: Json, changes: Json) -> dict[str, Any]:
    given = {name: value for name, value in changes.items() if value}
    lists = {name: list(given[name]) for name in ("to", "when") if name in given}
    return {**found["mapping"], **given, **lists}


def _sample(source: str) -> Any:
    """Reads a sample.

    Raises:
        Failure: It can't be read, or is no JSON.
    """
    try:
        if source == STANDARD_INPUT:
            text = sys.stdin.read(MAX_CALL_BYTES)
        else:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(MAX_CALL_BYTES)
        return json.loads(text)
    except OSError as error:
        raise Failure(f"{source} can't be read: {error.strerror}.") from None
    except ValueError:
        raise Failure("The sample is no JSON.") from None


def _show_url(answer: Json, *, as_json: bool) -> None:
    hook, url = answer["hook"], answer["url"]
    if as_json:
        terminal.print_json({"url": url, "hook": hook})
        return
    click.echo(f"id   {hook['id']}")
    click.echo(f"url  {url}")
    if url.startswith("/"):
        click.echo("It follows the address of the gateway, as http://192.168.1.5:8080.", err=True)
    click.echo("Keep the URL: it is not shown again.", err=True)


def _standing(hook: Json) -> str:
    """Returns in words whether a hook takes calls, and what became of the last."""
    if not hook["enabled"]:
        return f"disabled: {hook['disabled_reason']}"
    last = hook["last"]
    if last is None:
        return "not called yet"
    return f"{last['kind']}: {last['detail']}" if last["detail"] else str(last["kind"])
