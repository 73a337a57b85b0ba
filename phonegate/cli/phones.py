"""`phonegate phones`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import click

from phonegate.cli import options, phone_words, terminal
from phonegate.cli.failure import Failure


class _PhoneId(click.IntRange):
    """The ID of a phone. It says what that is where something else was given, such as a name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads an ID."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(
                f"{value!r} is no phone's ID. The ID is the number in the first column of "
                "`phonegate phones`.",
                param,
                ctx,
            )


_ID: Final = _PhoneId(min=1)

_LOCAL: Final = click.option(
    "--database",
    type=click.Path(path_type=Path),
    help="The database of a gateway on this machine: it is asked as its owner, without a secret.",
)


@attrs.frozen
class _Gateway:
    """The gateway that a command asks, over HTTP or on this machine as its owner."""

    url: str
    org: str | None
    cacert: Path | None
    database: Path | None

    def ask(
        self, method: str, *parts: int, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Asks for `/phones/{org}` and what stands below it.

        Raises:
            GatewayError: It refuses, or does not answer.
            ControlError: So does the one on this machine.
            click.UsageError: The org is missing.
        """
        # Imported here to keep `--help` fast.
        from phonegate.cli.client import connect  # noqa: PLC0415
        from phonegate.cli.owner import carry_out, target  # noqa: PLC0415

        below = [str(part) for part in parts]
        if self.database is not None:
            if self.org is None:
                raise click.UsageError(options.ORG_MISSING)
            return carry_out(None, self.database, method, target("phones", self.org, *below), body)
        with connect(self.url, self.org, self.cacert) as gateway:
            return gateway.request(method, "/".join(["/phones/{org}", *below]), body=body)


def _gateway(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options by which the gateway is named."""
    return options.client(_LOCAL(function))


@click.group(invoke_without_command=True, epilog=options.CLIENT_EPILOG)
@options.as_json
@_gateway
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **where: Any) -> None:
    """List an org's phones: whether they are online, how they are, and what waits for them."""
    if context.invoked_subcommand is not None:
        # Options before the command's name hold for the command too.
        given = {name: value for name, value in where.items() if value is not None}
        context.default_map = dict.fromkeys(("name", "number", "forget"), given)
        return
    answer = _Gateway(**where).ask("GET")
    if as_json:
        terminal.print_json(answer)
        return
    phones = answer["phones"]
    if phones:
        headers = (
            *("id", "name", "kind", "seen", "battery", "signal", "network"),
            *("SIMs", "waiting"),
        )
        terminal.show_table(headers, [_row(phone) for phone in phones])
    else:
        click.echo("No phone has connected yet.")
    for phone in phones:
        if phone["hint"]:
            click.echo(f"Phone {phone['id']}: {terminal.clean(phone['hint'])}")
    if count := answer["unassigned"]:
        verb = "waits" if count == 1 else "wait"
        click.echo(f"{count} {verb} for a phone to come online that can send it.")


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=_ID)
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Call it what it calls itself again.")
@_gateway
def name(*, id: int, name: str | None, remove: bool, **where: Any) -> None:  # noqa: A002 - the argument's own name
    """Call the phone ID by a NAME of your own."""
    given = _one_of(name, "NAME", remove=remove)
    phone = _Gateway(**where).ask("PATCH", id, body={"name": given or ""})["phone"]
    click.echo(f"Phone {id} is {terminal.clean(phone['name'] or 'without a name')}.")


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=_ID)
@click.argument("slot", type=click.IntRange(min=0))
@click.argument("number", required=False)
@click.option("--remove", is_flag=True, help="Take the number back.")
@_gateway
def number(*, id: int, slot: int, number: str | None, remove: bool, **where: Any) -> None:  # noqa: A002
    """Name the NUMBER of a SIM that its phone does not know.

    It is the SIM in the SLOT of the phone ID. It can be sent from by that number from then on. The
    number is written as +15551113333.
    """
    given = _one_of(number, "NUMBER", remove=remove)
    body = {"sims": [{"slot": slot, "number": given}]}
    with _spoken():
        phone = _Gateway(**where).ask("PATCH", id, body=body)["phone"]
    (sim,) = (sim for sim in phone["sims"] if sim["slot"] == slot)
    click.echo(f"Slot {slot} of phone {id} is {sim['number'] or 'without a number'}.")


@command.command(epilog=options.CLIENT_EPILOG)
@click.argument("id", type=_ID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_gateway
def forget(*, id: int, yes: bool, **where: Any) -> None:  # noqa: A002
    """Forget the phone ID, with its SIMs and what waits for it.

    Messages that only it could have sent are cancelled. All other messages stay. An API key that
    only this phone used, and that is good for nothing else, is revoked. By the org's secret, or
    another key, the phone may come back as a new one.
    """
    gateway = _Gateway(**where)
    if not yes:
        found = [phone for phone in gateway.ask("GET")["phones"] if phone["id"] == id]
        if found:
            (phone,) = found
            what = terminal.clean(phone["name"] or phone["device_id"] or "which has no name")
            waits = _that_wait(phone["waiting"])
            click.confirm(f"Forget phone {id} ({what}){waits}?", abort=True, err=True)
    gone = gateway.ask("DELETE", id)
    click.echo(f"Forgot phone {id}.")
    for count, became in (
        (gone["cancelled"], "cancelled"),
        (gone["uncertain"], "uncertain: the phone had them and reported no result"),
    ):
        if count:
            click.echo(f"Messages that are {became}: {count}")
    if gone["revoked_key"] is not None:
        click.echo(f"Revoked its API key {gone['revoked_key']}.")
    else:
        click.echo(
            "Its credential still works: the org's secret, or a key that is also used elsewhere. "
            "If the phone connects with it again, it is listed as a new phone."
        )


@contextmanager
def _spoken() -> Iterator[None]:
    """Says a gateway's refusal in the words of the command, which knows no field `sims[0]`.

    Raises:
        Failure: It refused.
    """
    # Imported here to keep `--help` fast.
    from phonegate.client import Refused  # noqa: PLC0415
    from phonegate.operations.control_client import ControlRefused  # noqa: PLC0415

    try:
        yield
    except (Refused, ControlRefused) as refused:
        wrong = refused.errors if isinstance(refused, Refused) else refused.problems
        problems = {one.field: one.problem for one in wrong}
        if "sims[0].slot" in problems:
            # The sentence names the slots that there are.
            raise Failure(refused.detail) from None
        raise Failure(refused.detail.replace("sims[0].number", "NUMBER")) from None


def _that_wait(count: int) -> str:
    """Returns what else becomes of a phone's messages, as a part of a question."""
    if not count:
        return ""
    return f" and cancel the {'message' if count == 1 else f'{count} messages'} waiting for it"


def _one_of(value: str | None, what: str, *, remove: bool) -> str | None:
    """Returns what is to be set, or None where it is to be removed."""
    if (value is None) != remove:
        raise click.UsageError(f"Give a {what} or --remove, one of the two.")
    return value


def _row(phone: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        phone["id"],
        phone["name"] or phone["device_id"],
        phone["kind"],
        "online" if phone["online"] else terminal.moment(phone["last_seen"]),
        phone_words.battery(phone),
        phone["signal"],
        phone["network"],
        ", ".join(map(phone_words.sim, phone["sims"])) or None,
        phone["waiting"],
    )
