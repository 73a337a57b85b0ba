"""`phonegate send`."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phonegate.cli import moment, options, terminal
from phonegate.cli.progress import LiveLine
from phonegate.model.states import LEFT, LOST

if TYPE_CHECKING:
    from phonegate.cli.pauses import Pauses
    from phonegate.client import Gateway

MOST_NAMED = 10
"""Messages of a batch that are named one by one when they have not left in time."""

UNANSWERED = "unanswered"
"""The field of a result that says why the gateway could not report the message's status."""

Result = Mapping[str, Any]


@click.command(epilog=options.CLIENT_EPILOG)
@click.argument("body", required=False)
@click.option("--to", multiple=True, required=True, metavar="NUMBER", help="Recipient; repeatable.")
@click.option("--sim", help="Number or slot of the SIM to send from.  [default: the first phone]")
@click.option("--ttl", type=click.IntRange(min=1), help="Seconds after which it may not leave.")
@click.option(
    "--send-at",
    metavar="TIME",
    # A date that stays: manual pages and documents are made of this text.
    help="When to send it: 2031-05-04T09:30 by this machine's clock, or with an offset or Z.",
)
@click.option("--priority", type=int, help="Higher ones leave first.  [default: 0]")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long until every message has left; exit 1 for one that has not.",
)
@options.as_json
@options.client
@click.pass_obj
def command(
    pauses: "Pauses",
    *,
    body: str | None,
    to: tuple[str, ...],
    sim: str | None,
    ttl: int | None,
    send_at: str | None,
    priority: int | None,
    wait: float | None,
    url: str,
    org: str | None,
    cacert: Path | None,
    as_json: bool,
) -> int:
    """Send the SMS BODY through a gateway.

    Without BODY, or where it is -, the text is read from standard input. A line end at its very
    end is left out.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.client import connect  # noqa: PLC0415
    from phonegate.client import NO_RETRIES  # noqa: PLC0415

    at = None if send_at is None else _moment(send_at)
    text = _typed() if body in (None, "-") else body
    if not text:
        raise click.UsageError("There is no text to send: give BODY, or pipe it in.")
    with connect(url, org, cacert, pauses.retries()) as gateway:
        answer = gateway.send(to, text, sim=sim, ttl=ttl, send_at=at, priority=priority).raw
        results = answer["results"]
        if wait is not None:
            hasty = gateway.with_retries(NO_RETRIES)
            results = _watch(hasty, results, wait, pauses.sent_s)
    if as_json:
        terminal.print_json({**answer, "results": [_printed(result) for result in results]})
    else:
        headers = ("id", "to", "status", "error")
        rows = [[result.get(header) for header in headers] for result in results]
        terminal.show_table(headers, rows)
        if isinstance(at, str):
            click.echo(f"To be sent at {terminal.moment(at)}.", err=True)
        for line in holding(answer, scheduled=at is not None) if wait is None else ():
            click.echo(line, err=True)
    if wait is None:
        return 0
    for line in gave_up(results, wait):
        click.echo(f"phonegate: {line}", err=True)
    return 0 if all(result["status"] in LEFT for result in results) else 1


def holding(answer: Mapping[str, Any], *, scheduled: bool) -> Iterator[str]:
    """Yields a sentence for each reason why messages that were just stored can't leave yet."""
    held = [one["id"] for one in answer["results"] if one.get("waiting_for") == "approval"]
    if len(held) == 1:
        yield f"It waits for a person's approval: phonegate messages approve {held[0]}."
    elif held:
        yield (
            f"{len(held)} messages wait for a person's approval, each by its id: "
            f"phonegate messages approve {held[0]}."
        )
    elif not answer.get("device_online"):
        yield "No phone is online" + (" yet." if scheduled else "; the message waits for one.")


def _typed() -> str:
    if sys.stdin.isatty():
        click.echo("Type the text, and end it with Ctrl-D on a line of its own:", err=True)
    return sys.stdin.read().removesuffix("\n")


def _moment(text: str) -> int | str:
    try:
        return moment.read(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--send-at'") from None


def _watch(gateway: "Gateway", results: list[Result], wait_s: float, poll_s: float) -> list[Result]:
    """Reads the messages until each has left or can't leave any more, or the time is up."""
    # Imported here to keep `--help` fast.
    from phonegate.cli import gateway_words  # noqa: PLC0415
    from phonegate.client import GatewayError  # noqa: PLC0415
    from phonegate.client.retries import LONGEST_HEEDED_S  # noqa: PLC0415

    began = time.monotonic()
    with LiveLine() as line:
        while True:
            pause = poll_s
            for index, result in enumerate(results):
                if result["status"] in LEFT | LOST:
                    continue
                try:
                    found = gateway.message(result["id"]).raw
                except GatewayError as error:
                    if not error.is_transient:
                        raise
                    results[index] = {**result, UNANSWERED: gateway_words.sentence(error)}
                    pause = max(pause, min(error.retry_after_s, LONGEST_HEEDED_S))
                    break
                kept = {name: found.get(name) for name in ("error", "waiting_for", "send_at")}
                results[index] = {**result, "status": found["status"], **kept, UNANSWERED: None}
            passed = time.monotonic() - began
            if passed >= wait_s or not any(map(_waits, results)):
                return results
            line.show(waiting(results, passed))
            time.sleep(min(pause, wait_s - passed))


def waiting(results: Sequence[Result], passed_s: float) -> str:
    """Returns a line that says what the command waits for."""
    left = [result for result in results if _waits(result)]
    many = f"{len(left)} of {len(results)} messages, the first" if len(results) > 1 else "message"
    return f"{passed_s:.0f} s: {many} {left[0]['id']} is {_state(left[0])}"


def gave_up(results: Sequence[Result], wait_s: float) -> Iterator[str]:
    """Yields a sentence for each message that has not left in time."""
    left = [result for result in results if _waits(result)]
    for result in left[:MOST_NAMED]:
        recipient = terminal.clean(result.get("to"))
        yield f"After {wait_s:g} s message {result['id']} to {recipient} is {_state(result)}."
    if len(left) > MOST_NAMED:
        yield f"So are {len(left) - MOST_NAMED} more."


def _waits(result: Result) -> bool:
    return result["status"] not in LEFT | LOST


def _state(result: Result) -> str:
    if result.get(UNANSWERED):
        return f"of unknown state: {str(result[UNANSWERED]).removesuffix('.')}"
    status = terminal.clean(result["status"])
    if result.get("waiting_for"):
        return f"{status} and waits for {terminal.waits_for(result)}"
    return status


def _printed(result: Result) -> Result:
    return {name: value for name, value in result.items() if name != UNANSWERED}
