"""`phonegate key`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.owner import carry_out, target
from phonegate.model.principal import SCOPES

_FIELDS = {
    "to": "to",
    "per-hour": "per_hour",
    "per-day": "per_day",
    "quiet": "quiet_hours",
    "from": "from",
    "codes": "codes",
}
"""The name of each limit as an option, and in the gateway."""


def _limits(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that set a key's limits."""
    for option in (
        click.option(
            "--codes",
            type=click.Choice(["hidden"]),
            help="hidden: one-time codes are blanked in what it reads.",
        ),
        click.option(
            "--from",
            "from_",
            multiple=True,
            metavar="NUMBER",
            help="Read the messages of this number alone, written as --to. Repeatable.",
        ),
        click.option("--zone", metavar="ZONE", help="The quiet hours' zone, as Europe/Berlin."),
        click.option("--quiet", metavar="FROM-TO", help="Nothing leaves then, as 22:00-07:00."),
        click.option("--per-day", type=click.IntRange(min=1), help="Messages in any 24 hours."),
        click.option("--per-hour", type=click.IntRange(min=1), help="Messages in any 60 minutes."),
        click.option(
            "--to",
            multiple=True,
            metavar="NUMBER",
            help="Send to this number alone, or with a * to those that begin so; repeatable.",
        ),
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Add, list, limit, hold and revoke API keys.

    A key works wherever the org's secret does, within its scopes and limits.
    """


@command.command()
@click.argument("org")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it may do; may be repeated. phone: be a phone, and nothing else.  "
    "[default: send, read and manage; with limits send and read]",
)
@_limits
@click.option("--hold", is_flag=True, help="A person approves each message before it leaves.")
@options.as_json
@options.gateway
def add(
    *,
    org: str,
    name: str,
    scopes: tuple[str, ...],
    hold: bool,
    config: Path | None,
    database: Path | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Add an API key called NAME to the ORG and show it, once."""
    asked = _asked(**limits) | ({"hold": True} if hold else {})
    fields: dict[str, Any] = {"name": name, "scopes": list(scopes) or None, "limits": asked or None}
    answer = _carry_out(config, database, "POST", target("keys", org), fields)
    answer.setdefault("limits", None)
    if as_json:
        terminal.print_json(answer)
        return
    click.echo(f"id      {answer['id']}")
    click.echo(f"key     {answer['key']}")
    click.echo(f"scopes  {', '.join(answer['scopes'])}")
    if answer["limits"]:
        click.echo(f"limits  {_in_words(answer['limits'])}")
    click.echo("Keep the key: it is not shown again.", err=True)


@command.command(name="list")
@click.argument("org")
@options.as_json
@options.gateway
def list_(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the API keys of the ORG."""
    keys = _keys(config, database, org)
    if as_json:
        terminal.print_json({"keys": keys})
        return
    rows = [
        (
            k["id"],
            k["name"],
            ",".join(k["scopes"]),
            _in_words(k["limits"]),
            terminal.moment(k["created_at"]),
            terminal.optional_moment(k["last_used_at"]),
        )
        for k in keys
    ]
    headers = ("id", "name", "scopes", "limits", "created", "last used")
    terminal.show_table(headers, rows)


@command.command()
@click.argument("org")
@click.argument("key_id", metavar="ID")
@_limits
@click.option(
    "--lift",
    multiple=True,
    type=click.Choice([*_FIELDS, "all"]),
    help="Take this limit away; may be repeated. all: every one, and hold.",
)
@options.gateway
def limit(
    *,
    org: str,
    key_id: str,
    lift: tuple[str, ...],
    config: Path | None,
    database: Path | None,
    **limits: Any,
) -> None:
    """Change the limits of the API key ID of the ORG. Limits that are not named stay."""
    asked = _asked(**limits)
    if not asked and not lift:
        raise click.UsageError("Name a limit to set, or one to --lift.")
    lifted = [*_FIELDS.values(), "hold"] if "all" in lift else [_FIELDS[one] for one in lift]
    limited = _limit(config, database, org, key_id, {**dict.fromkeys(lifted), **asked})
    click.echo(f"{key_id}: {_in_words(limited) or 'no limits'}")


@command.command()
@click.argument("org")
@click.argument("key_id", metavar="ID")
@click.option("--off", is_flag=True, help="Let its messages leave without approval again.")
@options.gateway
def hold(*, org: str, key_id: str, off: bool, config: Path | None, database: Path | None) -> None:
    """Hold what an API key sends until a person approves it.

    `phonegate messages --held` lists what waits; `phonegate messages approve` lets it leave.
    """
    limits = _limit(config, database, org, key_id, {"hold": not off})
    click.echo(f"{key_id}: {_in_words(limits) or 'no limits'}")


@command.command()
@click.argument("org")
@click.argument("key_id", metavar="ID")
@click.option("--keep-queued", is_flag=True, help="Messages that have not left are still sent.")
@options.gateway
def revoke(
    *, org: str, key_id: str, keep_queued: bool, config: Path | None, database: Path | None
) -> None:
    """End an API key at once, and cancel what it sent that has not left."""
    address = target("keys", org, key_id, keep_queued=str(keep_queued).lower())
    count = _carry_out(config, database, "DELETE", address)["cancelled"]
    also = f"; cancelled {count} of its messages" if count else ""
    click.echo(f"Revoked {key_id}{also}.")


def _carry_out(*request: Any) -> dict[str, Any]:
    """Carries out a request. Errors name a limit as the options do."""
    from phonegate.operations.control_client import ControlRefused  # noqa: PLC0415

    try:
        return carry_out(*request)
    except ControlRefused as refused:
        raise refused.without("limits.") from None


def _keys(config: Path | None, database: Path | None, org: str) -> list[dict[str, Any]]:
    keys = _carry_out(config, database, "GET", target("keys", org))["keys"]
    return [{**key, "limits": key.get("limits")} for key in keys]


def _limit(
    config: Path | None, database: Path | None, org: str, key_id: str, change: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Changes some limits of a key. Returns all its limits."""
    present = [key for key in _keys(config, database, org) if key["id"] == key_id]
    limits = {**((present[0].get("limits") if present else None) or {}), **change}
    given = {name: value for name, value in limits.items() if value is not None}
    address, body = target("keys", org, key_id), {"limits": given}
    changed: dict[str, Any] = _carry_out(config, database, "PATCH", address, body)["key"]
    return changed.get("limits")


def _asked(
    *,
    to: tuple[str, ...],
    per_hour: int | None,
    per_day: int | None,
    quiet: str | None,
    zone: str | None,
    from_: tuple[str, ...],
    codes: str | None,
) -> dict[str, Any]:
    """Returns the limits that the options set, by the names of the gateway's API."""
    if (quiet is None) != (zone is None):
        raise click.UsageError("--quiet and --zone go together.")
    asked = {
        "to": list(to) or None,
        "per_hour": per_hour,
        "per_day": per_day,
        "quiet_hours": None if quiet is None else {"hours": quiet, "zone": zone},
        "from": list(from_) or None,
        "codes": codes,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _in_words(limits: Mapping[str, Any] | None) -> str | None:
    """Returns limits as text for a person, or None where there are none."""
    if not limits:
        return None
    quiet = limits["quiet_hours"]
    parts = (
        f"to {' '.join(limits['to'])}" if limits["to"] else None,
        f"{limits['per_hour']} an hour" if limits["per_hour"] else None,
        f"{limits['per_day']} a day" if limits["per_day"] else None,
        f"quiet {quiet['hours']} {quiet['zone']}" if quiet else None,
        "hold" if limits["hold"] else None,
        f"from {' '.join(limits['from'])}" if limits["from"] else None,
        "codes hidden" if limits["codes"] else None,
    )
    return ", ".join(part for part in parts if part)
