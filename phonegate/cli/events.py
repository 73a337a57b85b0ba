"""`phonegate events`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phonegate.cli import options, terminal
from phonegate.cli.event_lines import event_line
from phonegate.model.bounds import MAX_PAGE

if TYPE_CHECKING:
    from phonegate.cli.event_source import News


@click.command(epilog=options.CLIENT_EPILOG)
@click.option("--follow", "-f", is_flag=True, help="Go on: show each event as it happens.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only of this type, such as message.received or phone.*.",
)
@click.option("--since", type=int, metavar="ID", help="Only those after this id, oldest first.")
@click.option("--limit", type=click.IntRange(1, MAX_PAGE), help="How many.  [default: 100]")
@click.option("--address", metavar="NUMBER", help="Only those of messages from or to this number.")
@click.option("--sim", help="Only those of messages by this SIM: its number or slot.")
@click.option(
    "--phone", type=int, metavar="ID", help="Only those of this phone, and of messages by it."
)
@options.as_json
@options.client
@click.pass_context
def command(
    context: click.Context,
    *,
    follow: bool,
    types: tuple[str, ...],
    since: int | None,
    limit: int | None,
    address: str | None,
    sim: str | None,
    phone: int | None,
    as_json: bool,
    url: str,
    org: str | None,
    cacert: Path | None,
) -> None:
    """Read what has happened to an org's messages and phones.

    These are the newest events, or those after an id, the oldest of them first. They are recorded
    from the first time that anybody asks for them, and kept for some days. --type may be given
    several times. With --json, each event is a JSON object on a line of its own.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.client import connect, with_retries  # noqa: PLC0415
    from phonegate.cli.event_source import EventSource, tell_of_gap  # noqa: PLC0415
    from phonegate.cli.retries import Retries  # noqa: PLC0415

    about = {"types": ",".join(types) or None, "address": address, "sim": sim, "phone": phone}

    def show(news: "News") -> None:
        if news.gap is not None:
            tell_of_gap(news.gap, since)
        for event in news.events:
            if as_json:
                terminal.print_json(event)
            else:
                click.echo(event_line(event))

    with connect(url, org, cacert) as client:
        source = EventSource(client, about, context.obj)
        if not follow:
            show(source.page(since, limit))
            return
        with options.until_ctrl_c():
            first = with_retries(lambda: source.page(since, limit), Retries(pauses=context.obj))
            show(first)
            for news in source.follow(first.upto):
                show(news)
