"""`phonegate webhook`."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from phonegate.cli import columns, options, terminal
from phonegate.cli.event_lines import TYPE_COLUMNS
from phonegate.cli.owner import carry_out, target

SHAPES: Final = ("standard", "flat", "twilio", "smsgate")

LOOK_S: Final = 1.0
"""Seconds between two looks into a log that is followed."""

MOST_LINES: Final = 200
"""Deliveries that one request shows."""

ANSWER_COLUMNS: Final = 60
"""The columns that the log gives to the beginning of an answer. `--json` has more of it."""

Json = Mapping[str, Any]

_FIRST: Final = "message.received"


def _headers(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Reads headers as curl takes them, `Name: value`. No error repeats one."""
    found = {}
    for value in values:
        name, colon, text = value.partition(":")
        if not colon or not name.strip() or not text.strip():
            raise click.BadParameter(
                "This is no header such as 'Authorization: Bearer abc'.", context, option
            )
        found[name.strip()] = text.strip()
    return found


@click.group()
def command() -> None:
    """Add, list, test and remove webhooks: URLs that are called with an org's events."""


@command.command()
@click.argument("org")
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="TYPE",
    default=(_FIRST,),
    help="What it gets, such as message.received, message.* or phone.offline; may be repeated.  "
    f"[default: {_FIRST}]",
)
@click.option("--address", metavar="NUMBER", help="Only of messages with this other party.")
@click.option("--sim", metavar="SIM", help="Only of messages by this SIM, by number or slot.")
@click.option("--phone", type=click.IntRange(min=1), metavar="ID", help="Only of this phone.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="'NAME: VALUE'",
    help="Sent along with each call; may be repeated. Other users of this machine may see it here.",
)
@click.option(
    "--shape",
    type=click.Choice(SHAPES),
    default="standard",
    show_default=True,
    help="standard: events as JSON. flat: on one level of keys. twilio: forms as Twilio sends.",
)
@click.option("--name", metavar="NAME", help="What to call it.")
@options.as_json
@options.gateway
def add(
    *,
    org: str,
    url: str,
    events: tuple[str, ...],
    headers: dict[str, str],
    config: Path | None,
    database: Path | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Add a webhook of the ORG, and show its secret, once.

    The URL is called with each event of the given types.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    body = {"url": url, "events": list(events), "headers": headers, **given}
    answer = carry_out(config, database, "POST", target("webhooks", org), body)
    _show_secret(answer, org, as_json=as_json)


@command.command(name="list")
@click.argument("org")
@options.as_json
@options.gateway
def list_(org: str, config: Path | None, database: Path | None, *, as_json: bool) -> None:
    """List the webhooks of the ORG."""
    found = carry_out(config, database, "GET", target("webhooks", org))["webhooks"]
    if as_json:
        terminal.print_json({"webhooks": found})
        return
    rows = [
        (
            one["id"],
            one["name"],
            one["url"],
            _events(one),
            one["shape"],
            one["waiting"],
            _standing(one),
        )
        for one in found
    ]
    terminal.show_table(("id", "name", "url", "events", "shape", "waiting", "state"), rows)


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@options.as_json
@options.gateway
def show(
    org: str, webhook_id: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Show one webhook of the ORG."""
    address = target("webhooks", org, webhook_id)
    webhook = carry_out(config, database, "GET", address)["webhook"]
    if as_json:
        terminal.print_json({"webhook": webhook})
        return
    for line in _lines(webhook):
        click.echo(line)


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@options.as_json
@options.gateway
def test(
    org: str, webhook_id: str, config: Path | None, database: Path | None, *, as_json: bool
) -> int:
    """Call a webhook with a sample, and show what its receiver answers.

    The exit code is 1 where it does not take it.
    """
    address = target("webhooks", org, webhook_id, "test")
    answer = carry_out(config, database, "POST", address)
    if as_json:
        terminal.print_json({"succeeded": answer["succeeded"], "delivery": answer["delivery"]})
    else:
        delivery = answer["delivery"]
        status = delivery["status"]
        click.echo(f"status  {'none' if status is None else status}")
        if delivery["error"]:
            click.echo(f"error   {terminal.clean(delivery['error'])}")
        click.echo(f"took    {delivery['ms']} ms")
        if delivery["answer"]:
            click.echo(f"answer  {terminal.clean(delivery['answer'])}")
    return 0 if answer["succeeded"] else 1


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, MOST_LINES),
    default=20,
    show_default=True,
    help="How many deliveries, of the newest.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with each new one, until stopped.")
@options.as_json
@options.gateway
def log(
    *,
    org: str,
    webhook_id: str,
    limit: int,
    follow: bool,
    config: Path | None,
    database: Path | None,
    as_json: bool,
) -> None:
    """Show what was delivered to a webhook, and what is on its way.

    Each line has the number of the delivery, when its receiver was called last, the type of the
    event, the HTTP status, what went wrong, and when it is called again. --json has more of what
    the receiver answered.
    """
    address = ("webhooks", org, webhook_id, "deliveries")

    def read(**bounds: int) -> list[Json]:
        answer = carry_out(config, database, "GET", target(*address, **bounds))
        found: list[Json] = answer["deliveries"]
        return found[::-1]

    if follow:
        with options.until_ctrl_c():
            for one in _followed(read, limit):
                if as_json:
                    terminal.print_json(one)
                else:
                    click.echo(_line(one))
        return
    deliveries = read(limit=limit)
    if as_json:
        terminal.print_json({"deliveries": deliveries})
        return
    for one in deliveries:
        click.echo(_line(one))
    if not deliveries:
        click.echo("Nothing has been delivered to it yet.", err=True)


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@click.argument("n", metavar="N")
@options.gateway
def replay(org: str, webhook_id: str, n: str, config: Path | None, database: Path | None) -> None:
    """Deliver an event to a webhook again.

    N is the number of the delivery in `phonegate webhook log`.
    """
    carry_out(
        config, database, "POST", target("webhooks", org, webhook_id, "deliveries", n, "replay")
    )
    click.echo(f"The event of delivery {n} is delivered again.")
    click.echo(f"To see what comes of it: phonegate webhook log {org} {webhook_id}", err=True)


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@options.as_json
@options.gateway
def rotate(
    org: str, webhook_id: str, config: Path | None, database: Path | None, *, as_json: bool
) -> None:
    """Give a webhook a new secret, and show it, once.

    For 24 hours the old secret signs too.
    """
    address = target("webhooks", org, webhook_id, "rotate")
    _show_secret(carry_out(config, database, "POST", address), org, as_json=as_json)


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@options.gateway
def enable(org: str, webhook_id: str, config: Path | None, database: Path | None) -> None:
    """Have a disabled webhook called again, at once with what waits."""
    address = target("webhooks", org, webhook_id, "enable")
    webhook = carry_out(config, database, "POST", address)["webhook"]
    waiting = webhook["waiting"]
    also = f" Events that wait for it: {waiting}." if waiting else ""
    click.echo(f"Enabled {webhook_id}.{also}")


@command.command()
@click.argument("org")
@click.argument("webhook_id", metavar="ID")
@options.gateway
def remove(org: str, webhook_id: str, config: Path | None, database: Path | None) -> None:
    """Remove a webhook. What waits for it is never delivered."""
    carry_out(config, database, "DELETE", target("webhooks", org, webhook_id))
    click.echo(f"Removed {webhook_id}.")


def _show_secret(answer: Json, org: str, *, as_json: bool) -> None:
    webhook, secret = answer["webhook"], answer["secret"]
    if as_json:
        terminal.print_json({"secret": secret, "webhook": webhook})
        return
    click.echo(f"id      {webhook['id']}")
    click.echo(f"secret  {secret}")
    click.echo(f"events  {' '.join(webhook['events'])}")
    click.echo("Keep the secret: it is not shown again.", err=True)
    click.echo(f"To see whether it works: phonegate webhook test {org} {webhook['id']}", err=True)


def _events(webhook: Json) -> str:
    """Says what a webhook gets."""
    return "status callbacks" if webhook["callbacks"] else " ".join(webhook["events"])


def _lines(webhook: Json) -> Iterator[str]:
    shown = {
        "id": webhook["id"],
        "name": webhook["name"],
        "url": webhook["url"],
        "events": _events(webhook),
        "address": webhook["address"],
        "sim": webhook["sim"],
        "phone": webhook["phone"],
        "headers": ", ".join(f"{name}: {value}" for name, value in webhook["headers"].items()),
        "shape": webhook["shape"],
        "secret": webhook["secret"],
        "key": webhook["key"],
        "created": terminal.moment(webhook["created_at"]),
        "waiting": webhook["waiting"],
        "missed": webhook["missed_at"] and f"events, at {terminal.moment(webhook['missed_at'])}",
        "state": _standing(webhook),
    }
    for name, value in shown.items():
        if value not in (None, ""):
            yield f"{name:<8} {terminal.clean(value)}"


def _standing(webhook: Json) -> str:
    """Returns in words whether a webhook is called, and whether that works."""
    if not webhook["enabled"]:
        return f"disabled: {webhook['disabled_reason']}"
    if webhook["failing_since"]:
        return f"failing since {terminal.moment(webhook['failing_since'])}"
    return "enabled"


def _line(delivery: Json) -> str:
    """Returns one delivery as a line for a person, its status in colour."""
    event = delivery["event_id"]
    parts = (
        f"{delivery['n']:>6}",
        terminal.moment(delivery["at"] or delivery["created_at"]),
        columns.pad(terminal.clean(delivery["type"]), TYPE_COLUMNS),
        _status(delivery),
        *_outcome(delivery),
        "[test]" if event is None else f"[event {event}]",
    )
    return "  ".join(parts)


def _status(delivery: Json) -> str:
    """Returns the status of the last answer, where there was one."""
    if not delivery["attempts"]:
        return terminal.state("queued", "-   ")
    shown = columns.pad(str(delivery["status"] or "none"), len("none"))
    return terminal.state("failed" if delivery["error"] else "sent", shown)


def _outcome(delivery: Json) -> Iterator[str]:
    """Yields what came of a delivery, and what comes next."""
    tries, next_at = delivery["attempts"], delivery["next_at"]
    if not tries:
        yield "has not been called yet"
        return
    yield terminal.clean(delivery["error"] or f"in {delivery['ms']} ms")
    if delivery["answer"]:
        yield columns.cut(terminal.clean(delivery["answer"]), ANSWER_COLUMNS)
    if next_at is not None and datetime.fromisoformat(next_at) > datetime.now(UTC):
        yield f"(try {tries}, the next at {terminal.moment(next_at)})"
    elif next_at is not None:
        # While a receiver fails again and again, only one of those that are due is tried.
        yield f"(try {tries}, waits for its turn)"
    elif tries > 1:
        yield f"(try {tries})"


def _followed(read: Callable[..., list[Json]], first: int) -> Iterator[Json]:
    """Yields the newest deliveries, so many of them, and then each that is new or has changed.

    Args:
        read: Reads a page of the log by its `limit` and `before`, the newest last.
        first: How many of the deliveries that there are already.
    """
    known = {one["n"]: one for one in read(limit=MOST_LINES)}
    yield from list(known.values())[-first:]
    while True:
        time.sleep(LOOK_S)
        page = found = read(limit=MOST_LINES)
        while known and len(page) == MOST_LINES and page[0]["n"] > max(known):
            page = read(limit=MOST_LINES, before=page[0]["n"])
            found = page + found
        yield from (one for one in found if known.get(one["n"]) != one)
        known = {one["n"]: one for one in found}
