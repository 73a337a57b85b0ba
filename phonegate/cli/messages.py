"""`phonegate messages`."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.following import Following
from phonegate.model.bounds import MAX_PAGE

if TYPE_CHECKING:
    from phonegate.cli.client import Client
    from phonegate.cli.retries import Pauses

LONGEST_LOOK_S = 30.0
"""Most seconds between two reads of unfinished messages. They begin `Pauses.received_s` apart."""


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
    from phonegate.cli.client import connect, with_retries  # noqa: PLC0415
    from phonegate.cli.retries import Retries  # noqa: PLC0415

    about = {"direction": direction, "address": address, "sim": sim, "key": key, "q": search}
    state = {"status": status, "waiting_for": "approval" if held else None}
    wanted = {name: value for name, value in state.items() if value is not None}

    def fits(message: Mapping[str, Any]) -> bool:
        return all(message.get(name) == value for name, value in wanted.items())

    with connect(url, org, cacert) as client:

        def begin() -> tuple[list[dict[str, Any]], int]:
            """Returns the page to show first, and the id after which to follow."""
            last = since or 0
            if follow and wanted and since is None:
                newest = _page(client, {**about, "limit": 1})
                last = newest[-1]["id"] if newest else 0
            bounds = {"since_id": since, "before_id": before, "limit": limit}
            found = _page(client, {**about, **wanted, **bounds})
            return found, max(last, *(message["id"] for message in found), 0)

        if not follow:
            _show(begin()[0], as_json=as_json)
            return
        # A person ends this by Ctrl-C, which is not a failure.
        try:
            found, last = with_retries(begin, Retries(pauses=context.obj))
            following = Following(last, fits)
            following.seen(found, time.monotonic())
            _show(found, as_json=as_json)
            _follow(client, following, about, context.obj, as_json=as_json)
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                # The terminal shows ^C, and the shell would write on the same line.
                click.echo(err=True)


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

    with connect(url, org, cacert) as client:
        answer = client.post(f"/messages/{client.org}/id/{message}/{decision}", {})
    click.echo(terminal.message_line(answer["message"]))


def _follow(
    client: "Client",
    following: Following,
    about: Mapping[str, Any],
    pauses: "Pauses",
    *,
    as_json: bool,
) -> None:
    """Shows messages as they arrive and change, also after the gateway was away."""
    # Imported here to keep `--help` fast.
    from phonegate.cli.client import with_retries  # noqa: PLC0415
    from phonegate.cli.retries import Retries  # noqa: PLC0415

    def ask(since: int, limit: int) -> list[dict[str, Any]]:
        query = {**about, "since_id": since, "limit": limit}
        retries = Retries(None, pauses=pauses)
        found: list[dict[str, Any]] = with_retries(lambda: _page(client, query), retries)
        return found

    poll_s = pauses.received_s
    pause, next_poll_at = poll_s, 0.0
    while True:
        time.sleep(poll_s)
        while page := ask(following.last, MAX_PAGE):
            pause, next_poll_at = poll_s, time.monotonic() + poll_s
            _show(following.take(page, time.monotonic()), as_json=as_json)
            if len(page) < MAX_PAGE:
                break
        now = time.monotonic()
        after = following.next_poll(now) if now >= next_poll_at else None
        if after is not None:
            changed = following.changed(after, ask(after, following.look), time.monotonic())
            pause = poll_s if changed else min(pause * 2, LONGEST_LOOK_S)
            next_poll_at = time.monotonic() + pause
            _show(changed, as_json=as_json)


def _page(client: "Client", query: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = client.get(f"/messages/{client.org}", query)["messages"]
    return messages


def _show(messages: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    for message in messages:
        if as_json:
            terminal.print_json(message)
        else:
            click.echo(terminal.message_line(message))
