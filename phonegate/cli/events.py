"""`phonegate events`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.event_lines import event_line, missing
from phonegate.model.bounds import MAX_PAGE

if TYPE_CHECKING:
    from phonegate.client import News


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
    from phonegate.cli.client import connect  # noqa: PLC0415

    about: dict[str, Any] = {"address": address, "sim": sim, "phone": phone}

    def show(news: "News") -> None:
        if news.gap is not None:
            click.echo(missing(news.gap.upto, since), err=True)
        for event in news.events:
            if as_json:
                terminal.print_json(event.raw)
            else:
                click.echo(event_line(event.raw))

    with connect(url, org, cacert) as gateway:
        if not follow:
            show(gateway.events_page(*types, since=since, limit=limit, **about))
            return
        with options.until_ctrl_c():
            patient = gateway.with_retries(context.obj.retries())
            first = patient.events_page(*types, since=since, limit=limit, **about)
            show(first)
            for news in patient.news(*types, since=first.upto, **about):
                show(news)
