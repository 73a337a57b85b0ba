"""`phonegate send`."""

import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import click

from phonegate.cli import options, terminal

if TYPE_CHECKING:
    from phonegate.cli.client import Client

LEFT = frozenset({"sent", "delivered"})
LOST = frozenset({"failed", "expired", "cancelled", "uncertain"})
POLL_S = 0.5
"""Between two looks at a message; a phone takes a second or more to send an SMS."""


@click.command(epilog=options.CLIENT_EPILOG)
@click.argument("body", required=False)
@click.option("--to", multiple=True, required=True, metavar="NUMBER", help="Recipient; repeatable.")
@click.option("--sim", help="Number or slot of the SIM to send from.  [default: the first phone]")
@click.option("--ttl", type=click.IntRange(min=1), help="Seconds after which it may not leave.")
@click.option("--send-at", metavar="TIME", help="When to send it, such as 2031-05-04T09:30:00Z.")
@click.option("--priority", type=int, help="Higher ones leave first.  [default: 0]")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long until every message has left; exit 1 for one that has not.",
)
@options.as_json
@options.client
def command(
    *,
    body: str | None,
    to: tuple[str, ...],
    sim: str | None,
    ttl: int | None,
    send_at: str | None,
    priority: int | None,
    wait: float | None,
    url: str,
    org: str,
    as_json: bool,
) -> int:
    """Send the SMS BODY (without it: standard input) through a gateway."""
    from phonegate.cli.client import Client, secret  # noqa: PLC0415 - keeps `--help` fast

    text = sys.stdin.read().removesuffix("\n") if body is None else body
    if not text:
        raise click.UsageError("There is no text to send.")
    extra = {"sim": sim, "ttl": ttl, "send_at": send_at, "priority": priority}
    messages = [{"to": number, "body": text} for number in to]
    request: dict[str, Any] = {key: value for key, value in extra.items() if value is not None}
    request.update({"messages": messages} if len(to) > 1 else messages[0])
    with Client(url, org, secret()) as client:
        answer = _post(client, request)
        results = answer["results"]
        if wait is not None:
            results = _watch(client, results, wait)
    if as_json:
        terminal.print_json({**answer, "results": results})
    else:
        headers = ("id", "to", "status", "error")
        rows = [[result.get(header) for header in headers] for result in results]
        click.echo(terminal.table(headers, rows))
        if wait is None and not answer.get("device_online"):
            click.echo("No phone is online; the message waits for one.", err=True)
    left = all(result["status"] in LEFT for result in results)
    return 0 if wait is None or left else 1


def _post(client: "Client", request: dict[str, Any]) -> dict[str, Any]:
    """Sends the request, once more where the answer was lost: the key makes that safe."""
    from phonegate.cli.client import Unreachable  # noqa: PLC0415 - keeps `--help` fast

    key = {"Idempotency-Key": uuid.uuid4().hex}
    try:
        return client.post(f"/send/{client.org}", request, key)
    except Unreachable:
        time.sleep(POLL_S)
        return client.post(f"/send/{client.org}", request, key)


def _watch(client: "Client", results: list[dict[str, Any]], wait_s: float) -> list[dict[str, Any]]:
    """Looks at the messages until each has left or can't leave any more, or time is up."""
    from phonegate.cli.client import Unreachable  # noqa: PLC0415 - keeps `--help` fast

    deadline = time.monotonic() + wait_s
    while True:
        for index, result in enumerate(results):
            if result["status"] not in LEFT | LOST:
                try:
                    answer = client.get(f"/messages/{client.org}/id/{result['id']}")
                except Unreachable:
                    continue
                found = answer.get("message", answer)
                results[index] = {**result, "status": found["status"], "error": found.get("error")}
        left = deadline - time.monotonic()
        if left <= 0 or all(result["status"] in LEFT | LOST for result in results):
            return results
        time.sleep(min(POLL_S, left))
