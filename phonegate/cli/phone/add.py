"""`phonegate phone add`."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from phonegate import colour
from phonegate.bind_address import leads_to_loopback
from phonegate.cli import columns, options, terminal
from phonegate.cli.failure import Failure


@click.command()
@click.argument("org")
@click.option("--name", help="What the phone is called.  [default: what it says itself]")
@click.option(
    "--url",
    help="The gateway's address, as the phone reaches it.  [default: [http] public_url, or this "
    "machine's address in its network]",
)
@click.option(
    "--qr/--no-qr", default=None, help="Print the link as a QR code.  [default: on a terminal]"
)
@options.as_json
@options.gateway
def add(
    org: str,
    name: str | None,
    url: str | None,
    config: Path | None,
    database: Path | None,
    *,
    qr: bool | None,
    as_json: bool,
) -> None:
    """Pair a new phone with the ORG: show its API key and a link for it.

    The link works for 15 minutes, in the browser that opens it first. Its page explains how to
    connect the phone, with everything to copy, and shows when it is online and when a test SMS
    came back. The gateway has to serve.
    """
    answer = _pair(config, database, {"org": org, "name": name, "url": url})
    if as_json:
        terminal.print_json(answer)
        return
    called = "one that is called what it says itself" if name is None else terminal.clean(name)
    click.echo(f"phone    {called}, of {answer['org']}")
    click.echo(f"address  {answer['url']}")
    for other in answer["other_urls"]:
        click.echo(f"         {other} (another network of this machine)")
    click.echo(f"key      {answer['key']}")
    click.echo(f"link     {answer['link']}")
    if sys.stdout.isatty() if qr is None else qr:
        _show_code(answer["link"])
    if answer["certificate_page"]:
        click.echo(
            "If the phone's browser warns of the link, the phone has to trust this gateway first: "
            f"{answer['certificate_page']} tells how.",
            err=True,
        )
    if leads_to_loopback(answer["url"]):
        click.echo(
            f"Warning: no phone reaches {answer['url']}, since that is this machine for itself. "
            "Name an address in the phone's network by --url, or give none to have it found.",
            err=True,
        )
    click.echo(
        "Open the link on the phone within 15 minutes; it works in one browser alone. Keep the "
        "key: it is not shown again.",
        err=True,
    )


def _pair(config: Path | None, database: Path | None, body: dict[str, Any]) -> dict[str, Any]:
    """Asks the gateway that serves for a link. Links live in its memory.

    Raises:
        Failure: None serves.
        ControlError: It refused, or can't be asked.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations.control_client import (  # noqa: PLC0415
        ControlRefused,
        NotServing,
        OwnerRequest,
        ask,
    )

    path = Path(options.settings(config, database).database.path).absolute()
    try:
        return ask(path, OwnerRequest("POST", "/pairings", body))
    except NotServing:
        raise Failure(
            f"No gateway is serving {path}. Start it with `phonegate serve`, then pair the phone."
        ) from None
    except ControlRefused as refused:
        if refused.code == "not_found":
            command = f"phonegate org add {shlex.quote(body['org'])}"
            raise Failure(f"{refused.detail} `{command}` makes it.") from None
        raise


def _show_code(link: str) -> None:
    """Prints a link as a QR code, or why that is not possible here."""
    from phonegate.cli import qr_code  # noqa: PLC0415 - keeps `--help` fast

    drawn = qr_code.lines(link, coloured=colour.wanted(sys.stdout, os.environ))
    width = columns.width(click.unstyle(drawn[0]))
    try:
        qr_code.SHAPES.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        click.echo("(The character set of this terminal can't show a QR code.)", err=True)
        return
    if sys.stdout.isatty() and shutil.get_terminal_size().columns < width:
        click.echo(f"(The QR code needs a terminal of {width} columns.)", err=True)
        return
    click.echo("\n".join(["", *drawn, ""]))
