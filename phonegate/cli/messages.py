"""`phonegate messages`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.model.bounds import MAX_PAGE


@click.group(invoke_without_command=True, epilog=options.CLIENT_EPILOG)
@click.option(
    "--follow",
    "-f",
    is_flag=True,
    help="Go on: show new ones as they come, and each change of state.",
)
@click.option("--since", type=int, metavar="ID", help="Only those after this id, oldest first.")
@click.option("--before", type=int, metavar="ID", help="Only those before this id.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), help="How many.  [default: 100]")
@click.option("--direction", type=click.Choice(["in", "out"]), help="Received or sent ones.")
@click.option("--status", help="Only those of this status, such as queued.")
@click.option("--address", metavar="NUMBER", help="Only those from or to this number.")
@click.option("--sim", help="Only those of this SIM: its number or slot.")
@click.option("--key", metavar="ID", help="Only those that this API key sent.")
@click.option("--search", metavar="WORDS", help="Only those that hold all these words.")
@click.option("--held", is_flag=True, help="Only those that wait for a person's approval.")
@options.as_json
@options.client
@click.pass_context
def command(
    context: click.Context,
    *,
    follow: bool,
    since: int | None,
    before: int | None,
    limit: int | None,
    direction: str | None,
    status: str | None,
    address: str | None,
    sim: str | None,
    key: str | None,
    search: str | None,
    held: bool,
    as_json: bool,
    url: str,
    org: str | None,
    cacert: Path | None,
) -> None:
    """Read an org's messages: the newest, or those after an id, the oldest of them first.

    With --json, each message is a JSON object on a line of its own, and with --follow each change
    as well. With --status or --held, --follow shows messages as they come into that state. The
    commands decide about messages that wait for a person's approval, of API keys that hold theirs.
    """
    if context.invoked_subcommand is not None:
        # Options before the command's name hold for the command too.
        said = {"url": url, "org": org, "cacert": cacert}
        given = {name: value for name, value in said.items() if value is not None}
        context.default_map = dict.fromkeys(("approve", "refuse"), given)
        return
    # Imported here to keep `--help` fast.
    from phonegate.cli.client import connect  # noqa: PLC0415
    from phonegate.cli.message_follower import MessageFollower  # noqa: PLC0415

    about = {"direction": direction, "address": address, "sim": sim, "key": key, "search": search}
    state = {"status": status, "waiting_for": "approval" if held else None}
    bounds = {"since": since, "before": before, "limit": limit}

    def show(messages: Iterable[Mapping[str, Any]]) -> None:
        for message in messages:
            if as_json:
                terminal.print_json(message)
            else:
                click.echo(terminal.message_line(message))

    with connect(url, org, cacert) as gateway:
        if not follow:
            page: dict[str, Any] = {**about, **state, **bounds}
            show(message.raw for message in gateway.page(**page))
            return
        with options.until_ctrl_c():
            MessageFollower(gateway, about, state, context.obj, show).run(bounds)


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=click.IntRange(min=1))
@options.client
def approve(id: int, url: str, org: str | None, cacert: Path | None) -> None:  # noqa: A002 - the argument's own name
    """Approve the message ID: it leaves at once, or at its time."""
    _decide(id, "approve", url, org, cacert)


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=click.IntRange(min=1))
@options.client
def refuse(id: int, url: str, org: str | None, cacert: Path | None) -> None:  # noqa: A002
    """Refuse the message ID that waits for approval, which cancels it."""
    _decide(id, "refuse", url, org, cacert)


def _decide(message: int, decision: str, url: str, org: str | None, cacert: Path | None) -> None:
    from phonegate.cli.client import connect  # noqa: PLC0415 - keeps `--help` fast

    with connect(url, org, cacert) as gateway:
        decided = gateway.approve(message) if decision == "approve" else gateway.refuse(message)
    click.echo(terminal.message_line(decided.raw))
