"""`phonegate messages`."""

import contextlib
import time
from typing import TYPE_CHECKING, Any

import click

from phonegate.cli import options, terminal

if TYPE_CHECKING:
    from phonegate.cli.client import Client

POLL_S = 1.0
"""Between two looks for new messages: people read, and a page costs the gateway little."""
LONGEST_PAUSE_S = 30.0
"""Between two tries while the gateway does not answer."""
PAGE = 1_000
"""The most messages that one answer holds."""


@click.group(invoke_without_command=True, epilog=options.CLIENT_EPILOG)
@click.option("--follow", "-f", is_flag=True, help="Go on showing new ones as they come.")
@click.option("--since", type=int, metavar="ID", help="Only those after this id, oldest first.")
@click.option("--before", type=int, metavar="ID", help="Only those before this id.")
@click.option("--limit", type=click.IntRange(1, PAGE), help="How many.  [default: 100]")
@click.option("--direction", type=click.Choice(["in", "out"]), help="Received or sent ones.")
@click.option("--status", help="Only those of this status, such as queued.")
@click.option("--address", metavar="NUMBER", help="Only those from or to this number.")
@click.option("--sim", help="Only those of this SIM: its number or slot.")
@click.option("--key", metavar="ID", help="Only those that this API key sent.")
@click.option("--search", metavar="WORDS", help="Only those that hold all these words.")
@click.option("--held", is_flag=True, help="Only those that wait for a person's approval.")
@options.as_json
@options.client_of_group
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
) -> None:
    """Read an org's messages: the newest, or those after an id; oldest first on the screen.

    With --json, one JSON object a line. The commands decide about messages that wait for a
    person's approval, of API keys that hold theirs.
    """
    if context.invoked_subcommand is not None:
        # What was said before the command's name holds for it too.
        context.default_map = {
            name: {"url": url} | ({} if org is None else {"org": org})
            for name in ("approve", "refuse")
        }
        return
    if org is None:
        raise click.MissingParameter(
            param=next(p for p in command.params if p.name == "org"), ctx=context
        )
    from phonegate.cli.client import Client, secret  # noqa: PLC0415 - keeps `--help` fast

    query = {
        "direction": direction,
        "status": status,
        "address": address,
        "sim": sim,
        "key": key,
        "q": search,
        "waiting_for": "approval" if held else None,
    }
    with Client(url, org, secret()) as client:
        path = f"/messages/{client.org}"
        page = client.get(path, {**query, "since_id": since, "before_id": before, "limit": limit})
        last = _show(page["messages"], since or 0, as_json=as_json)
        if follow:
            # Ctrl-C is how a person ends this: no failure.
            with contextlib.suppress(KeyboardInterrupt):
                _follow(client, query, last, as_json=as_json)


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=click.IntRange(min=1))
@options.client
def approve(id: int, url: str, org: str) -> None:  # noqa: A002 - the argument's own name
    """Let the message ID leave that waits for approval: at once, or at its time."""
    _decide(url, org, id, "approve")


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=click.IntRange(min=1))
@options.client
def refuse(id: int, url: str, org: str) -> None:  # noqa: A002
    """Cancel the message ID that waits for approval."""
    _decide(url, org, id, "refuse")


def _decide(url: str, org: str, message: int, decision: str) -> None:
    from phonegate.cli.client import Client, secret  # noqa: PLC0415 - keeps `--help` fast

    with Client(url, org, secret()) as client:
        answer = client.post(f"/messages/{client.org}/id/{message}/{decision}", {})
    click.echo(terminal.message_line(answer["message"]))


def _follow(client: "Client", query: dict[str, Any], last: int, *, as_json: bool) -> None:
    """Shows messages after `last` as they come, also after the gateway was away."""
    from phonegate.cli.client import Unreachable  # noqa: PLC0415 - keeps `--help` fast

    pause = POLL_S
    while True:
        time.sleep(pause)
        try:
            page = client.get(f"/messages/{client.org}", {**query, "since_id": last, "limit": PAGE})
        except Unreachable as error:
            if pause == POLL_S:
                click.echo(f"phonegate: {error} Trying again.", err=True)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        else:
            last = _show(page["messages"], last, as_json=as_json)
            pause = POLL_S


def _show(messages: list[dict[str, Any]], last: int, *, as_json: bool) -> int:
    """Prints messages; returns the highest id seen."""
    for message in messages:
        if as_json:
            terminal.print_json(message)
        else:
            click.echo(terminal.message_line(message))
        last = max(last, message["id"])
    return last
